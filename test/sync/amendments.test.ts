// What one device amends counts on all of them. Where others were first, it is amended behind them or rejected, and
// nothing that was recorded changes.

import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { createProjector, type Projector } from '../../src/engine/replay/projector.ts'
import { utf8 } from '../../src/log/bytes.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import { newEventId } from '../../src/log/event-id.ts'
import type { Amendment, AmendOptions } from '../../src/model/amendment.ts'
import type { ReadOrder } from '../../src/model/event-store.ts'
import { encodePullResponse } from '../../src/protocol/sync-messages.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { type Device, FAULTS, nextTurn, STORE, SyncWorld, tankApp } from './sync-world.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

type Said = RecordedEvent & { data: string }

/** A document a stream, and one of all. */
const projections = {
  words: {
    canHandle: ['Said'],
    initialState: (): string[] => [],
    evolve: { Said: (words: string[], event: Said) => [...words, event.data] },
    snapshot: { every: 3 },
  },
  all: {
    canHandle: ['Said'],
    initialState: (): string[] => [],
    getDocumentId: () => 'all',
    evolve: { Said: (words: string[], event: Said) => [...words, event.data] },
    snapshot: { every: 3 },
  },
}

function createWorld(): SyncWorld {
  const world = new SyncWorld()
  onTestFinished(() => world.close())
  return world
}

async function start(world: SyncWorld, database = createMemoryDatabase()): Promise<Device> {
  const device = await world.openDevice(database)
  device.loop.start()
  return device
}

/** The server's log, as another server on its database sees it. */
const serverLog = ({ database }: SyncWorld): Promise<EventLog> =>
  openLog({ storage: memoryStorage({ database }), storeId: STORE, isAuthority: true })

/** Appends events with these texts; returns their ids. */
async function say({ log }: Device, streamName: string, ...texts: string[]): Promise<string[]> {
  const events = texts.map(data => ({ type: 'Said', id: newEventId(), data }))
  await createEventStore(log).appendToStream(streamName, events)
  return events.map(({ id }) => id)
}

const saying = (data: string) => ({ type: 'Said', id: newEventId(), data })

function amend({ log }: Device, amendments: readonly Amendment[], options: Partial<AmendOptions> = {}) {
  return createEventStore(log).amendStream('a', amendments, { reason: 'a mistake', ...options })
}

async function read(log: EventLog, streamName = 'a', order: ReadOrder = 'effective') {
  const { events } = await createEventStore(log).readStream(streamName, { order })
  return events
}

const textsOf = async (log: EventLog, streamName = 'a') =>
  (await read(log, streamName)).map(({ data }) => data).join(' ')

const recordedHashes = async (log: EventLog) =>
  (await read(log, 'a', 'recorded')).map(({ metadata }) => metadata.hash)

type Documents = readonly (readonly [projection: string, id: string])[]

const projectorOn = (log: EventLog): Projector => createProjector({ log, app: { projections } })

async function hashesBy(projector: Projector, documents: Documents) {
  const hashes: (string | undefined)[] = []
  for (const [projection, id] of documents) {
    hashes.push((await projector.snapshot(projection, id))?.stateHash)
  }
  return hashes
}

/** Folded anew, from what snapshots there are. */
async function stateHashes(log: EventLog, documents: Documents) {
  const projector = projectorOn(log)
  const hashes = await hashesBy(projector, documents)
  await projector.close()
  return hashes
}

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
        message: 'An event of this change does not count in stream "a" any more',
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
    erasures: 0,
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

const STREAMS = ['a', 'b'] as const
const DOCUMENTS: Documents = [
  ['words', 'a'],
  ['words', 'b'],
  ['all', 'all'],
]

/** What counts, with its place among the events of its stream and of all; the same for all replicas that have the same. */
async function everythingIn(log: EventLog): Promise<string[]> {
  const lines: string[] = []
  for await (const { data, metadata } of createEventStore(log).readAll()) {
    lines.push(`${metadata.streamName}@${metadata.streamVersion} ${data} ${metadata.hash}`)
  }
  for (const streamName of STREAMS) {
    lines.push(`${streamName}: ${await textsOf(log, streamName)}`)
    for (const { amendmentId, streamVersion, changes } of await createEventStore(log).amendments(streamName))
      lines.push(`${amendmentId} @${streamVersion} ${JSON.stringify(changes)}`)
  }
  return lines
}

type Change = Readonly<{ kind: Amendment['kind']; at: number; after: number }>

/** Amendments of what counts on a device now; null where nothing does. */
async function changesOf(
  { log }: Device,
  streamName: string,
  changes: readonly Change[],
): Promise<Amendment[] | null> {
  const ids = (await read(log, streamName)).map(({ metadata }) => metadata.eventId)
  const amendments: Amendment[] = []
  for (const { kind, at, after } of changes) {
    const eventId = ids[at % Math.max(1, ids.length)]
    const behind = after % (ids.length + 1) === 0 ? null : ids[(after % (ids.length + 1)) - 1]!
    if (eventId === undefined) continue
    if (kind === 'insert') amendments.push({ kind, after: behind, event: saying(`n${after}`) })
    else if (kind === 'replace') amendments.push({ kind, eventId, event: saying(`r${at}`) })
    else if (kind === 'remove') amendments.push({ kind, eventId })
    else if (behind !== eventId) amendments.push({ kind, eventId, after: behind })
    // What is gone cannot be named again.
    if (kind === 'replace' || kind === 'remove') ids.splice(ids.indexOf(eventId), 1)
  }
  return amendments.length === 0 ? null : amendments
}

test('in any order of appends, amendments, erasures, faults and devices, all come to the same', async () => {
  const change = fc.record({
    kind: fc.constantFrom('insert', 'replace', 'remove', 'move'),
    at: fc.nat(20),
    after: fc.nat(20),
  })
  const step = fc.record({
    kind: fc.constantFrom(
      'append',
      'append',
      'amend',
      'amend',
      'erase',
      'offline',
      'online',
      'fault',
      'wait',
    ),
    device: fc.nat(2),
    pick: fc.nat(50),
    changes: fc.array(change, { minLength: 1, maxLength: 3 }),
    onConflict: fc.constantFrom('reappend', 'reappend', 'reject'),
    fault: fc.constantFrom(FAULTS.lostRequest, FAULTS.lostAnswer, FAULTS.failing, FAULTS.portal),
  })
  const seen = { amended: 0, rejected: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async steps => {
      const world = new SyncWorld()
      try {
        const databases = Array.from({ length: 3 }, () => createMemoryDatabase())
        const devices = [] as Device[]
        for (const database of databases) devices.push(await start(world, database))
        // They live through all of it, and have folded what is taken back later.
        const projectors = devices.map(({ log }) => projectorOn(log))
        const made: string[] = []
        for (const streamName of STREAMS) await say(devices[0]!, streamName, 'A', 'B', 'C', 'D')
        await world.converge()
        for (const [n, { kind, device: i, pick, changes, onConflict, fault }] of steps.entries()) {
          const device = devices[i]!
          const streamName = STREAMS[pick % STREAMS.length]!
          if (kind === 'append') await say(device, streamName, `t${n}`, `u${n}`)
          if (kind === 'amend') {
            const amendments = await changesOf(device, streamName, changes)
            if (!amendments) continue
            const amendmentId = newEventId()
            // A page of the server may have come between.
            const amended = await createEventStore(device.log)
              .amendStream(streamName, amendments, { reason: `step ${n}`, amendmentId, onConflict })
              .catch(error => error)
            if (amended instanceof Error) expect(amended).toMatchObject({ code: 'unknown-event' })
            else made.push(amendmentId)
          }
          if (kind === 'erase') {
            const events = await read(device.log, streamName)
            const id = events[pick % Math.max(1, events.length)]?.metadata.eventId
            if (id) await device.log.erasures.erase([id])
          }
          if (kind === 'offline' || kind === 'online') device.loop.setOnline(kind === 'online')
          if (kind === 'fault') device.faults.push(fault)
          if (kind === 'wait') {
            for (let turn = 0; turn < pick; turn++) await nextTurn()
            world.clock.advance(pick * 100)
            await hashesBy(projectors[i]!, DOCUMENTS)
          }
        }
        for (const device of devices) {
          device.faults.length = 0
          device.loop.setOnline(true)
          device.loop.poke()
        }
        await world.settle()
        const server = await serverLog(world)
        const [first, ...others] = await Promise.all(devices.map(({ log }) => everythingIn(log)))
        for (const other of [...others, await everythingIn(server)]) expect(other).toEqual(first)
        const hashes = await stateHashes(server, DOCUMENTS)
        for (const projector of projectors) {
          expect(await hashesBy(projector, DOCUMENTS)).toEqual(hashes)
          await projector.close()
        }
        for (const { log } of [...devices, { log: server }]) {
          expect(await stateHashes(log, DOCUMENTS)).toEqual(hashes)
          expect(await log.verify()).toMatchObject({ ok: true })
        }
        await server.close()
        const counting = (
          await Promise.all(STREAMS.map(name => createEventStore(devices[0]!.log).amendments(name)))
        ).flat()
        const rejected = devices.flatMap(device => device.rejected.map(({ amendment }) => amendment!))
        const settled = [...counting, ...rejected].map(({ amendmentId }) => amendmentId)
        expect(settled.toSorted()).toEqual(made.toSorted())
        for (const database of databases) {
          const again = await openLog({ storage: memoryStorage({ database }), storeId: STORE })
          expect(await everythingIn(again)).toEqual(first)
          await again.close()
        }
        seen.amended += counting.length
        seen.rejected += rejected.length
      } finally {
        await world.close()
      }
    }),
    { numRuns: 40 },
  )
  // Most of the histories are of what they are about.
  expect(seen.amended).toBeGreaterThan(40)
  expect(seen.rejected).toBeGreaterThan(10)
})
