import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { EventLog, LogChange } from '../../src/engine/event-log.ts'
import type { SyncStatus } from '../../src/model/sync-status.ts'
import { holdLifeLock } from '../../src/protocol/life-lock.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import type { SyncLoop, SyncLoopOptions } from '../../src/sync/sync-loop.ts'
import { shareGrowth } from '../../worker/growth-hints.ts'
import { sharedNameOf } from '../../worker/shared-name.ts'
import { createSyncOff, SyncRole } from '../../worker/sync-role.ts'
import { TabChannel, type TabMessage } from '../../worker/tab-channel.ts'
import { RESTING } from '../client/fake-worker.ts'
import { FakeLocks } from './fake-locks.ts'

const ends: AbortController[] = []
let locks: FakeLocks
let channelName = ''
let channels = 0

beforeEach(() => {
  locks = new FakeLocks()
  channelName = `tabs ${++channels}`
  vi.stubGlobal('navigator', { locks, onLine: true })
})

afterEach(() => {
  for (const end of ends.splice(0)) end.abort()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function life(): AbortController {
  const end = new AbortController()
  ends.push(end)
  return end
}

describe('growth', () => {
  /** One storage's head, seen by several tabs. */
  function sharedLog() {
    let stored = 0
    const tab = () => {
      let head = 0
      const listeners: ((change: LogChange) => void)[] = []
      const grow = (to: number) => {
        head = to
        for (const listener of listeners) listener({ head } as LogChange)
      }
      const log = {
        head: () => head,
        catchUp: vi.fn(async () => grow(stored)),
        onChange: (listener: (change: LogChange) => void) => void listeners.push(listener),
      }
      const { signal } = life()
      const channel = new TabChannel(channelName, signal)
      shareGrowth({ log, channel, signal, onError: () => {} })
      const append = (to: number) => {
        stored = to
        grow(to)
      }
      return { log, append }
    }
    return { tab }
  }

  function overhear(): TabMessage[] {
    const heard: TabMessage[] = []
    new TabChannel(channelName, life().signal).on('grew', message => heard.push(message))
    return heard
  }

  test('is told to the other tabs, which read on', async () => {
    const { tab } = sharedLog()
    const [a, b] = [tab(), tab()]
    a.append(5)
    await vi.waitFor(() => expect(b.log.head()).toBe(5))
    b.append(6)
    await vi.waitFor(() => expect(a.log.head()).toBe(6))
  })

  test('of many commits in a row is one hint, and who hears of it does not echo', async () => {
    const { tab } = sharedLog()
    const heard = overhear()
    const [a, b] = [tab(), tab()]
    for (let head = 1; head <= 100; head++) a.append(head)
    await vi.waitFor(() => expect(b.log.head()).toBe(100))
    b.append(101)
    await vi.waitFor(() => expect(heard).toHaveLength(2))
    expect(heard).toEqual([
      { type: 'grew', head: 100 },
      { type: 'grew', head: 101 },
    ])
  })

  test('that was made up, or is no number, keeps no tab from telling of its own', async () => {
    const { tab } = sharedLog()
    const [a, b] = [tab(), tab()]
    const liar = new TabChannel(channelName, life().signal)
    liar.post({ type: 'grew', head: 'far' as never })
    liar.post({ type: 'grew', head: 1e9 })
    await vi.waitFor(() => expect(a.log.catchUp).toHaveBeenCalled())
    await vi.waitFor(() => expect(b.log.catchUp).toHaveBeenCalled())
    a.append(5)
    await vi.waitFor(() => expect(b.log.head()).toBe(5))
  })

  test('that is known already is not read again', async () => {
    const { tab } = sharedLog()
    const [a, b] = [tab(), tab()]
    a.append(5)
    await vi.waitFor(() => expect(b.log.head()).toBe(5))
    a.append(5)
    a.append(6)
    await vi.waitFor(() => expect(b.log.head()).toBe(6))
    expect(b.log.catchUp).toHaveBeenCalledTimes(2)
  })
})

describe('the shared name', () => {
  test('is kept in the store: the same for each tab of it, another for another store', async () => {
    const [one, other] = [memoryStorage(), memoryStorage()]
    await Promise.all([one.open(), other.open()])
    const names = await Promise.all([sharedNameOf(one), sharedNameOf(one), sharedNameOf(other)])
    expect(names[0]).toBe(names[1])
    expect(names[2]).not.toBe(names[0])
    expect(await sharedNameOf(one)).toBe(names[0])
  })
})

describe('the life lock', () => {
  test('is held under a name of its own', async () => {
    const [one, other] = await Promise.all([holdLifeLock(), holdLifeLock()])
    expect(one).not.toBe(other)
    expect(locks.isHeld(one!)).toBe(true)
  })

  test('is null where there are no locks, or they may not be used', async () => {
    vi.stubGlobal('navigator', {})
    expect(await holdLifeLock()).toBeNull()
    vi.stubGlobal('navigator', {
      locks: { request: () => Promise.reject(new DOMException('', 'SecurityError')) },
    })
    expect(await holdLifeLock()).toBeNull()
  })
})

describe('sync', () => {
  const log = {
    cursor: () => ({ epoch: '', serverPosition: 4, confirmedThrough: 0 }),
    pendingCount: () => 3,
    oldestPendingAt: async () => oldestPendingAt,
    rejections: async () => rejections,
    erasures: { cursor: { unsentTo: () => [] } },
    catchUp: async () => {},
    head: () => 4,
    onChange: (listener: (change: LogChange) => void) => void listeners.push(listener),
  } as unknown as EventLog
  let oldestPendingAt: number | null
  let rejections: object[]
  let listeners: ((change: LogChange) => void)[]
  const changed = (change: Partial<LogChange> = {}) => {
    for (const listener of listeners) listener({ supersededFrom: null, ...change } as LogChange)
  }

  beforeEach(() => {
    oldestPendingAt = 1_000
    rejections = []
    listeners = []
  })

  /** A tab whose loop only notes what it is told. */
  function tab(target: { url: string; token?: string } = { url: 'http://server' }, renewals: string[] = []) {
    const end = life()
    const told: string[] = []
    const shown: SyncStatus[] = []
    let loopOptions: SyncLoopOptions | undefined
    let status: SyncStatus = { ...RESTING, phase: 'idle' }
    const createLoop = (options: SyncLoopOptions): SyncLoop => {
      loopOptions = options
      return {
        start: () => told.push('start'),
        setOnline: online => told.push(online ? 'online' : 'offline'),
        poke: () => told.push('poke'),
        status: () => status,
        stop: async () => void told.push('stop'),
      }
    }
    const role = new SyncRole({
      log,
      target,
      createLoop,
      renewToken: async () => {
        told.push('renew')
        return renewals.shift() ?? null
      },
      name: channelName,
      channel: new TabChannel(channelName, life().signal),
      onStatus: next => shown.push(next),
      onWitnessed: () => {},
      onInconsistent: () => told.push('inconsistent'),
      signal: end.signal,
    })
    void role.start()
    const say = (next: Partial<SyncStatus>) => {
      status = { ...status, ...next }
      loopOptions!.onStatus!(status)
    }
    return { role, told, shown, end, say, options: () => loopOptions! }
  }

  const leads = (one: ReturnType<typeof tab>) => vi.waitFor(() => expect(one.told).toContain('start'))
  const phaseOf = (one: ReturnType<typeof tab>, phase: string) =>
    vi.waitFor(() => expect(one.role.status().phase).toBe(phase))

  test('one tab runs the loop; the others show what it says', async () => {
    const leader = tab()
    await leads(leader)
    const follower = tab()
    expect(follower.role.status()).toMatchObject({ phase: 'follower', pending: 3, serverPosition: 4 })
    await phaseOf(follower, 'idle')
    leader.say({ phase: 'pushing' })
    await phaseOf(follower, 'pushing')
    expect(follower.shown.at(-1)!.phase).toBe('pushing')
    expect(follower.told).toEqual([])
  })

  test('the next tab takes over when the leader ends', async () => {
    const [leader, follower] = [tab(), tab()]
    await leads(leader)
    leader.end.abort()
    await leader.role.ended()
    expect(leader.told.at(-1)).toBe('stop')
    await leads(follower)
  })

  test('the switch, a token and a poke of any tab reach the one that syncs', async () => {
    const leader = tab({ url: 'http://server', token: 'old' })
    await leads(leader)
    const follower = tab()
    follower.role.setOnline(false)
    await vi.waitFor(() => expect(leader.told.at(-1)).toBe('offline'))
    follower.role.setToken('new')
    await vi.waitFor(() => expect(leader.told.at(-1)).toBe('poke'))
    expect(leader.options().token(null)).toBe('new')
    follower.role.poke()
    await vi.waitFor(() => expect(leader.told.filter(said => said === 'poke')).toHaveLength(2))
  })

  test('the switch outlives the leader that was told', async () => {
    const leader = tab()
    await leads(leader)
    leader.role.setOnline(false)
    const follower = tab()
    await phaseOf(follower, 'idle')
    leader.end.abort()
    await leads(follower)
    expect(follower.told).toEqual(['offline', 'start'])
  })

  test('begins offline where the browser says that there is no network', async () => {
    vi.stubGlobal('navigator', { locks, onLine: false })
    const leader = tab()
    await leads(leader)
    expect(leader.told).toEqual(['offline', 'start'])
  })

  test('heeds the network where no worker is told of it, when the page passes it on', async () => {
    vi.stubGlobal('navigator', { locks, onLine: false })
    const leader = tab()
    await leads(leader)
    vi.stubGlobal('navigator', { locks, onLine: true })
    leader.role.networkChanged()
    expect(leader.told.at(-1)).toBe('online')
    leader.role.setOnline(false)
    leader.role.networkChanged()
    expect(leader.told.at(-1)).toBe('offline')
  })

  test('heeds the network coming and going', async () => {
    const scope = new EventTarget()
    vi.stubGlobal('addEventListener', scope.addEventListener.bind(scope))
    const leader = tab()
    await leads(leader)
    vi.stubGlobal('navigator', { locks, onLine: false })
    scope.dispatchEvent(new Event('offline'))
    expect(leader.told.at(-1)).toBe('offline')
    vi.stubGlobal('navigator', { locks, onLine: true })
    leader.role.setOnline(false)
    scope.dispatchEvent(new Event('online'))
    expect(leader.told.at(-1)).toBe('offline')
  })

  test('without a token the loop is told so', async () => {
    const leader = tab()
    await leads(leader)
    expect(await leader.options().token(null)).toBeNull()
  })

  test('a refused token is renewed once for all who ask, and told to the other tabs', async () => {
    const leader = tab({ url: 'http://server', token: 'old' }, ['new', 'newer'])
    await leads(leader)
    const follower = tab()
    const { token } = leader.options()
    expect(token(null)).toBe('old')
    expect(await Promise.all([token('old'), token('old')])).toEqual(['new', 'new'])
    // Who was refused before it came does not have it renewed again.
    expect(await token('old')).toBe('new')
    expect(leader.told.filter(said => said === 'renew')).toHaveLength(1)
    leader.end.abort()
    await leads(follower)
    await vi.waitFor(() => expect(follower.options().token(null)).toBe('new'))
  })

  test('a token that the application sets while one is renewed counts', async () => {
    const leader = tab({ url: 'http://server', token: 'old' }, ['late'])
    await leads(leader)
    const asked = leader.options().token('old')
    leader.role.setToken('set')
    expect(await asked).toBe('set')
    expect(leader.options().token(null)).toBe('set')
  })

  test('a page that gives the refused token once more has no other', async () => {
    const leader = tab({ url: 'http://server', token: 'old' }, ['old'])
    await leads(leader)
    expect(await leader.options().token('old')).toBeNull()
  })

  test('a leader that is silent for long is taken for frozen, and its lead is stolen', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const frozen = locks.request(channelName, () => new Promise(() => {}))
    const lost = expect(frozen).rejects.toMatchObject({ name: 'AbortError' })
    const follower = tab()
    await vi.advanceTimersByTimeAsync(19_000)
    expect(follower.told).toEqual([])
    await vi.advanceTimersByTimeAsync(11_000)
    await leads(follower)
    await lost
  })

  test('a leader that says something from time to time keeps its lead', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const [leader, follower] = [tab(), tab()]
    await leads(leader)
    for (let i = 0; i < 20; i++) {
      const heard = follower.shown.length
      await vi.advanceTimersByTimeAsync(5_000)
      await vi.waitFor(() => expect(follower.shown.length).toBeGreaterThan(heard))
    }
    expect(follower.told).toEqual([])
    expect(leader.told).not.toContain('stop')
  })

  test('since when the oldest event waits is told with what the leader says, in every tab', async () => {
    const [leader, follower] = [tab(), tab()]
    await leads(leader)
    leader.say({ phase: 'offline', pending: 1 })
    await phaseOf(follower, 'offline')
    expect(leader.role.status()).toMatchObject({ pending: 1, oldestPendingAt: 1_000 })
    expect(follower.role.status()).toEqual(leader.role.status())
    oldestPendingAt = 2_000
    changed()
    await vi.waitFor(() => expect(follower.role.status().oldestPendingAt).toBe(2_000))
    expect(leader.role.status().oldestPendingAt).toBe(2_000)
  })

  test('up to where pushes were answered is told to the other tabs, and known to the one that takes over', async () => {
    const [leader, follower] = [tab(), tab()]
    await leads(leader)
    expect([leader.role.pushed(), follower.role.pushed()]).toEqual([null, null])
    const mark = { epoch: 'e', through: 7 }
    leader.options().onPushed!(mark)
    leader.say({ phase: 'pulling' })
    await vi.waitFor(() => expect(follower.role.pushed()).toEqual(mark))
    leader.end.abort()
    await leads(follower)
    expect(follower.role.pushed()).toEqual(mark)
  })

  test('a leader with an older release tells neither: the tab says what it knows itself', async () => {
    const { oldestPendingAt: _, ...older } = RESTING
    const channel = new TabChannel(channelName, life().signal)
    void locks.request(channelName, () => new Promise(() => {}))
    const follower = tab()
    await vi.waitFor(() => expect(follower.role.status().oldestPendingAt).toBe(1_000))
    channel.post({ type: 'sync-status', status: { ...older, phase: 'waiting' }, online: true } as never)
    await phaseOf(follower, 'waiting')
    expect(follower.role.status().oldestPendingAt).toBe(1_000)
    expect(follower.role.pushed()).toBeNull()
  })

  test('off, the status counts what would wait, since when, and what was rejected before', async () => {
    rejections = [{}]
    const shown: SyncStatus[] = []
    const off = createSyncOff({ log, onStatus: status => shown.push(status), signal: life().signal })
    await off.start()
    expect(off.status()).toMatchObject({ phase: 'off', pending: 3, oldestPendingAt: 1_000, rejected: 1 })
    expect(off.pushed()).toBeNull()
    shown.length = 0
    changed()
    expect(shown).toHaveLength(1)
    rejections = []
    off.poke()
    await vi.waitFor(() => expect(shown.at(-1)).toMatchObject({ rejected: 0 }))
  })

  test('an append does not have the rejections read again, a rebase does', async () => {
    const off = createSyncOff({ log, onStatus: () => {}, signal: life().signal })
    await off.start()
    rejections = [{}]
    oldestPendingAt = 2_000
    changed()
    await vi.waitFor(() => expect(off.status().oldestPendingAt).toBe(2_000))
    expect(off.status().rejected).toBe(0)
    changed({ supersededFrom: 1 })
    await vi.waitFor(() => expect(off.status().rejected).toBe(1))
  })
})
