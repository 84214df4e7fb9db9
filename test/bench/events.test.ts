import { expect, test } from 'vitest'
import { makeEvents } from '../../bench/events.ts'
import { streamRuns } from '../../bench/stream-runs.ts'

test('the same events come however they are asked for', () => {
  expect([...makeEvents(0, 30), ...makeEvents(30, 20)]).toEqual(makeEvents(0, 50))
})

test('an event takes about 210 bytes', () => {
  const events = makeEvents(0, 1_000)
  const bytes = events.reduce((sum, event) => sum + JSON.stringify(event).length, 0) / events.length
  expect(bytes).toBeGreaterThan(190)
  expect(bytes).toBeLessThan(230)
})

test('a batch becomes one append a run of the same stream, in order', () => {
  const events = makeEvents(0, 45, 2)
  const runs = streamRuns(events)
  expect(runs.map(({ streamName, events }) => [streamName, events.length])).toEqual([
    ['cart-0', 10],
    ['cart-1', 10],
    ['cart-0', 10],
    ['cart-1', 10],
    ['cart-0', 5],
  ])
  expect(runs.flatMap(run => run.events.map(({ id }) => id))).toEqual(events.map(({ id }) => id))
})
