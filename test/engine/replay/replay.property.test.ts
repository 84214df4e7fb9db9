import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createDeciderFolds } from '../../../src/engine/replay/decider-folds.ts'
import { createProjector } from '../../../src/engine/replay/projector.ts'
import type { SnapshotProblem } from '../../../src/engine/replay/snapshot-store.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { Snapshot } from '../../../src/model/snapshot.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { append, openDevice, openServer, pull, push } from './replicas.ts'

const STREAMS = ['a', 'b']
const BOARDS = ['even', 'odd']
const TYPES = ['Said', 'Noise']

type Numbered = RecordedEvent & { data: number }
const boardOf = ({ data }: Numbered) => BOARDS[data % 2]!

const fold = {
  initialState: () => [],
  evolve: (state: readonly number[], { data }: Numbered) => [...state, data],
  snapshot: { every: 3 },
}
const app = {
  projections: {
    words: { ...fold, canHandle: ['Said'] },
    board: { ...fold, canHandle: ['Said'], getDocumentId: boardOf },
  },
  deciders: { list: { ...fold, streamName: (id: string) => id, decide: () => [] } },
}

/** Everything that folds on a device, with nothing in memory yet. */
function foldsOn(log: EventLog) {
  const problems: SnapshotProblem[] = []
  const onSnapshotDropped = ({ problem }: { problem: SnapshotProblem }) => problems.push(problem)
  const projector = createProjector({ log, app, onSnapshotDropped })
  const deciders = createDeciderFolds({ log, deciders: app.deciders, onSnapshotDropped })
  const dirty = new Set<string>()
  const { signal } = new AbortController()
  for (const id of STREAMS) projector.watch('words', id, () => dirty.add(id), signal)
  for (const id of BOARDS) projector.watch('board', id, () => dirty.add(id), signal)
  const close = async () => {
    await projector.close()
    await deciders.close()
  }
  return { log, projector, deciders, problems, dirty, shown: new Map<string, unknown>(), close }
}

type Folds = ReturnType<typeof foldsOn>

async function eventsOf(log: EventLog): Promise<Numbered[]> {
  const events: RecordedEvent[] = []
  for await (const part of log.readAll()) events.push(...part)
  return events as Numbered[]
}

async function checkAll(folds: Folds, version: number): Promise<void> {
  const { log, projector, deciders, problems } = folds
  const events = await eventsOf(log)
  const said = events.filter(({ type }) => type === 'Said')
  for (const streamName of STREAMS) {
    const all = events.filter(({ metadata }) => metadata.streamName === streamName)
    const latest = await projector.latest('words', streamName)
    const ofStream = said.filter(event => all.includes(event))
    checkDocument(folds, streamName, latest, ofStream, ofStream.at(-1)?.metadata.streamVersion)
    const asked = Math.min(version, all.length)
    const state = await deciders.stateAt('list', streamName, asked)
    expect(state).toEqual(all.slice(0, asked).map(({ data }) => data))
  }
  for (const board of BOARDS) {
    const ofBoard = said.filter(event => boardOf(event) === board)
    checkDocument(folds, board, await projector.latest('board', board), ofBoard, ofBoard.length)
  }
  // Nothing is ever wrong with a snapshot but that a rebase overtook it.
  expect(problems.filter(problem => problem !== 'superseded')).toEqual([])
}

/** The document must be what all effective events give, folded from the first one on. */
function checkDocument(
  { log, dirty, shown }: Folds,
  id: string,
  latest: Snapshot<unknown> | null,
  events: readonly Numbered[],
  streamVersion: number | undefined,
): void {
  const expected = events.length > 0 && {
    state: events.map(({ data }) => data),
    streamVersion,
    globalPosition: events.at(-1)!.metadata.globalPosition,
    pending: events.filter(({ metadata }) => metadata.status === 'pending').length,
  }
  expect(latest).toEqual(expected ? { ...expected, confirmedPosition: log.cursor().serverPosition } : null)
  // Whoever watches was told of every change.
  const text = JSON.stringify(expected)
  if (shown.has(id) && shown.get(id) !== text) expect(dirty).toContain(id)
  shown.set(id, text)
  dirty.delete(id)
}

test('whatever is appended, confirmed, rebased, reopened and lost in between, the state is that of a full fold', async () => {
  const action = fc.constantFrom(
    ...(['append', 'append', 'append', 'remote', 'pull', 'pull-one', 'push', 'push-one'] as const),
    ...(['race', 'ask', 'ask', 'reopen', 'refold', 'lose-snapshots'] as const),
  )
  const step = fc.record({
    action,
    streamName: fc.constantFrom(...STREAMS),
    type: fc.constantFrom(...TYPES),
    version: fc.nat(12),
    size: fc.integer({ min: 1, max: 4 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const server = await openServer()
      const database = createMemoryDatabase()
      let log = await openDevice(database)
      let folds = foldsOn(log)
      let next = 0
      for (const { action, streamName, type, version, size } of steps) {
        const events = Array.from({ length: size }, () => ({ type, data: next++ }))
        if (action === 'append') await append(log, streamName, ...events)
        else if (action === 'remote') await append(server, streamName, ...events)
        else if (action === 'pull') await pull(log, server)
        else if (action === 'pull-one') await pull(log, server, 1)
        else if (action === 'push') await push(log, server)
        else if (action === 'push-one') await push(log, server, 1)
        else if (action === 'ask') await checkAll(folds, version)
        else if (action === 'race') {
          const { projector } = folds
          await Promise.all([
            projector.latest('board', 'odd'),
            projector.latest('words', 'a'),
            pull(log, server),
          ])
        } else if (action === 'lose-snapshots') {
          for (const key of database.values.keys())
            if (key.startsWith('snapshot/')) database.values.delete(key)
        } else {
          await folds.close()
          if (action === 'reopen') {
            await log.close()
            log = await openDevice(database)
          }
          folds = foldsOn(log)
        }
      }
      await checkAll(folds, 12)
    }),
    { numRuns: 150 },
  )
}, 30_000)
