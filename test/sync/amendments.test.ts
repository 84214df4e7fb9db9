// What one device amends counts on all of them. Where others were first, it is amended behind them or rejected, and
// nothing that was recorded changes.

import { describe, expect, test, vi } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { utf8 } from '../../src/log/bytes.ts'
import { newEventId } from '../../src/log/event-id.ts'
import type { Amendment } from '../../src/model/amendment.ts'
import { encodePullResponse } from '../../src/protocol/sync-messages.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import {
  amend,
  createWorld,
  read,
  recordedHashes,
  say,
  saying,
  serverLog,
  start,
  stateHashes,
  textsOf,
} from './amended-devices.ts'
import { type Device, FAULTS, nextTurn, STORE, tankApp } from './sync-world.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

/** Two devices, both offline, that have the stream A B C D; and its ids. */
async function apart() {
  const world = createWorld()
  const [one, two] = [await start(world), await start(world)]
  const ids = await say(one, 'a', 'A', 'B', 'C', 'D')
  await world.converge()
  for (const { loop } of world.devices) loop.setOnline(false)
  /** The first device is the first at the server. */
  const meet = async () => {
    one.loop.setOnline(true)
    await world.run(() => one.loop.status().phase === 'idle' && one.loop.status().pending === 0)
    two.loop.setOnline(true)
    await world.settle()
  }
  return { world, one, two, ids: ids as [string, string, string, string], meet }
}

describe('an amendment', () => {
  test('counts on every device and on the server, for reads and folds, and what was recorded stays', async () => {
    const world = createWorld()
    const [one, two] = [await start(world), await start(world)]
    const [a, b, c, d] = await say(one, 'a', 'A', 'B', 'C', 'D')
    await world.converge()
    const documents = [
      ['words', 'a'],
      ['all', 'all'],
    ] as const
    const before = await stateHashes(two.log, documents)
    const recorded = await recordedHashes(two.log)
    const result = await amend(one, [
      { kind: 'insert', after: a!, event: saying('X') },
      { kind: 'replace', eventId: b!, event: saying('Y') },
      { kind: 'remove', eventId: c! },
      { kind: 'move', eventId: d!, after: null },
    ])
    expect(result).toMatchObject({ nextExpectedStreamVersion: 7, createdNewStream: false, idempotent: false })
    await world.converge()
    const server = await serverLog(world)
    for (const log of [one.log, two.log, server]) {
      expect(await textsOf(log)).toBe('D A X Y')
      expect((await recordedHashes(log)).slice(0, 4)).toEqual(recorded)
      expect(await log.verify()).toMatchObject({ ok: true, events: 7 })
    }
    const hashes = await stateHashes(two.log, documents)
    expect(hashes).toEqual(await stateHashes(one.log, documents))
    expect(hashes).toEqual(await stateHashes(server, documents))
    expect(hashes).not.toEqual(before)
    const [mine] = await createEventStore(one.log).amendments('a')
    expect(mine).toMatchObject({ reason: 'a mistake', status: 'confirmed', streamVersion: 7 })
    const [theirs] = await createEventStore(two.log).amendments('a')
    expect({ ...theirs, globalPosition: 0 }).toEqual({ ...mine, globalPosition: 0 })
    await server.close()
  })

  test('is taken up again to the byte where nobody else wrote to its stream', async () => {
    const { one, two, ids, meet } = await apart()
    await amend(two, [{ kind: 'insert', after: ids[0], event: saying('X') }])
    const before = await two.log.streamHead('a')
    await say(one, 'b', 'elsewhere')
    await meet()
    for (const { log } of [one, two]) {
      expect(await log.streamHead('a')).toMatchObject({ version: before.version, hash: before.hash })
      expect(await textsOf(log)).toBe('A X B C D')
    }
  })

  test('comes behind what others appended, with other versions, and says the same', async () => {
    const { one, two, ids, meet } = await apart()
    const [x, y] = [saying('X'), saying('Y')]
    await amend(two, [
      { kind: 'insert', after: ids[0], event: x },
      { kind: 'insert', after: x.id, event: y },
    ])
    await amend(two, [{ kind: 'move', eventId: x.id, after: y.id }], { reason: 'the other way round' })
    const before = await createEventStore(two.log).amendments('a')
    expect(before.map(({ streamVersion }) => streamVersion)).toEqual([7, 8])
    await say(one, 'a', 'E', 'F', 'G')
    await meet()
    for (const { log } of [one, two]) {
      expect(await textsOf(log)).toBe('A Y X B C D E F G')
      const after = await createEventStore(log).amendments('a')
      expect(after.map(({ streamVersion }) => streamVersion)).toEqual([10, 11])
      const named = ({ amendmentId, changes, reason, recordedAt }: (typeof after)[number]) => ({
        amendmentId,
        changes,
        reason,
        recordedAt,
      })
      expect(after.map(named)).toEqual(before.map(named))
      expect(await log.verify()).toMatchObject({ ok: true })
    }
    expect(two.rejected).toEqual([])
  })

  test('counts for pending events that come behind it on another device', async () => {
    const { one, two, ids, meet } = await apart()
    await amend(one, [{ kind: 'move', eventId: ids[3], after: null }])
    await say(two, 'a', 'E')
    expect(await textsOf(two.log)).toBe('A B C D E')
    await meet()
    for (const { log } of [one, two]) expect(await textsOf(log)).toBe('D A B C E')
    expect(await stateHashes(one.log, [['words', 'a']])).toEqual(await stateHashes(two.log, [['words', 'a']]))
  })

  test('is one, however often it is tried: pending, taken up again and confirmed', async () => {
    const { world, one, two, ids, meet } = await apart()
    const options = { amendmentId: newEventId() }
    const again = () => amend(two, [{ kind: 'insert', after: ids[0], event: saying('X') }], options)
    expect(await again()).toMatchObject({ nextExpectedStreamVersion: 6, idempotent: false })
    expect(await again()).toMatchObject({ nextExpectedStreamVersion: 6, idempotent: true })
    await say(one, 'a', 'E')
    two.faults.push(FAULTS.lostAnswer, FAULTS.lostAnswer, FAULTS.lostAnswer)
    await meet()
    expect(await again()).toMatchObject({ nextExpectedStreamVersion: 7, idempotent: true })
    await world.settle()
    for (const { log } of [one, two]) {
      expect(await textsOf(log)).toBe('A X B C D E')
      expect(await createEventStore(log).amendments('a')).toHaveLength(1)
    }
  })
})

describe('two devices that amend one stream apart', () => {
  type Ids = Readonly<Record<'a' | 'b' | 'c' | 'd', string>>
  const remove = (eventId: string): Amendment => ({ kind: 'remove', eventId })
  const move = (eventId: string, after: string | null): Amendment => ({ kind: 'move', eventId, after })
  const insert = (after: string | null, text: string): Amendment => ({
    kind: 'insert',
    after,
    event: saying(text),
  })
  const replace = (eventId: string, text: string): Amendment => ({
    kind: 'replace',
    eventId,
    event: saying(text),
  })

  test.each<readonly [string, (ids: Ids) => Amendment, (ids: Ids) => Amendment, string]>([
    ['insert behind the same event', ({ a }) => insert(a, 'X'), ({ a }) => insert(a, 'Y'), 'A Y X B C D'],
    ['insert at the beginning', () => insert(null, 'X'), () => insert(null, 'Y'), 'Y X A B C D'],
    ['move the same event', ({ b }) => move(b, null), ({ b, d }) => move(b, d), 'A C D B'],
    ['move one and remove it', ({ b }) => move(b, null), ({ b }) => remove(b), 'A C D'],
    ['move one and replace it', ({ b }) => move(b, null), ({ b }) => replace(b, 'X'), 'X A C D'],
    ['insert behind one and remove that', ({ b }) => insert(b, 'X'), ({ b }) => remove(b), 'A X C D'],
    ['insert behind one and move that', ({ b }) => insert(b, 'X'), ({ b }) => move(b, null), 'B A X C D'],
  ])('%s: both count', async (_name, first, second, expected) => {
    const { one, two, ids, meet } = await apart()
    const [a, b, c, d] = ids
    const named = { a, b, c, d }
    await amend(one, [first(named)])
    await amend(two, [second(named)])
    await meet()
    for (const { log } of [one, two]) {
      expect(await textsOf(log)).toBe(expected)
      expect(await createEventStore(log).amendments('a')).toHaveLength(2)
    }
    expect(two.rejected).toEqual([])
    expect(await stateHashes(one.log, [['words', 'a']])).toEqual(await stateHashes(two.log, [['words', 'a']]))
  })

  test.each<readonly [string, (ids: Ids) => Amendment, (ids: Ids) => Amendment, string]>([
    ['remove the same event', ({ b }) => remove(b), ({ b }) => remove(b), 'A C D'],
    ['replace the same event', ({ b }) => replace(b, 'X'), ({ b }) => replace(b, 'Y'), 'A X C D'],
    ['remove one and move it', ({ b }) => remove(b), ({ b }) => move(b, null), 'A C D'],
    ['remove one and insert behind it', ({ b }) => remove(b), ({ b }) => insert(b, 'X'), 'A C D'],
    [
      'replace one and move another behind it',
      ({ b }) => replace(b, 'X'),
      ({ a, b }) => move(a, b),
      'A X C D',
    ],
  ])('%s: whoever comes second is told', async (_name, first, second, expected) => {
    const { one, two, ids, meet } = await apart()
    const [a, b, c, d] = ids
    const named = { a, b, c, d }
    await amend(one, [first(named)])
    const change = second(named)
    await amend(two, [change], { reason: 'second' })
    await say(two, 'a', 'E')
    await meet()
    for (const { log } of [one, two]) {
      expect(await textsOf(log)).toBe(`${expected} E`)
      expect(await createEventStore(log).amendments('a')).toHaveLength(1)
    }
    expect(one.rejected).toEqual([])
    expect(two.rejected).toMatchObject([
      {
        command: null,
        amendment: { streamName: 'a', reason: 'second', changes: [{ kind: change.kind }] },
        events: 'event' in change ? [{ streamName: 'a', type: 'Said', data: change.event.data }] : [],
        reason: { code: 'unknown-event' },
      },
    ])
  })
})

describe('an amendment that is rejected', () => {
  test('says what it was to change and why not, until that is acknowledged, and may be tried again', async () => {
    const { world, one, two, ids, meet } = await apart()
    await amend(one, [{ kind: 'remove', eventId: ids[1] }])
    const [amendmentId, x] = [newEventId(), saying('X')]
    const replacing: Amendment[] = [
      { kind: 'replace', eventId: ids[1], event: x },
      { kind: 'move', eventId: ids[0], after: x.id },
    ]
    await amend(two, replacing, { amendmentId, reason: 'it was X' })
    await meet()
    const rejection = {
      id: x.id,
      command: null,
      amendment: {
        amendmentId,
        streamName: 'a',
        reason: 'it was X',
        changes: [
          { kind: 'replace', eventId: ids[1], by: x.id },
          { kind: 'move', eventId: ids[0], after: x.id },
        ],
      },
      events: [{ eventId: x.id, streamName: 'a', type: 'Said', data: 'X' }],
      reason: {
        code: 'unknown-event',
        message: 'An event of this change does not count in stream "a"',
      },
    }
    expect(await two.log.rejections()).toMatchObject([rejection])
    await expect(amend(two, replacing, { amendmentId })).rejects.toMatchObject({ code: 'unknown-event' })
    expect(await two.log.rejections()).toHaveLength(1)
    await two.log.acknowledgeRejection(x.id)
    expect(await two.log.rejections()).toEqual([])
    const result = await amend(two, [{ kind: 'insert', after: ids[0], event: x }], { amendmentId })
    expect(result).toMatchObject({ idempotent: false })
    await world.settle()
    for (const { log } of [one, two]) expect(await textsOf(log)).toBe('A X C D')
  })

  test('takes with it only those that were made of what it put in', async () => {
    const { one, two, ids, meet } = await apart()
    await amend(one, [{ kind: 'remove', eventId: ids[1] }])
    const x = saying('X')
    await amend(two, [{ kind: 'insert', after: ids[1], event: x }], { reason: 'first' })
    await amend(two, [{ kind: 'move', eventId: x.id, after: ids[2] }], { reason: 'second' })
    await amend(two, [{ kind: 'move', eventId: ids[3], after: null }], { reason: 'third' })
    await meet()
    for (const { log } of [one, two]) expect(await textsOf(log)).toBe('D A C')
    expect(two.rejected.map(({ amendment }) => amendment?.reason)).toEqual(['first', 'second'])
  })

  test.each([
    ['for one that says so', { onConflict: 'reject' }],
    ['for one that was meant for one version', { expectedStreamVersion: 4 }],
  ] as const)('is so for any event of others, %s', async (_name, options) => {
    const { one, two, ids, meet } = await apart()
    await amend(two, [{ kind: 'insert', after: ids[0], event: saying('X') }], options)
    await say(one, 'a', 'E')
    await meet()
    for (const { log } of [one, two]) expect(await textsOf(log)).toBe('A B C D E')
    expect(two.rejected).toMatchObject([
      { amendment: { reason: 'a mistake' }, reason: { code: 'version-conflict' } },
    ])
  })

  test('is not so where the other events are of another stream', async () => {
    const { one, two, ids, meet } = await apart()
    await amend(two, [{ kind: 'remove', eventId: ids[0] }], { onConflict: 'reject' })
    await say(one, 'b', 'elsewhere')
    await meet()
    for (const { log } of [one, two]) expect(await textsOf(log)).toBe('B C D')
    expect(two.rejected).toEqual([])
  })
})

describe('commands', () => {
  const filled = (by: number) => ({ type: 'Filled', data: { by } })
  const tank = (device: Device, amendments: readonly Amendment[]) =>
    createEventStore(device.log).amendStream('tank-1', amendments, { reason: 'misread' })
  const fillsOf = async ({ log }: Device) =>
    (await read(log, 'tank-1')).map(({ data }) => (data as { by: number }).by)

  /** Two devices that have a tank with four and four in it, apart. */
  async function tanks() {
    const { world, one, two, meet } = await apart()
    for (const { loop } of world.devices) loop.setOnline(true)
    await one.fill(4)
    await one.fill(4)
    await world.converge()
    for (const { loop } of world.devices) loop.setOnline(false)
    const ids = (await read(one.log, 'tank-1')).map(({ metadata }) => metadata.eventId)
    return { one, two, meet, ids: ids as [string, string] }
  }

  test('are decided again upon what the server’s amendments make of their stream', async () => {
    const { one, two, meet, ids } = await tanks()
    await two.fill(1)
    await two.fill(1)
    await tank(one, [{ kind: 'replace', eventId: ids[0], event: filled(5) }])
    await meet()
    expect(two.rejected).toMatchObject([
      { amendment: null, command: { decider: 'tank' }, reason: { message: 'only 0 left' } },
    ])
    for (const device of [one, two]) expect(await fillsOf(device)).toEqual([5, 4, 1])
  })

  test('are decided again upon pending amendments, which stay before them', async () => {
    const { one, two, meet, ids } = await tanks()
    await tank(two, [{ kind: 'remove', eventId: ids[0] }])
    await two.fill(5)
    await two.fill(1)
    await one.fill(1)
    await meet()
    expect(two.rejected).toMatchObject([{ command: { decider: 'tank' }, reason: { message: 'only 0 left' } }])
    for (const device of [one, two]) expect(await fillsOf(device)).toEqual([4, 1, 5])
  })

  test('are decided upon what is left where an amendment before them is rejected', async () => {
    const { one, two, meet, ids } = await tanks()
    await tank(two, [{ kind: 'replace', eventId: ids[0], event: filled(1) }])
    await two.fill(5)
    await tank(one, [{ kind: 'replace', eventId: ids[0], event: filled(2) }])
    await meet()
    expect(two.rejected).toMatchObject([
      { amendment: { reason: 'misread' }, reason: { code: 'unknown-event' } },
      { command: { decider: 'tank' }, reason: { message: 'only 4 left' } },
    ])
    for (const device of [one, two]) expect(await fillsOf(device)).toEqual([2, 4])
  })

  test('that come right behind an amendment are decided upon it, also if it is written meanwhile', async () => {
    const database = createMemoryDatabase()
    const before = await openLog({ storage: memoryStorage({ database }), storeId: STORE })
    for (const by of [4, 4]) await createEventStore(before).appendToStream('tank-1', [filled(by)])
    const [, last] = await read(before, 'tank-1')
    await before.close()
    const memory = memoryStorage({ database })
    let isAmending = false
    let written = () => {}
    const isWritten = new Promise<void>(resolve => {
      written = resolve
    })
    let readFirst = () => {}
    const isRead = new Promise<void>(resolve => {
      readFirst = resolve
    })
    const storage = wrapStorage(memory, {
      append: async (...args) => {
        if (isAmending) await isRead
        const outcome = await memory.append(...args)
        written()
        return outcome
      },
      read: async range => {
        // The decider's fold asks for the first event, which no amendment named.
        if (isAmending && range.from === 1) {
          readFirst()
          await isWritten
          await nextTurn()
        }
        return memory.read(range)
      },
    })
    const log = await openLog({ storage, storeId: STORE, app: tankApp })
    isAmending = true
    const replacing = [{ kind: 'replace', eventId: last!.metadata.eventId, event: filled(6) }] as const
    const command = { type: 'Fill', data: { by: 1 } }
    const [, refused] = await Promise.allSettled([
      createEventStore(log).amendStream('tank-1', replacing, { reason: 'misread' }),
      log.execute({ decider: 'tank', id: '1', command, commandId: newEventId() }),
    ])
    expect(refused).toMatchObject({ status: 'rejected', reason: { message: 'only 0 left' } })
    await log.close()
  })
})

test('what a newer release wrote stops sync with the way out, and nothing of it is taken in', async () => {
  const { one, two } = await apart()
  await say(two, 'b', 'pending')
  const { serverPosition, epoch } = { ...one.log.cursor() }
  const [commit] = (await two.log.pendingCommits(Infinity)).map(({ entries }) => entries)
  const newer = { ...commit![0]!, kind: 7, payload: utf8('{}') }
  const page = {
    epoch,
    after: serverPosition,
    next: serverPosition + 1,
    head: serverPosition + 1,
    checkpoint: null,
    verifierKey: null,
    root: null,
    erasures: 0,
    maxPushBytes: null,
    features: [],
    commits: [[newer]],
  }
  const body = await encodePullResponse(page, one.log.hash)
  const pulled = () => new Response(body, { headers: { 'content-type': 'application/octet-stream' } })
  const head = one.log.head()
  one.faults.push(pulled)
  one.loop.setOnline(true)
  expect(await one.until(({ error }) => error !== null)).toMatchObject({
    phase: 'stopped',
    error: { code: 'unsupported-format', recovery: expect.stringContaining('Update the app') },
  })
  expect(one.log.head()).toBe(head)
})
