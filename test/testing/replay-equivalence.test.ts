import { expect, test } from 'vitest'
import type { App, RecordedEvent } from '../../src/index.ts'
import { replayEquivalence } from '../../src/testing/index.ts'

type Numbered = RecordedEvent & { data: number }

const sum = (state: number, { data }: Numbered) => state + data
const product = (state: number, { data }: Numbered) => state * data
const last = (_: number, { data }: Numbered) => data

const appWith = (evolve: object, more: object = {}): App => ({
  projections: {
    perStream: { canHandle: Object.keys(evolve), initialState: () => 1, evolve, ...more },
    overall: {
      canHandle: Object.keys(evolve),
      getDocumentId: ({ data }: Numbered) => (data % 2 ? 'odd' : 'even'),
      initialState: () => 1,
      evolve,
      ...more,
    },
  } as never,
})

const history = Array.from({ length: 40 }, (_, i) => ({
  type: i === 9 ? 'B' : i > 20 && i < 24 ? 'C' : 'A',
  data: i,
  streamName: i % 3 ? 's1' : 's2',
}))

test('builds with changed handlers are equivalent, and the reports say what each has folded', async () => {
  const reports = await replayEquivalence([
    { app: appWith({ A: sum, B: sum, C: last }), events: history },
    { app: appWith({ A: sum, B: product, C: last }), events: [] },
    { app: appWith({ A: sum, B: product, C: last }), events: history.slice(0, 3) },
  ])
  expect(reports.map(ofBuild => new Set(ofBuild.map(({ reason }) => reason)))).toEqual([
    new Set(['no-snapshot']),
    new Set(['handler-changed', 'tail']),
    new Set(['tail']),
  ])
})

test('a handler that is told by the same text and folds otherwise is found out', async () => {
  const adding =
    (helper: (n: number) => number) =>
    (state: number, { data }: Numbered) =>
      state + helper(data)
  const first = appWith({ A: adding(n => n), B: sum, C: sum })
  const second = appWith({ A: adding(n => 2 * n), B: sum, C: sum })
  const replay = replayEquivalence([
    { app: first, events: history },
    { app: second, events: [] },
  ])
  await expect(replay).rejects.toThrow('In build 2, documents are not those of a full fold')
  // A raised version says so.
  const raised = appWith({ A: adding(n => 2 * n), B: sum, C: sum }, { version: '2' })
  await replayEquivalence([
    { app: first, events: history },
    { app: raised, events: [] },
  ])
})

test('projections in the background and of some categories are compared, too', async () => {
  const build = (evolve: object, categories: readonly string[], handlers: object): App => {
    const counter = {
      canHandle: Object.keys(evolve),
      categories,
      initialState: () => 1,
      evolve,
      handlerCode: { hasher: 1, base: 'b', handlers },
    }
    const getDocumentId = ({ type, data }: Numbered) => {
      // Of an event that is none of its own, it knows nothing.
      if (type === 'C') throw new Error('what is this?')
      return data % 2 ? 'odd' : 'even'
    }
    return {
      projections: {
        perStream: { ...counter, handling: 'async' },
        overall: { ...counter, handling: 'async', getDocumentId },
      } as never,
    }
  }
  const handled = { A: sum, B: sum }
  const reports = await replayEquivalence([
    { app: build(handled, ['s1'], { A: '1', B: '1' }), events: history },
    { app: build({ A: sum, B: product }, ['s1'], { A: '1', B: '2' }), events: [] },
    { app: build({ A: sum, B: product }, ['s1', 's2'], { A: '1', B: '2' }), events: [] },
  ])
  expect(reports.map(ofBuild => ofBuild.map(({ name }) => name))).toEqual(
    Array.from({ length: 3 }, () => ['perStream', 'overall']),
  )
  const replay = replayEquivalence([
    { app: build(handled, ['s1', 's2'], { A: '1', B: '1' }), events: history },
    { app: build({ A: product, B: sum }, ['s1', 's2'], { A: '1', B: '1' }), events: [] },
  ])
  await expect(replay).rejects.toThrow('In build 2, documents are not those of a full fold')
})
