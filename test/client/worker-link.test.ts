import { afterEach, describe, expect, test, vi } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { Readable } from '../../src/client/readable.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { isStoreError, StorageFailed, VersionConflict } from '../../src/log/errors.ts'
import type { Hash } from '../../src/log/event.ts'
import type { App } from '../../src/model/app.ts'
import type { VerifyReport } from '../../src/model/event-store.ts'
import { wireErrorOf } from '../../src/protocol/wire-error.ts'
import { WORKER_PROTOCOL, type WriteMessage } from '../../src/protocol/worker-api.ts'
import { answersTo, type FakeWorker, fakeWorker, never, ok, RESTING } from './fake-worker.ts'

const opened: StoreClient<App>[] = []

afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
})

async function open(
  source: FakeWorker | (() => FakeWorker),
  callTimeoutMs?: number,
): Promise<StoreClient<App>> {
  const worker = typeof source === 'function' ? () => source().port : source.port
  const store = await openStore<App>(worker, { storeId: 's', ...(callTimeoutMs && { callTimeoutMs }) })
  opened.push(store)
  return store
}

/** Makes the workers given, one after the other. */
function inTurn(...workers: FakeWorker[]): () => FakeWorker {
  return () => workers.shift() ?? fakeWorker()
}

const event = (n = 0) => ({ type: 'Added', data: { n } })

describe('the handshake', () => {
  test('hands the values of the page to the worker', async () => {
    const worker = fakeWorker()
    const store = await openStore<App>(worker.port, { storeId: 'b', sync: { url: 'u', token: 't' } })
    opened.push(store)
    expect(worker.values()).toEqual({ storeId: 'b', url: 'u', token: 't' })
  })

  test('begins when the worker says that it is ready, where the page came first', async () => {
    const worker = fakeWorker()
    const { port1: silent, port2 } = new MessageChannel()
    const opening = openStore<App>(silent, { storeId: 's' })
    // The worker was not there yet to hear the hello; then it says ready by itself.
    await new Promise(resolve => port2.addEventListener('message', resolve, { once: true }))
    relay(port2, worker.port)
    port2.postMessage({ streamdingo: 'ready', protocol: WORKER_PROTOCOL })
    opened.push(await opening)
    expect(worker.calls).toEqual(['connect'])
  })

  test('refuses a worker of another protocol', async () => {
    await expect(open(fakeWorker({}, { protocol: 99 }))).rejects.toMatchObject({
      code: 'worker-mismatch',
      facts: { page: WORKER_PROTOCOL, worker: 99 },
    })
  })

  test('throws what the worker could not open, with its class', async () => {
    const failure = new StorageFailed('blocked', 'another tab')
    const worker = fakeWorker({ connect: async () => ({ ok: false, error: wireErrorOf(failure) }) })
    const error = await open(worker).catch(thrown => thrown)
    expect(error).toBeInstanceOf(StorageFailed)
    expect(error.facts).toEqual({ problem: 'blocked' })
  })

  test('gives up on workers that are never ready when the second is not, either', async () => {
    const silent: MessageChannel[] = []
    const startSilent = (hung: number) => {
      expect(hung).toBe(silent.length)
      silent.push(new MessageChannel())
      return silent.at(-1)!.port1
    }
    await expect(openStore<App>(startSilent, { storeId: 's', callTimeoutMs: 20 })).rejects.toMatchObject({
      code: 'worker-timeout',
    })
    expect(silent).toHaveLength(2)
  })

  test('leaves a worker behind that does not answer: the next one is told how many there were', async () => {
    const { port1: silent } = new MessageChannel()
    const start = (hung: number) => (hung === 0 ? silent : fakeWorker().port)
    opened.push(await openStore<App>(start, { storeId: 's', callTimeoutMs: 20 }))
  })
})

describe('errors of the worker', () => {
  test('keep class, code, facts and recovery', async () => {
    const conflict = new VersionConflict([{ streamName: 'a', expected: 1, actual: 2 }])
    const worker = fakeWorker({
      write: async message => answersTo(message, () => ({ ok: false, error: wireErrorOf(conflict) })),
    })
    const store = await open(worker)
    const error = await store.appendToStream('a', [event()]).catch(thrown => thrown)
    expect(error).toBeInstanceOf(VersionConflict)
    expect(isStoreError(error, 'version-conflict')).toBe(true)
    expect(error.facts).toEqual(conflict.facts)
    expect(error.recovery).toBe(conflict.recovery)
    expect(error.name).toBe('VersionConflict')
  })

  test('that were not thrown on purpose come as plain errors', async () => {
    const worker = fakeWorker({
      rejections: async () => ({ ok: false, error: wireErrorOf(new TypeError('no such thing')) }),
    })
    const error = await (await open(worker)).rejections().catch(thrown => thrown)
    expect(isStoreError(error)).toBe(false)
    expect(error.message).toBe('no such thing')
  })
})

describe('deadlines', () => {
  test('a call without an answer ends with worker-timeout and the ids to try again with', async () => {
    const store = await open(fakeWorker({ write: () => never() }), 20)
    const id = '018f5f3e-1c1b-7c1a-8a1b-0123456789ab'
    await expect(store.appendToStream('a', [{ ...event(), id }])).rejects.toMatchObject({
      code: 'worker-timeout',
      facts: { eventIds: [id] },
    })
  })

  test('a worker that answers other calls lives on after it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const worker = fakeWorker({ rejections: () => never(), streamVersion: async () => ok(3) })
    const store = await open(worker, 1_000)
    const refused = expect(store.rejections()).rejects.toMatchObject({ code: 'worker-timeout' })
    await vi.advanceTimersByTimeAsync(1_000)
    await refused
    await worker.called('ping')
    expect(await store.streamExists('a')).toBe(true)
    expect(store.health().getSnapshot().phase).toBe('ready')
  })

  test('a worker that does not even answer a ping is replaced', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const hung = fakeWorker({ rejections: () => never(), ping: () => never() })
    const store = await open(inTurn(hung, fakeWorker({ rejections: async () => ok([]) })), 1_000)
    const refused = expect(store.rejections()).rejects.toMatchObject({ code: 'worker-timeout' })
    await vi.advanceTimersByTimeAsync(1_000)
    await refused
    await vi.advanceTimersByTimeAsync(5_000)
    expect(store.health().getSnapshot().phase).toBe('restarting')
    const answer = store.rejections()
    await vi.advanceTimersByTimeAsync(100)
    expect(await answer).toEqual([])
  })

  test('progress gives a verification its whole time again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const report: VerifyReport = {
      ok: true,
      events: 2,
      headPosition: 2,
      rootHash: '00' as Hash,
      level: 'full',
      checked: ['end'],
      unchecked: [],
    }
    let finish = () => {}
    const worker = fakeWorker({
      verify: () => new Promise(resolve => (finish = () => resolve(ok(report)))),
    })
    const store = await open(worker, 1_000)
    const seen: number[] = []
    const verified = store.verify({ onProgress: ({ verified }) => seen.push(verified) })
    await worker.called('verify')
    for (const step of [1, 2, 3]) {
      await vi.advanceTimersByTimeAsync(900)
      await worker.page().progress(1, { verified: step, total: 3 })
    }
    finish()
    expect(await verified).toEqual(report)
    expect(seen).toEqual([1, 2, 3])
  })

  test('a machine that slept does not count as a worker without an answer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    let answer = () => {}
    const worker = fakeWorker({ rejections: () => new Promise(resolve => (answer = () => resolve(ok([])))) })
    const store = await open(worker, 1_000)
    const rejections = store.rejections()
    await worker.called('rejections')
    vi.setSystemTime(Date.now() + 3_600_000)
    await vi.advanceTimersByTimeAsync(1_000)
    answer()
    expect(await rejections).toEqual([])
  })

  test('an aborted verification ends at once and tells the worker', async () => {
    const worker = fakeWorker({ verify: () => never(), cancel: async () => ok(undefined) })
    const store = await open(worker)
    const abort = new AbortController()
    const verified = store.verify({ signal: abort.signal })
    abort.abort()
    await expect(verified).rejects.toMatchObject({ code: 'aborted' })
    await worker.called('cancel')
  })
})

describe('a worker that dies', () => {
  test('with 100 calls in flight and no other to be had: all settle with worker-died', async () => {
    const worker = fakeWorker({ write: () => never(), streamVersion: () => never() })
    const store = await open(worker)
    const calls = Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0 ? store.appendToStream(`s${i}`, [event(i)]) : store.streamExists(`s${i}`),
    )
    await worker.called('streamVersion', 50)
    await worker.called('write')
    worker.die()
    const settled = await Promise.allSettled(calls)
    expect(settled.every(one => one.status === 'rejected' && isStoreError(one.reason, 'worker-died'))).toBe(
      true,
    )
    expect(store.health().getSnapshot()).toMatchObject({ phase: 'lost', error: { code: 'worker-died' } })
    await expect(store.streamExists('a')).rejects.toMatchObject({ code: 'worker-died' })
  })

  test('with 100 calls in flight is replaced, and each call is asked once more', async () => {
    const first = fakeWorker({ write: () => never(), streamVersion: () => never() })
    const second = fakeWorker({ streamVersion: async () => ok(1) })
    const store = await open(inTurn(first, second))
    const calls = Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0 ? store.appendToStream(`s${i}`, [event(i)]) : store.streamExists(`s${i}`),
    )
    await first.called('streamVersion', 50)
    await first.called('write')
    first.die()
    const settled = await Promise.allSettled(calls)
    expect(settled.every(one => one.status === 'fulfilled')).toBe(true)
    expect(second.calls.filter(call => call === 'write')).toHaveLength(1)
    expect(store.health().getSnapshot()).toMatchObject({ phase: 'ready', restarts: 1 })
  })

  test('is replaced by one that has the newest token, set or renewed', async () => {
    const setToken = async () => ok(undefined)
    const [first, second, third] = [fakeWorker({ setToken }), fakeWorker(), fakeWorker()]
    const next = inTurn(first, second, third)
    const store = await openStore<App>(() => next().port, {
      storeId: 's',
      sync: { token: 'old', renewToken: () => 'renewed' },
    })
    opened.push(store)
    await store.sync.setToken('set')
    first.die()
    await second.called('connect')
    expect(second.values()).toEqual({ storeId: 's', token: 'set' })
    expect(await second.page().freshToken()).toBe('renewed')
    second.die()
    await third.called('connect')
    expect(third.values()).toEqual({ storeId: 's', token: 'renewed' })
  })

  test('a page that cannot renew a token has none', async () => {
    const worker = fakeWorker()
    await open(worker)
    expect(await worker.page().freshToken()).toBeNull()
  })

  test('gets the same event ids at the second asking', async () => {
    const ids: string[][] = []
    const remember = (message: WriteMessage) => ids.push([JSON.stringify(idsIn(message))])
    const first = fakeWorker({
      write: message => {
        remember(message)
        return never()
      },
    })
    const second = fakeWorker({
      write: async message => {
        remember(message)
        return answersTo(message)
      },
    })
    const store = await open(inTurn(first, second))
    const append = store.appendToStream('a', [event(1), event(2)])
    const execute = store.execute('cart' as never, '1', { type: 'Add', data: 1 } as never)
    await first.called('write')
    first.die()
    await Promise.all([append, execute])
    expect(ids).toHaveLength(2)
    expect(ids[1]).toEqual(ids[0])
  })

  test('a second time under the same call: the call ends with worker-died', async () => {
    const deadly = () => fakeWorker({ write: () => never() })
    const [first, second] = [deadly(), deadly()]
    const store = await open(inTurn(first, second, fakeWorker()))
    const append = store.appendToStream('a', [event()])
    await first.called('write')
    first.die()
    await second.called('write')
    second.die()
    await expect(append).rejects.toMatchObject({
      code: 'worker-died',
      facts: { eventIds: [expect.any(String)] },
    })
    expect(await store.appendToStream('a', [event()])).toMatchObject({ nextExpectedStreamVersion: 1 })
  })

  test('and cannot be replaced is given up after some tries, and the health says why', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const blocked = wireErrorOf(new StorageFailed('blocked', 'another tab holds the database'))
    const first = fakeWorker()
    let made = 0
    const store = await open(() =>
      made++ === 0 ? first : fakeWorker({ connect: async () => ({ ok: false, error: blocked }) }),
    )
    first.die()
    await changeOf(store.health())
    const refused = expect(store.streamExists('a')).rejects.toBeInstanceOf(StorageFailed)
    while (store.health().getSnapshot().phase === 'restarting') await passTime(5_000)
    await refused
    expect(store.health().getSnapshot()).toMatchObject({ phase: 'lost', error: { code: 'storage-failed' } })
    expect(made).toBe(6)
  })

  test('is not the same as one that threw something nobody caught', async () => {
    const worker = fakeWorker({ streamVersion: async () => ok(1) })
    const store = await open(worker)
    worker.port.dispatchEvent(new Event('error'))
    await worker.called('ping')
    expect(await store.streamExists('a')).toBe(true)
    expect(store.health().getSnapshot()).toMatchObject({ phase: 'ready', restarts: 0 })
  })

  test('tells its health to who listens', async () => {
    const first = fakeWorker()
    const store = await open(inTurn(first, fakeWorker()))
    const phases: string[] = []
    const ready = new Promise<void>(resolve => {
      store.health().subscribe(() => {
        phases.push(store.health().getSnapshot().phase)
        if (phases.length === 2) resolve()
      })
    })
    first.die()
    await ready
    expect(phases).toEqual(['restarting', 'ready'])
  })
})

describe('a storage that is lost', () => {
  test('shows in the health, and the worker is not replaced by one with another log', async () => {
    const worker = fakeWorker()
    const store = await open(inTurn(worker))
    await worker.page().storageLost(wireErrorOf(new StorageFailed('closed', 'site data was cleared')))
    expect(store.health().getSnapshot()).toMatchObject({ phase: 'lost', error: { code: 'storage-failed' } })
    worker.die()
    await vi.waitFor(() =>
      expect(store.streamExists('a')).rejects.toMatchObject({ code: expect.stringMatching(/worker-died/) }),
    )
    expect(store.health().getSnapshot().restarts).toBe(0)
  })
})

describe('closing', () => {
  test('answers what was asked before, and refuses what is asked after', async () => {
    const worker = fakeWorker()
    const store = await open(worker)
    const before = store.appendToStream('a', [event()])
    const closed = store.close()
    await expect(store.appendToStream('a', [event()])).rejects.toMatchObject({ code: 'store-closed' })
    expect(await before).toMatchObject({ nextExpectedStreamVersion: 1 })
    await closed
    expect(worker.calls).toEqual(['connect', 'write', 'close'])
    expect(store.health().getSnapshot().phase).toBe('closed')
  })

  test('settles what the worker never answers', async () => {
    const worker = fakeWorker({ rejections: () => never() })
    const store = await open(worker)
    const pending = store.rejections()
    await Promise.all([
      expect(pending).rejects.toMatchObject({ code: 'store-closed' }),
      store.close(),
      store.close(),
    ])
  })

  test('a worker that dies of it is closed', async () => {
    const worker = fakeWorker({ close: () => never(), rejections: () => never() })
    const store = await open(inTurn(worker))
    const pending = expect(store.rejections()).rejects.toMatchObject({ code: 'worker-died' })
    const closed = store.close()
    await worker.called('close')
    worker.die()
    await closed
    await pending
    expect(store.health().getSnapshot()).toMatchObject({ phase: 'closed', restarts: 0 })
  })

  test('passes on that the worker could not close, and is closed all the same', async () => {
    const failure = wireErrorOf(new StorageFailed('quota', 'full'))
    const store = await open(fakeWorker({ close: async () => ({ ok: false, error: failure }) }))
    await expect(store.close()).rejects.toBeInstanceOf(StorageFailed)
    expect(store.health().getSnapshot().phase).toBe('closed')
  })
})

test('the sync status of the worker is shown as it comes', async () => {
  const worker = fakeWorker()
  const store = await open(worker)
  const status = store.sync.status()
  expect(status.getSnapshot()).toEqual(RESTING)
  const told = vi.fn()
  status.subscribe(told)
  await worker.page().syncStatus({ ...RESTING, phase: 'idle' })
  await worker.page().syncStatus({ ...RESTING, phase: 'idle' })
  expect(told).toHaveBeenCalledTimes(1)
  expect(status.getSnapshot().phase).toBe('idle')
})

function relay(a: MessagePort, b: MessagePort): void {
  a.addEventListener('message', ({ data, ports }) => b.postMessage(data, [...ports]))
  b.addEventListener('message', ({ data, ports }) => a.postMessage(data, [...ports]))
  b.start()
}

function changeOf(value: Readable<unknown>): Promise<void> {
  return new Promise(resolve => {
    const unsubscribe = value.subscribe(() => {
      unsubscribe()
      resolve()
    })
  })
}

/** Fake time, and a real turn in which messages arrive. */
async function passTime(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  await new Promise(resolve => setImmediate(resolve))
}

function idsIn({ calls, batch }: WriteMessage): unknown {
  return [calls.map(call => call.type === 'execute' && call.commandId), [...batch.ids]]
}
