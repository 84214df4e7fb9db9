import { describe, expect, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { createProjector } from '../../src/engine/replay/projector.ts'
import type { HandlerFailure } from '../../src/engine/replay/report-once.ts'
import type { Event, RecordedEvent } from '../../src/log/event.ts'
import type { AnyProjection, App, Upcaster } from '../../src/model/app.ts'
import type { ReplayReport } from '../../src/model/replay-report.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { readLogPage, readStreamPage } from '../../worker/page-reads.ts'

type Data = Record<string, unknown>

/** Prices were numbers of euros, then of cents, then with their currency, under another name. */
const UPCASTERS: readonly Upcaster[] = [
  { type: 'Bought', from: 1, upcast: data => ({ cents: (data as { euros: number }).euros * 100 }) },
  {
    type: 'Bought',
    from: 2,
    to: 'Purchased',
    toVersion: 1,
    upcast: data => ({ ...(data as Data), currency: 'EUR' }),
  },
]
const HISTORY: readonly Event[] = [
  { type: 'Bought', data: { euros: 1 } },
  { type: 'Bought', data: { cents: 250 }, schemaVersion: 2 },
  { type: 'Looked', data: {} },
  { type: 'Purchased', data: { cents: 300, currency: 'USD' } },
]
const TODAY = [
  ['Purchased', 1, { cents: 100, currency: 'EUR' }],
  ['Purchased', 1, { cents: 250, currency: 'EUR' }],
  ['Looked', 1, {}],
  ['Purchased', 1, { cents: 300, currency: 'USD' }],
]
const shapes = (events: readonly RecordedEvent[]) =>
  events.map(({ type, metadata, data }) => [type, metadata.schemaVersion, data])

const total: AnyProjection = {
  canHandle: ['Purchased'],
  initialState: () => 0,
  evolve: { Purchased: (sum: number, { data }: RecordedEvent) => sum + (data as { cents: number }).cents },
  snapshot: { every: 1 },
}

async function openWith(app: App, database = createMemoryDatabase(), history = HISTORY) {
  const log = await openLog({ storage: memoryStorage({ database }), storeId: 's', app })
  const store = createEventStore(log)
  if (log.head() === 0) await store.appendToStream('shop', history)
  const failures: HandlerFailure[] = []
  const reports: ReplayReport[] = []
  const onHandlerFailed = (failure: HandlerFailure) => failures.push(failure)
  const onReplayed = (report: ReplayReport) => reports.push(report)
  const projector = createProjector({ log, app, audit: false, onHandlerFailed, onReplayed })
  return { log, store, projector, failures, reports, database }
}

async function collect(events: AsyncIterable<RecordedEvent>): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

describe('events of older shapes are brought up to date', () => {
  test('in every read, one upcaster after the other', async () => {
    const { log, store } = await openWith({ upcasters: UPCASTERS })
    expect(shapes((await store.readStream('shop')).events)).toEqual(TODAY)
    expect(shapes(await collect(store.readAll()))).toEqual(TODAY)
    expect(shapes(await collect(store.readAll({ direction: 'backwards', maxCount: 2 })))).toEqual(
      TODAY.slice(2).reverse(),
    )
    expect(shapes((await readStreamPage(log, 'shop', {})).events)).toEqual(TODAY)
    expect(shapes((await readLogPage(log, { maxCount: 3 })).events)).toEqual(TODAY.slice(0, 3))
    const delivered: RecordedEvent[] = []
    await new Promise<void>(resolve => {
      void store.subscribe(event => void delivered.push(event), { onCaughtUp: resolve })
    })
    expect(shapes(delivered)).toEqual(TODAY)
    const evolve = (n: number, { type }: RecordedEvent) => n + (type === 'Purchased' ? 1 : 0)
    expect((await store.aggregateStream('shop', { evolve, initialState: () => 0 })).state).toBe(3)
  })

  test('and stay in the log, in their hashes and in their metadata what they were', async () => {
    const plain = await openWith({})
    const { store } = await openWith({ upcasters: UPCASTERS }, plain.database)
    const recorded = (await plain.store.readStream('shop')).events
    expect(shapes(recorded)).toEqual(
      HISTORY.map(({ type, schemaVersion = 1, data }) => [type, schemaVersion, data]),
    )
    const today = (await store.readStream('shop')).events
    expect(today.map(({ metadata }) => metadata.hash)).toEqual(recorded.map(({ metadata }) => metadata.hash))
    expect(today.map(({ metadata }) => metadata.eventId)).toEqual(
      recorded.map(({ metadata }) => metadata.eventId),
    )
    expect(await store.verify()).toMatchObject({ ok: true, events: 4 })
  })

  test.each([
    ['one stream', {}],
    ['all streams', { getDocumentId: () => 'shop' }],
  ])('in folds of %s, in deciders too', async (_, more) => {
    const decider = {
      ...total,
      streamName: () => 'shop',
      decide: (_command: unknown, sum: number): Event => ({ type: 'Counted', data: { sum } }),
    }
    const app: App = {
      upcasters: UPCASTERS,
      projections: { total: { ...total, ...more } },
      deciders: { decider },
    }
    const { log, projector } = await openWith(app)
    expect(await projector.latest('total', 'shop')).toMatchObject({ state: 650 })
    await log.execute({
      decider: 'decider',
      id: '1',
      command: {},
      commandId: '00000000-0000-7000-8000-000000000001',
    })
    const [counted] = (await createEventStore(log).readStream('shop', { from: 5 })).events
    expect(counted).toMatchObject({ data: { sum: 650 } })
  })
})

describe('a changed upcaster has folded again', () => {
  const change = [
    { ...UPCASTERS[0]!, upcast: (data: unknown) => ({ cents: (data as { euros: number }).euros * 101 }) },
    UPCASTERS[1]!,
  ]
  const projections = { total }

  test('what it was folded of', async () => {
    const { projector, database } = await openWith({ upcasters: UPCASTERS, projections })
    expect(await projector.latest('total', 'shop')).toMatchObject({ state: 650 })
    await projector.close()
    const changed = await openWith({ upcasters: change, projections }, database)
    expect(await changed.projector.latest('total', 'shop')).toMatchObject({ state: 651 })
    expect(changed.reports).toMatchObject([{ reason: 'handler-changed', from: 0, changedTypes: ['Bought'] }])
  })

  test('and nothing that no such event is in', async () => {
    const { projector, database } = await openWith(
      { upcasters: UPCASTERS, projections },
      undefined,
      HISTORY.slice(2),
    )
    await projector.latest('total', 'shop')
    await projector.close()
    const changed = await openWith({ upcasters: change, projections }, database)
    expect(await changed.projector.latest('total', 'shop')).toMatchObject({ state: 300 })
    expect(changed.reports).toMatchObject([{ reason: 'tail', replayed: 0 }])
  })

  test('as does the first upcaster of a type, and a type that is not known any more', async () => {
    const { projector, database } = await openWith({ projections })
    expect(await projector.latest('total', 'shop')).toMatchObject({ state: 300 })
    await projector.close()
    const more = await openWith({ upcasters: UPCASTERS, projections }, database)
    expect(await more.projector.latest('total', 'shop')).toMatchObject({ state: 650 })
    await more.projector.close()
    const fewer = await openWith(
      { upcasters: UPCASTERS, projections, eventTypes: ['Looked'], unknownEvents: 'ignore' },
      database,
    )
    expect(await fewer.projector.latest('total', 'shop')).toBeNull()
  })
})

test('an upcaster that fails stops the fold at that event, which is told, and reads of it', async () => {
  const broken: Upcaster = {
    type: 'Purchased',
    from: 1,
    upcast: () => {
      throw new Error('no rate')
    },
  }
  const { store, projector, failures } = await openWith({
    upcasters: [broken],
    projections: { total },
  })
  expect(await projector.latest('total', 'shop')).toBeNull()
  expect(failures).toMatchObject([
    { error: { code: 'upcast-failed', facts: { type: 'Purchased', globalPosition: 4, problem: 'no rate' } } },
  ])
  await expect(store.readStream('shop')).rejects.toMatchObject({ code: 'upcast-failed' })
  expect((await store.readStream('shop', { to: 3 })).events).toHaveLength(3)
})

test.each([
  ['gives nothing', () => undefined],
  ['waits', async () => ({})],
])('an upcaster that %s fails', async (_, upcast) => {
  const { store } = await openWith({ upcasters: [{ type: 'Looked', from: 1, upcast }] })
  await expect(store.readStream('shop')).rejects.toMatchObject({ code: 'upcast-failed' })
})

test.each([
  [
    'two for one shape',
    [
      { type: 'A', from: 1 },
      { type: 'A', from: 1 },
    ],
  ],
  [
    'a circle',
    [
      { type: 'A', from: 1, to: 'B', toVersion: 1 },
      { type: 'B', from: 1, to: 'A', toVersion: 1 },
    ],
  ],
  ['one that leads to itself', [{ type: 'A', from: 1, toVersion: 1 }]],
])('upcasters are refused: %s', async (_, upcasters) => {
  const app = { upcasters: upcasters.map(one => ({ ...one, upcast: (data: unknown) => data })) }
  await expect(openWith(app)).rejects.toMatchObject({ code: 'invalid-argument' })
})

describe('events that this version of the application does not know', () => {
  const known = { eventTypes: ['Looked', 'Purchased'], projections: { total } }

  test('are handed on where nothing else is said, or where they are to be kept', async () => {
    for (const app of [{}, { eventTypes: ['Looked'] }, { ...known, unknownEvents: 'keep' as const }]) {
      expect((await (await openWith(app)).store.readStream('shop')).events).toHaveLength(4)
    }
  })

  test('are left out of reads and folds where they are to be ignored', async () => {
    const { log, store, projector } = await openWith({ ...known, unknownEvents: 'ignore' })
    expect((await store.readStream('shop')).events.map(({ type }) => type)).toEqual(['Looked', 'Purchased'])
    expect((await store.readStream('shop', { maxCount: 1 })).events.map(({ type }) => type)).toEqual([
      'Looked',
    ])
    expect((await store.readStream('shop', { maxCount: 0 })).events).toEqual([])
    expect(await readStreamPage(log, 'shop', {})).toMatchObject({ currentStreamVersion: 4, more: false })
    expect(await projector.latest('total', 'shop')).toMatchObject({ state: 300, streamVersion: 4 })
  })

  test('are known once they are brought up to date', async () => {
    const { store } = await openWith({ ...known, unknownEvents: 'fail', upcasters: UPCASTERS })
    expect((await store.readStream('shop')).events).toHaveLength(4)
  })

  test('stop folds, decisions and reads where they must not be passed by', async () => {
    const decider = { ...total, streamName: () => 'shop', decide: () => [] }
    const { log, store, projector, failures } = await openWith({
      ...known,
      unknownEvents: 'fail',
      deciders: { decider },
    })
    await expect(store.readStream('shop')).rejects.toMatchObject({ code: 'unknown-event-type' })
    expect(await projector.latest('total', 'shop')).toBeNull()
    expect(failures).toMatchObject([
      { error: { code: 'unknown-event-type', facts: { type: 'Bought', globalPosition: 1 } } },
    ])
    const commandId = '00000000-0000-7000-8000-000000000001'
    await expect(log.execute({ decider: 'decider', id: '1', command: {}, commandId })).rejects.toMatchObject({
      code: 'unknown-event-type',
    })
    const dropped = new Promise<Error>(resolve => void store.subscribe(() => {}, { onDropped: resolve }))
    expect(await dropped).toMatchObject({ code: 'unknown-event-type' })
  })
})
