// A document as it was is what a fold of the events until then makes.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { openLog } from '../../../src/engine/open-log.ts'
import { createProjector } from '../../../src/engine/replay/projector.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { App } from '../../../src/model/app.ts'
import type { Moment } from '../../../src/model/moment.ts'
import { memoryStorage } from '../../../src/storage/memory/index.ts'
import { append, count, openServer, pull, push } from './replicas.ts'

type Numbered = RecordedEvent & { data: number }
const boardOf = ({ data }: Numbered) => ['even', 'odd'][data % 2]!
const fold = {
  canHandle: ['Said'],
  initialState: () => [],
  evolve: (state: readonly number[], { data }: Numbered) => [...state, data],
  snapshot: { every: 3 },
}
const app: App = { projections: { words: fold, board: { ...fold, getDocumentId: boardOf } } }

async function eventsOf(log: EventLog): Promise<Numbered[]> {
  const events: RecordedEvent[] = []
  for await (const part of log.readAll()) events.push(...part)
  return events as Numbered[]
}

/** What a fold of those events makes that belong to the document and were there at the moment. */
function expected(
  log: EventLog,
  events: readonly Numbered[],
  ofDocument: readonly Numbered[],
  moment: Moment,
) {
  let taken = ofDocument
  if ('position' in moment) taken = taken.filter(({ metadata }) => metadata.globalPosition <= moment.position)
  if ('time' in moment) {
    const last = events.findLast(({ metadata }) => metadata.recordedAt <= moment.time)
    taken = taken.filter(({ metadata }) => metadata.globalPosition <= (last?.metadata.globalPosition ?? 0))
  }
  if (taken.length === 0) return null
  return {
    state: taken.map(({ data }) => data),
    globalPosition: taken.at(-1)!.metadata.globalPosition,
    pending: taken.filter(({ metadata }) => metadata.globalPosition > log.cursor().confirmedThrough).length,
  }
}

test('whatever the history and whenever the moment, the state is that of the events until then, and the live one stays', async () => {
  const moment: fc.Arbitrary<Moment> = fc.oneof(
    fc.record({ version: fc.nat(14) }),
    fc.record({ position: fc.nat(45) }),
    fc.record({ time: fc.integer({ min: 990, max: 1_060 }) }),
  )
  const step = fc.record({
    stream: fc.constantFrom('a', 'b'),
    types: fc.array(fc.constantFrom('Said', 'Said', 'Noise'), { minLength: 1, maxLength: 4 }),
    // Clocks go back, too.
    ticks: fc.integer({ min: -3, max: 10 }),
    does: fc.constantFrom('nothing', 'nothing', 'push', 'theirs', 'ask'),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 10 }),
      fc.array(moment, { minLength: 6, maxLength: 6 }),
      async (steps, moments) => {
        let [now, next] = [1_000, 0]
        const server = await openServer()
        const log = await openLog({ storage: memoryStorage(), storeId: 'shared', now: () => now })
        const projector = createProjector({ log, app, audit: false })
        for (const { stream, types, ticks, does } of steps) {
          now += ticks
          await append(log, stream, ...types.map(type => ({ type, data: next++ })))
          if (does === 'theirs') await append(server, stream, { data: next++ })
          if (does === 'push' || does === 'theirs') {
            await pull(log, server)
            await push(log, server)
            await pull(log, server)
          }
          if (does === 'ask') for (const id of ['a', 'b']) await projector.latest('words', id)
        }
        const events = await eventsOf(log)
        const said = events.filter(({ type }) => type === 'Said')
        const live = await Promise.all(['a', 'b'].map(id => projector.latest('words', id)))
        for (const moment of moments) {
          for (const id of ['a', 'b']) {
            const ofStream = events.filter(({ metadata }) => metadata.streamName === id)
            const until = 'version' in moment ? ofStream.slice(0, moment.version) : ofStream
            const words = until.filter(({ type }) => type === 'Said')
            const wanted = expected(log, ofStream, words, moment)
            const past = await projector.at('words', id, moment)
            expect(past).toEqual(wanted && expect.objectContaining(wanted))
          }
          for (const id of ['even', 'odd']) {
            const ofBoard = said.filter(event => boardOf(event) === id)
            const until = 'version' in moment ? ofBoard.slice(0, moment.version) : ofBoard
            const wanted = expected(log, events, until, moment)
            const past = await projector.at('board', id, moment)
            expect(past).toEqual(
              wanted && expect.objectContaining({ ...wanted, streamVersion: wanted.state.length }),
            )
          }
        }
        expect(await Promise.all(['a', 'b'].map(id => projector.latest('words', id)))).toEqual(live)
        await projector.close()
        await log.close()
      },
    ),
    { numRuns: 300 },
  )
})

test('a snapshot before the moment is begun with', async () => {
  const log = await openLog({ storage: memoryStorage(), storeId: 'shared' })
  await count(log, 'a', 1, 100)
  let folded = 0
  const counting = {
    ...fold,
    snapshot: { every: 10 },
    evolve: (state: readonly number[], event: Numbered) => {
      folded++
      return fold.evolve(state, event)
    },
  }
  for (const [name, id] of [
    ['words', 'a'],
    ['board', 'even'],
  ] as const) {
    const getDocumentId = name === 'board' ? { getDocumentId: () => 'even' } : {}
    const projector = createProjector({
      log,
      app: { projections: { [name]: { ...counting, ...getDocumentId } } },
      audit: false,
    })
    await projector.latest(name, id)
    folded = 0
    expect((await projector.at(name, id, { version: 75 }))?.state).toHaveLength(75)
    expect(folded).toBeGreaterThan(0)
    expect(folded).toBeLessThanOrEqual(15)
    await projector.close()
  }
})

test.each([{ version: -1 }, { position: 1.5 }, { time: Number.NaN }, {}, { version: '3' }])(
  '%j is no moment',
  async moment => {
    const log = await openLog({ storage: memoryStorage(), storeId: 'shared' })
    const projector = createProjector({ log, app })
    for (const name of ['words', 'board']) {
      await expect(projector.at(name, 'a', moment as never)).rejects.toMatchObject({
        code: 'invalid-argument',
      })
    }
  },
)
