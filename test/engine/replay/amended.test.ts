// Folds of amended history: where they begin, where they end, and what they come to.

import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { openLog } from '../../../src/engine/open-log.ts'
import type { FoldLog } from '../../../src/engine/replay/fold.ts'
import { createProjector } from '../../../src/engine/replay/projector.ts'
import { countTypes } from '../../../src/engine/replay/type-counts.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { Amendment, AmendOptions } from '../../../src/model/amendment.ts'
import type { App } from '../../../src/model/app.ts'
import type { Moment } from '../../../src/model/moment.ts'
import type { ReplayReport } from '../../../src/model/replay-report.ts'
import { createMemoryDatabase, memoryStorage } from '../../../src/storage/memory/index.ts'
import { placesOf } from '../../support/stored-text.ts'
import { idsIn } from './histories.ts'
import {
  append,
  count,
  foldLogOf,
  interruptOnce,
  openDevice,
  openServer,
  pull,
  push,
  sync,
} from './replicas.ts'

const words = {
  canHandle: ['Said', 'Forgot'],
  initialState: () => [],
  evolve: {
    Said: (state: readonly unknown[], { data }: RecordedEvent) => [...state, data],
    Forgot: () => [],
  },
  snapshot: { every: 5, keep: { latest: 100 } },
}
const app = {
  projections: { words, board: { ...words, getDocumentId: () => 'a' } },
} as unknown as App

/** Of one stream each, and over all. */
const BOTH = ['words', 'board'] as const
type Projection = (typeof BOTH)[number]

/** Folds with nothing in memory; what is in the way of it is told. */
async function foldOf(log: EventLog, projection: Projection, options: object = {}) {
  const reports: ReplayReport[] = []
  const projector = createProjector({
    log,
    app,
    audit: false,
    onReplayed: one => reports.push(one),
    ...options,
  })
  const document = await projector.latest(projection, 'a')
  const explanation = await projector.explain(projection, 'a')
  await projector.close()
  return { state: document?.state as unknown[], document, report: reports[0]!, explanation }
}

/** Appends `Said` with the numbers from..to, five at a time, each time folded by both. */
async function countAndFold(log: EventLog, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n += 5) {
    await count(log, 'a', n, Math.min(n + 4, to))
    for (const projection of BOTH) await foldOf(log, projection)
  }
}

const numbersFrom = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

const amend = (log: EventLog, amendments: readonly Amendment[], options: Partial<AmendOptions> = {}) =>
  createEventStore(log).amendStream('a', amendments, { reason: 'for a test', ...options })

const said = (data: unknown) => ({ type: 'Said', data })

describe.each(BOTH)('the fold of %s', projection => {
  test('begins behind the snapshot before the first place that was touched', async () => {
    const log = await openDevice()
    await countAndFold(log, 1, 40)
    const ids = await idsIn(log, 'a')
    await amend(log, [
      { kind: 'move', eventId: ids[29]!, after: ids[12]! },
      { kind: 'remove', eventId: ids[35]! },
    ])
    const explained = await foldOf(log, projection, { onReplayed: undefined })
    const { state, report } = await foldOf(log, projection)
    expect(state).toEqual([
      ...numbersFrom(1, 13),
      30,
      ...numbersFrom(14, 29),
      ...numbersFrom(31, 35),
      ...numbersFrom(37, 40),
    ])
    expect(explained.state).toEqual(state)
    // The first of the two folded it, the second one had its snapshot.
    expect(report).toMatchObject({ reason: 'tail', replayed: 0 })
  })

  test('tells that history was amended, from where it began, and what it read', async () => {
    const log = await openDevice()
    await countAndFold(log, 1, 40)
    const ids = await idsIn(log, 'a')
    await amend(log, [{ kind: 'remove', eventId: ids[12]! }])
    const { report } = await foldOf(log, projection)
    expect(report).toMatchObject({
      reason: 'history-amended',
      from: 10,
      replayed: 29,
      converged: false,
      changedTypes: [],
    })
  })

  test('ends where the state is what it was, and the snapshots behind are right again', async () => {
    const log = await openDevice()
    await countAndFold(log, 1, 20)
    await append(log, 'a', { type: 'Forgot', data: 0 })
    await countAndFold(log, 22, 61)
    const ids = await idsIn(log, 'a')
    await amend(log, [{ kind: 'replace', eventId: ids[6]!, event: said(-7) }])
    const { state, report } = await foldOf(log, projection)
    expect(state).toEqual(numbersFrom(22, 61))
    expect(report).toMatchObject({ reason: 'history-amended', from: 5, converged: true })
    expect(report.stoppedAt).toBeGreaterThan(20)
    expect(report.replayed).toBeLessThan(30)
    const again = await foldOf(log, projection)
    expect(again.state).toEqual(state)
    expect(again.report).toMatchObject({ reason: 'tail', replayed: 0 })
    // Behind the end, snapshots go on to be made and used.
    await countAndFold(log, 62, 71)
    expect((await foldOf(log, projection)).report).toMatchObject({ reason: 'tail', replayed: 0 })
  })

  test('does not end while a place that was touched lies ahead', async () => {
    const log = await openDevice()
    await countAndFold(log, 1, 20)
    await append(log, 'a', { type: 'Forgot', data: 0 })
    await countAndFold(log, 22, 61)
    const ids = await idsIn(log, 'a')
    await amend(log, [
      { kind: 'remove', eventId: ids[6]! },
      { kind: 'remove', eventId: ids[58]! },
    ])
    const { state, report } = await foldOf(log, projection)
    expect(state).toEqual([...numbersFrom(22, 58), 60, 61])
    // What lies between is right again, and is not what the fold is of.
    expect(report.reason).toBe('history-amended')
    expect((await foldOf(log, projection)).state).toEqual(state)
  })

  test('begins at once with a snapshot of before an amendment that touches nothing in it', async () => {
    const log = await openDevice()
    await countAndFold(log, 1, 20)
    await count(log, 'a', 21, 22)
    const ids = await idsIn(log, 'a')
    await amend(log, [{ kind: 'move', eventId: ids[20]!, after: ids[21]! }])
    const { state, report } = await foldOf(log, projection)
    expect(state).toEqual([...numbersFrom(1, 20), 22, 21])
    expect(report).toMatchObject({ reason: 'tail', from: 20, replayed: 2 })
  })

  test('can be explained before it is done', async () => {
    const log = await openDevice()
    await countAndFold(log, 1, 20)
    await append(log, 'a', { type: 'Forgot', data: 0 })
    await countAndFold(log, 22, 61)
    const ids = await idsIn(log, 'a')
    await amend(log, [{ kind: 'replace', eventId: ids[6]!, event: said(-7) }])
    const projector = createProjector({ log, app, audit: false })
    const explained = await projector.explain(projection, 'a')
    await projector.close()
    expect(explained).toMatchObject({ reason: 'history-amended', from: 5, changedTypes: [] })
    expect(explained.text).toContain(
      'behind the snapshot at 5. History in newer snapshots was amended. It ends early at',
    )
    const { report } = await foldOf(log, projection)
    expect(explained.mayStopAt).toContain(report.stoppedAt)
  })

  test('that is in memory is amended, too, and who watches it is told', async () => {
    const log = await openDevice()
    await count(log, 'a', 1, 12)
    const projector = createProjector({ log, app, audit: false })
    const { signal } = new AbortController()
    await projector.latest(projection, 'a')
    const told = new Promise<void>(resolve => projector.watch(projection, 'a', resolve, signal))
    const ids = await idsIn(log, 'a')
    await amend(log, [{ kind: 'insert', after: ids[3]!, event: said('new') }])
    await told
    const document = await projector.latest(projection, 'a')
    expect(document!.state).toEqual([1, 2, 3, 4, 'new', ...numbersFrom(5, 12)])
    await count(log, 'a', 13, 13)
    expect((await projector.latest(projection, 'a'))!.state).toEqual([
      1,
      2,
      3,
      4,
      'new',
      ...numbersFrom(5, 13),
    ])
    await projector.close()
  })

  test('takes a snapshot of a later order, as another tab made it, only with what that tab had read', async () => {
    const database = createMemoryDatabase()
    const [log, other] = [await openDevice(database), await openDevice(database)]
    await countAndFold(log, 1, 10)
    await other.catchUp()
    const ids = await idsIn(log, 'a')
    await amend(log, [{ kind: 'remove', eventId: ids[1]! }])
    await foldOf(log, projection)
    const { state } = await foldOf(other, projection)
    const read: unknown[] = []
    for await (const events of other.readStream('a')) read.push(...events.map(({ data }) => data))
    expect(state).toEqual(read)
    await other.catchUp()
    expect((await foldOf(other, projection)).state).toEqual([1, ...numbersFrom(3, 10)])
  })

  test('is the same in a tab that hears of the amendment later', async () => {
    const database = createMemoryDatabase()
    const [log, other] = [await openDevice(database), await openDevice(database)]
    await count(log, 'a', 1, 10)
    await other.catchUp()
    const projector = createProjector({ log: other, app, audit: false })
    await projector.latest(projection, 'a')
    await amend(log, [{ kind: 'insert', after: null, event: said(0) }])
    expect((await projector.latest(projection, 'a'))!.state).toEqual(numbersFrom(1, 10))
    await other.catchUp()
    expect((await projector.latest(projection, 'a'))!.state).toEqual(numbersFrom(0, 10))
    await projector.close()
  })

  describe('over a pending amendment', () => {
    async function openAmended(onConflict: 'reappend' | 'reject') {
      const [log, server] = [await openDevice(), await openServer()]
      await countAndFold(log, 1, 10)
      await sync(log, server)
      const projector = createProjector({ log, app, audit: false })
      const ids = await idsIn(log, 'a')
      await projector.latest(projection, 'a')
      await amend(
        log,
        [
          { kind: 'remove', eventId: ids[4]! },
          { kind: 'insert', after: ids[7]!, event: said('new') },
        ],
        { onConflict },
      )
      const latest = async () => {
        const document = (await projector.latest(projection, 'a'))!
        expect((await foldOf(log, projection)).document).toEqual(document)
        return document
      }
      return { log, server, latest, close: () => projector.close() }
    }
    const amended = [1, 2, 3, 4, 6, 7, 8, 'new', 9, 10]

    test('counts as pending what stands from the first touched place on', async () => {
      const { log, server, latest, close } = await openAmended('reappend')
      expect(await latest()).toMatchObject({ state: amended, pending: 6 })
      await sync(log, server)
      expect(await latest()).toMatchObject({ state: amended, pending: 0 })
      await close()
    })

    test('is made anew behind what the server had first', async () => {
      const { log, server, latest, close } = await openAmended('reappend')
      await latest()
      await append(server, 'a', said('first'))
      await pull(log, server)
      expect(await latest()).toMatchObject({ state: [...amended, 'first'], pending: 7 })
      await push(log, server)
      await pull(log, server)
      expect(await latest()).toMatchObject({ state: [...amended, 'first'], pending: 0 })
      await close()
    })

    test('goes back to what was recorded where a rebase rejects it', async () => {
      const { log, server, latest, close } = await openAmended('reject')
      await latest()
      await append(server, 'a', said('first'))
      await pull(log, server)
      expect(await latest()).toMatchObject({ state: [...numbersFrom(1, 10), 'first'], pending: 0 })
      expect(await log.amendments('a')).toEqual([])
      expect(await log.rejections()).toMatchObject([{ reason: { code: 'version-conflict' } }])
      await close()
    })

    test('goes back, too, where what it names does not count any more', async () => {
      const { log, server, latest, close } = await openAmended('reappend')
      await latest()
      const ids = await idsIn(server, 'a')
      await amend(server, [{ kind: 'remove', eventId: ids[7]! }])
      await pull(log, server)
      expect(await latest()).toMatchObject({ state: [...numbersFrom(1, 7), 9, 10], pending: 0 })
      expect(await log.rejections()).toMatchObject([{ reason: { code: 'unknown-event' } }])
      await close()
    })
  })

  test('shows every moment of the past in the order of today', async () => {
    let now = 0
    const storage = memoryStorage()
    const log = await openLog({ storage, storeId: 'shared', now: () => now })
    for (let n = 1; n <= 12; n += 3) {
      now = n
      await count(log, 'a', n, n + 2)
      await append(log, 'b', said('elsewhere'))
    }
    now = 20
    const ids = await idsIn(log, 'a')
    await amend(log, [
      { kind: 'move', eventId: ids[9]!, after: ids[1]! },
      { kind: 'replace', eventId: ids[4]!, event: said('five') },
      { kind: 'remove', eventId: ids[6]! },
    ])
    await foldOf(log, projection)
    const projector = createProjector({ log, app, audit: false })
    const at = async (moment: Moment) => (await projector.at(projection, 'a', moment))?.state ?? []
    const events: RecordedEvent[] = []
    for await (const part of projection === 'words' ? log.readStream('a') : log.readAll())
      events.push(...part)
    const placeOf = ({ metadata }: RecordedEvent) => log.order.placeOf(metadata)
    const until = (isThen: (event: RecordedEvent) => boolean) => events.filter(isThen).map(({ data }) => data)

    for (let position = 0; position <= log.head(); position++) {
      expect(await at({ position })).toEqual(until(event => placeOf(event).position <= position))
    }
    for (let version = 0; version <= log.streamVersion('a'); version++) {
      const expected =
        projection === 'words'
          ? until(event => placeOf(event).version <= version)
          : events.slice(0, version).map(({ data }) => data)
      expect(await at({ version })).toEqual(expected)
    }
    for (let time = 0; time <= 21; time++) {
      const last = events.findLast(({ metadata }) => metadata.recordedAt <= time)
      const end = last ? placeOf(last).position : 0
      expect(await at({ time })).toEqual(until(event => placeOf(event).position <= end))
    }
    await projector.close()
    await log.close()
  })

  test('has nothing of an event that was moved, replaced or put in, and is erased', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await count(log, 'a', 1, 4)
    await append(log, 'a', said('moved-secret'), said('replaced-secret'))
    await countAndFold(log, 7, 20)
    const ids = await idsIn(log, 'a')
    await amend(log, [
      { kind: 'move', eventId: ids[4]!, after: ids[1]! },
      { kind: 'replace', eventId: ids[5]!, event: said('new-secret') },
      { kind: 'move', eventId: ids[0]!, after: ids[17]! },
    ])
    const order = [2, 'moved-secret', 3, 4, 'new-secret', ...numbersFrom(7, 18), 1, 19, 20]
    expect((await foldOf(log, projection)).state).toEqual(order)
    const [, moved, , , put] = await idsIn(log, 'a')
    for (const [secret, eventId] of [
      ['moved-secret', moved!],
      ['new-secret', put!],
      ['replaced-secret', ids[5]!],
    ] as const) {
      expect(placesOf(secret, database)).not.toEqual([])
      await log.erasures.erase([eventId])
      const { state } = await foldOf(log, projection)
      expect(state).not.toContain(secret)
      expect(placesOf(secret, database)).toEqual([])
    }
    const { state, report } = await foldOf(log, projection)
    expect(state).toEqual([2, 3, 4, ...numbersFrom(7, 18), 1, 19, 20])
    expect(report).toMatchObject({ reason: 'tail', from: expect.toSatisfy((from: number) => from >= 15) })
    expect(await log.verify()).toMatchObject({ ok: true })
  })

  test('has nothing of an erased event that counted long before it was recorded', async () => {
    const log = await openDevice()
    await countAndFold(log, 1, 15)
    const ids = await idsIn(log, 'a')
    await amend(log, [{ kind: 'move', eventId: ids[14]!, after: ids[0]! }])
    expect((await foldOf(log, projection)).state).toEqual([1, 15, ...numbersFrom(2, 14)])
    await log.erasures.erase([ids[14]!])
    const { state, report } = await foldOf(log, projection)
    expect(state).toEqual(numbersFrom(1, 14))
    expect(report).toMatchObject({ reason: 'history-changed', from: 0 })
  })
})

test('what was folded while it was amended is kept as a snapshot of no order', async () => {
  // Made in passing, and not at the end.
  const policy = { when: () => false }
  const board = { ...words, getDocumentId: () => 'a', snapshot: policy }
  const fold = async (log: FoldLog) => {
    const projector = createProjector({
      log,
      app: { projections: { board } } as unknown as App,
      audit: false,
    })
    const { state } = (await projector.latest('board', 'a'))!
    await projector.close()
    return { state, snapshots: await log.storage.keys('snapshot/', 9) }
  }
  const open = async () => {
    const log = await openDevice()
    for (let n = 1; n <= 2_500; n += 100) await count(log, 'a', n, n + 99)
    return log
  }
  const log = await open()
  expect((await fold(log)).snapshots).toHaveLength(1)

  const amended = await open()
  const ids = await idsIn(amended, 'a')
  const readAll = interruptOnce(
    (...args: Parameters<EventLog['readAll']>) => amended.readAll(...args),
    () => amend(amended, [{ kind: 'move', eventId: ids[0]!, after: ids[299]! }]).then(() => {}),
    // Right before the part at whose end one is due.
    events => events.at(-1)!.metadata.globalPosition === 400,
  )
  const { state, snapshots } = await fold(foldLogOf(amended, { readAll }))
  expect(state).toEqual([...numbersFrom(2, 300), 1, ...numbersFrom(301, 2_500)])
  expect(snapshots).toEqual([])
})

test('types are counted as they were recorded: handlers of what was replaced may still be asked for', async () => {
  const log = await openDevice()
  await append(log, 'a', { type: 'Old', data: 1 }, { type: 'Said', data: 2 }, { type: 'Gone', data: 3 })
  const ids = await idsIn(log, 'a')
  await amend(log, [
    { kind: 'replace', eventId: ids[0]!, event: said(1) },
    { kind: 'remove', eventId: ids[2]! },
  ])
  expect(await countTypes(log)).toEqual({ Old: 1, Said: 2, Gone: 1 })
})
