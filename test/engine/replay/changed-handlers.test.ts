// A changed handler has folded again what it folded, and nothing else; what comes of it is what a full fold makes.

import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createProjector } from '../../../src/engine/replay/projector.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { App } from '../../../src/model/app.ts'
import type { ReplayReport } from '../../../src/model/replay-report.ts'
import { deflatedJsonCodec, jsonCodec, type SnapshotCodec } from '../../../src/model/snapshot-codec.ts'
import type { SnapshotPolicy } from '../../../src/model/snapshot-policy.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { idsIn, meet, meeting, orderBelieved, STREAMS, step, TYPES, takeStep } from './histories.ts'
import { append, foldLogOf, interruptOnce, openDevice, openServer } from './replicas.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 240_000 })

type Type = (typeof TYPES)[number]

/** Of each type, which handler it has; null for one that is passed by. */
type Code = Readonly<Record<Type, number | null>>

type Folding = Readonly<{ app: App; folded: () => number }>

/** Handlers of which some forget what was before, so that a fold with other code can come to the same again. */
const HANDLERS: ((state: number, data: number) => number)[] = [
  (state, data) => state * 3 + data,
  (state, data) => state * 3 + 2 * data,
  (_, data) => data,
  state => state % 2,
]

/** An application whose handlers are as the build plugin would leave them. */
function appOf(code: Code, isOverAll: boolean, snapshot: SnapshotPolicy): Folding {
  let folded = 0
  const canHandle = TYPES.filter(type => code[type] !== null)
  const handler = (n: number) => (state: number, event: RecordedEvent) => {
    folded++
    return HANDLERS[n]!(state, event.data as number) % 1_000_003
  }
  const counter = {
    canHandle,
    initialState: () => 0,
    evolve: Object.fromEntries(canHandle.map(type => [type, handler(code[type]!)])),
    snapshot,
    handlerCode: {
      hasher: 1,
      base: 'b',
      handlers: Object.fromEntries(canHandle.map(type => [type, `code ${code[type]}`])),
    },
    ...(isOverAll && { getDocumentId: ({ metadata }: RecordedEvent) => metadata.streamName }),
  }
  return { app: { projections: { counter } }, folded: () => folded }
}

/** What the documents are, folded with nothing in memory. */
async function statesOf(
  log: EventLog,
  app: App,
  snapshotCodec?: SnapshotCodec,
): Promise<Readonly<{ states: unknown; reports: readonly ReplayReport[] }>> {
  const reports: ReplayReport[] = []
  const projector = createProjector({
    log,
    app,
    audit: false,
    onReplayed: report => reports.push(report),
    ...(snapshotCodec && { snapshotCodec }),
  })
  const all = await Promise.all(STREAMS.map(stream => projector.latest('counter', stream)))
  await projector.close()
  return {
    states: all.map(one => one && [one.state, one.streamVersion, one.globalPosition, one.pending]),
    reports,
  }
}

test('whatever the history, whichever handlers change and however snapshots are kept, the state is that of a full fold, for no more events', async () => {
  const seen = { fewer: 0, converged: 0, amended: 0 }
  const handler = fc.constantFrom(0, 1, 2, 2, 2, 3, null)
  const code = fc.record({ A: handler, B: handler, C: handler })
  const policy: fc.Arbitrary<SnapshotPolicy> = fc.oneof(
    fc.record({
      every: fc.integer({ min: 1, max: 4 }),
      keep: fc.record({
        latest: fc.integer({ min: 1, max: 4 }),
        spaced: fc.boolean(),
        maxBytes: fc.constantFrom(200, 2_000, 1e9),
      }),
    }),
    fc.constantFrom<SnapshotPolicy>(
      'never',
      { everyMs: 0 },
      { replayMs: 0.01 },
      { when: ({ events }) => events > 3 },
    ),
  )
  const change = fc.record({ type: fc.constantFrom(...TYPES), to: handler })
  const build = fc.record({
    change: fc.option(change, { nil: null }),
    policy,
    steps: fc.array(step, { maxLength: 7 }),
    meeting,
  })
  await fc.assert(
    fc.asyncProperty(
      code,
      fc.array(build, { minLength: 2, maxLength: 4 }),
      fc.boolean(),
      fc.constantFrom(deflatedJsonCodec, ...Array.from({ length: 19 }, () => jsonCodec)),
      async (firstCode, builds, isOverAll, codec) => {
        let code: Code = firstCode
        const database = createMemoryDatabase()
        const server = await openServer()
        for (const { change, policy, steps, meeting } of builds) {
          if (change) code = { ...code, [change.type]: change.to }
          const log = await openDevice(database)
          for (const step of steps) await takeStep(log, step)
          if (meeting) await meet(log, server, meeting)
          if (log.erasures.count === 0) {
            for (const stream of STREAMS)
              expect(await idsIn(log, stream)).toEqual(await orderBelieved(log, stream))
          }
          const [smart, full] = [appOf(code, isOverAll, policy), appOf(code, isOverAll, 'never')]
          const { states, reports } = await statesOf(log, smart.app, codec)
          expect(states).toEqual((await statesOf(log, full.app)).states)
          expect(smart.folded()).toBeLessThanOrEqual(full.folded())
          if (smart.folded() < full.folded()) seen.fewer++
          if (reports.some(({ converged }) => converged)) seen.converged++
          if (reports.some(({ reason, from }) => reason === 'history-amended' && from > 0)) seen.amended++
          for (const { replayed, total } of reports) expect(replayed).toBeLessThanOrEqual(total)
          await log.close()
        }
      },
    ),
    { numRuns: 5_000 },
  )
  // Snapshots were of use, and so were old ones.
  expect(seen.fewer).toBeGreaterThan(1_000)
  expect(seen.converged).toBeGreaterThan(20)
  expect(seen.amended).toBeGreaterThan(20)
})

describe('of a changed handler', () => {
  const before = { A: 0, B: 0, C: 0 } as const
  const every2 = { every: 2 }

  async function explained(log: EventLog, code: Code, isOverAll: boolean) {
    const projector = createProjector({ log, app: appOf(code, isOverAll, every2).app, audit: false })
    const explanation = await projector.explain('counter', 's1')
    await projector.close()
    return explanation
  }

  async function openWith(...events: readonly (readonly [stream: string, type: Type, count: number])[]) {
    const log = await openDevice(createMemoryDatabase())
    for (const [stream, type, count] of events) {
      for (let n = 1; n <= count; n++) await append(log, stream, { type, data: n })
    }
    const read = async (code: Code, isOverAll = false, policy: SnapshotPolicy = every2) => {
      const { app, folded } = appOf(code, isOverAll, policy)
      const { reports } = await statesOf(log, app)
      return { folded: folded(), reports, app }
    }
    const foldedBy = async (...args: Parameters<typeof read>) => (await read(...args)).folded
    return { log, read, foldedBy }
  }

  test('streams without its type are folded no further', async () => {
    const { foldedBy } = await openWith(['s1', 'A', 10], ['s2', 'A', 10], ['s2', 'B', 1], ['s2', 'A', 1])
    expect(await foldedBy(before)).toBe(22)
    expect(await foldedBy(before)).toBe(0)
    expect(await foldedBy({ ...before, C: 1 })).toBe(0)
    // From the snapshot that stands right before it.
    expect(await foldedBy({ ...before, B: 1 })).toBe(4)
    expect(await foldedBy({ ...before, B: 1 })).toBe(0)
    // What was passed by is not the same as what is folded, and the other way round.
    expect(await foldedBy({ ...before, B: null })).toBe(3)
    // Code that was there before finds its own snapshots again.
    expect(await foldedBy({ ...before, B: 1 })).toBe(0)
    expect(await foldedBy(before)).toBe(0)
  })

  test.each([['stream by stream', false] as const, ['over all', true] as const])(
    'the fold ends where the state is what it was, and the snapshots behind are right again, %s',
    async (_, isOverAll) => {
      // The first C after the B makes everything before it forgotten.
      const { read, foldedBy } = await openWith(
        ['s1', 'A', 10],
        ['s1', 'B', 1],
        ['s1', 'C', 3],
        ['s1', 'A', 60],
      )
      const code = { A: 0, B: 0, C: 2 }
      await read(code, isOverAll)
      const { folded, reports } = await read({ ...code, B: 1 }, isOverAll)
      expect(reports).toMatchObject([
        { reason: 'handler-changed', converged: true, total: 74, changedTypes: ['B'], isWeak: false },
      ])
      const [{ from, stoppedAt, replayed }] = reports as [ReplayReport]
      expect(from).toBeLessThanOrEqual(10)
      expect(stoppedAt).toBeGreaterThanOrEqual(12)
      expect(stoppedAt).toBeLessThan(74)
      expect(replayed).toBe(stoppedAt - from)
      expect(folded).toBe(replayed)
      expect(await foldedBy({ ...code, B: 1 }, isOverAll)).toBe(0)
    },
  )

  test.each([['stream by stream', false] as const, ['over all', true] as const])(
    'what lies behind an old snapshot is folded once, though something of it was erased since, %s',
    async (_, isOverAll) => {
      const { log, read, foldedBy } = await openWith(['s1', 'A', 10], ['s1', 'B', 1], ['s1', 'C', 30])
      const code = { A: 0, B: 0, C: 2 }
      await read(code, isOverAll)
      await append(log, 's1', { type: 'A', data: 1 }, { type: 'A', data: 2 }, { type: 'A', data: 3 })
      for await (const [event] of log.readStream('s1', { from: 42, to: 42 })) {
        await log.erasures.erase([event!.metadata.eventId])
      }
      const { folded, reports } = await read({ ...code, B: 1 }, isOverAll)
      const [{ from, stoppedAt, converged }] = reports as [ReplayReport]
      expect(converged).toBe(true)
      expect(folded).toBe(stoppedAt - from + 2)
      expect(await foldedBy({ ...code, B: 1 }, isOverAll)).toBe(0)
    },
  )

  test('the fold does not end where another changed type lies ahead, however equal the state is', async () => {
    const { read } = await openWith(['s1', 'B', 1], ['s1', 'C', 20], ['s1', 'B', 1], ['s1', 'A', 20])
    const code = { A: 0, B: 0, C: 2 }
    await read(code)
    const { reports } = await read({ ...code, B: 1 })
    expect(reports).toMatchObject([{ converged: false, replayed: 42 }])
  })

  test('nothing is left of a raised version, as it says what hashes cannot', async () => {
    const { log, read } = await openWith(['s1', 'C', 30])
    const { app } = await read({ ...before, C: 2 })
    const counter = { ...app.projections!['counter']!, version: '2' }
    const { reports } = await statesOf(log, { projections: { counter } })
    expect(reports).toMatchObject([
      { reason: 'handler-changed', replayed: 30, converged: false, changedTypes: null },
    ])
  })

  test.each([['stream by stream', false] as const, ['over all', true] as const])(
    'the fold goes on where the event that it was to stop at is erased meanwhile, %s',
    async (_, isOverAll) => {
      const { log, read } = await openWith(['s1', 'A', 2], ['s1', 'B', 1], ['s1', 'C', 3], ['s1', 'A', 20])
      const code = { A: 0, B: 0, C: 2 }
      await read(code, isOverAll)
      const { mayStopAt } = await explained(log, { ...code, B: 1 }, isOverAll)
      expect(mayStopAt).not.toEqual([])
      const erase = async () => {
        for (const version of mayStopAt) {
          for await (const [event] of log.readStream('s1', { from: version, to: version })) {
            await log.erasures.erase([event!.metadata.eventId])
          }
        }
      }
      const interrupted = foldLogOf(log, {
        readStream: interruptOnce(
          (...args: Parameters<EventLog['readStream']>) => log.readStream(...args),
          erase,
        ),
        readAll: interruptOnce((...args: Parameters<EventLog['readAll']>) => log.readAll(...args), erase),
      })
      const projector = createProjector({
        log: interrupted,
        app: appOf({ ...code, B: 1 }, isOverAll, every2).app,
        audit: false,
      })
      const smart = await projector.latest('counter', 's1')
      await projector.close()
      const { states } = await statesOf(log, appOf({ ...code, B: 1 }, isOverAll, 'never').app)
      expect([smart!.state, smart!.streamVersion]).toEqual((states as unknown[][])[0]!.slice(0, 2))
    },
  )

  test('what would be done can be asked before', async () => {
    const { log, read } = await openWith(['s1', 'A', 10], ['s1', 'B', 1], ['s1', 'C', 3], ['s1', 'A', 60])
    const code = { A: 0, B: 0, C: 2 }
    const explain = (asked: Code) => explained(log, asked, false)
    expect(await explain(code)).toMatchObject({ reason: 'no-snapshot', from: 0, total: 74 })
    await read(code)
    expect((await explain(code)).text).toBe(
      'projection counter, stream s1: nothing is folded, the newest snapshot holds all 74 events.',
    )
    const changed = await explain({ ...code, B: 1 })
    expect(changed).toMatchObject({ reason: 'handler-changed', from: 10, changedTypes: ['B'], total: 74 })
    expect(changed.text).toBe(
      `projection counter, stream s1: 64 of 74 events are folded, behind the snapshot at 10. Newer snapshots have events before them whose handlers changed: B. It ends early at ${changed.mayStopAt.join(' or ')}, if the state is then what it was.`,
    )
    const [{ stoppedAt }] = (await read({ ...code, B: 1 })).reports as [ReplayReport]
    expect(changed.mayStopAt).toContain(stoppedAt)
  })
})

test('two tabs with different code on one log each keep their own snapshots', async () => {
  const database = createMemoryDatabase()
  const [mine, theirs] = [
    { A: 0, B: 0, C: 0 },
    { A: 1, B: 0, C: 0 },
  ]
  const [log, other] = [await openDevice(database), await openDevice(database)]
  for (let n = 1; n <= 100; n++) {
    await append(log, 's1', { type: 'A', data: n })
    await other.catchUp()
    if (n % 10 > 0) continue
    const [a, b] = [appOf(mine, false, { every: 5 }), appOf(theirs, false, { every: 5 })]
    await statesOf(log, a.app)
    await statesOf(other, b.app)
    expect([a.folded(), b.folded()]).toEqual([10, 10])
    // Theirs at the same place is no reason to fold anything again.
    expect((await statesOf(log, a.app)).reports).toMatchObject([{ reason: 'tail', replayed: 0 }])
  }
})

describe('without the build plugin', () => {
  const projectionWith = (evolve: object, version = '1') => ({
    projections: {
      counter: { canHandle: TYPES, initialState: () => 0, evolve, version, snapshot: { every: 2 } },
    } as never,
  })

  test('the text of the handlers is compared, and the version', async () => {
    const log = await openDevice()
    for (const type of ['A', 'A', 'A', 'A', 'B', 'A'] as const) await append(log, 's1', { type, data: 1 })
    const A = (state: number) => state + 1
    const B = (state: number) => state + 10
    const changed = (state: number) => state + 20
    const replay = async (...args: Parameters<typeof projectionWith>) =>
      (await statesOf(log, projectionWith(...args))).reports[0]
    expect(await replay({ A, B })).toMatchObject({ reason: 'no-snapshot', replayed: 6, isWeak: true })
    expect(await replay({ A, B })).toMatchObject({ reason: 'tail', replayed: 0 })
    expect(await replay({ A, B: changed })).toMatchObject({
      reason: 'handler-changed',
      from: 2,
      changedTypes: ['B'],
    })
    expect(await replay({ A, B: changed }, '2')).toMatchObject({ from: 0, changedTypes: null })
  })
})
