// Whether a store gets slower as it grows: by its events, and by its streams.

import { makeEvents } from '../events.ts'
import type { Measurement } from '../measurement.ts'
import { perSecond, timed } from '../page/clock.ts'
import { appendBatches, assertFolded, batchesOf, importEvents, withStore } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'

const SIZES = [10_000, 100_000, 1_000_000]
const STREAMS = [10, 100_000]
/** Two for each of the many streams. */
const EVENTS_IN_STREAMS = 200_000

export const scenario: Scenario = {
  title: 'Growth',
  rounds: 3,
  async measure({ round, scaled }) {
    const figures: Measurement[] = []
    for (const size of SIZES) {
      const count = scaled(size)
      const label = `${size.toLocaleString('en')} events`
      figures.push(
        ...(await grow(`size-${size}-${round}`, label, count, store => importEvents(store, count))),
      )
    }
    const costs: number[][] = []
    for (const streams of STREAMS) {
      const count = scaled(EVENTS_IN_STREAMS)
      const label = `${streams.toLocaleString('en')} streams`
      const inStreams = await grow(`streams-${streams}-${round}`, label, count, store =>
        timedAppend(store, count, scaled(streams)),
      )
      figures.push(...inStreams)
      costs.push(inStreams.map(({ value }) => 1 / value))
    }
    const [few, many] = costs as [number[], number[]]
    return [
      ...figures,
      { name: 'append, cost at 100,000 streams against 10', unit: '×', value: many[0]! / few[0]! },
      { name: 'replay, cost at 100,000 streams against 10', unit: '×', value: many[1]! / few[1]! },
    ]
  },
}

type Fill = Parameters<typeof withStore<number>>[1]

/** Appends, and folds in a new worker. */
async function grow(database: string, label: string, count: number, fill: Fill): Promise<Measurement[]> {
  const appendMs = await withStore(database, fill)
  const replayMs = await withStore(database, store =>
    timed(async () => assertFolded(await store.projection('total').get('all'), count)),
  )
  return [
    { name: `append, ${label}`, unit: 'events/s', value: perSecond(count, appendMs) },
    { name: `replay, ${label}`, unit: 'events/s', value: perSecond(count, replayMs), against: 'replay' },
  ]
}

/** Each event goes to another stream than the one before it, however many there are. */
async function timedAppend(store: Parameters<Fill>[0], count: number, streams: number): Promise<number> {
  const events = makeEvents(0, count).map((event, i) => ({ ...event, stream: `cart-${i % streams}` }))
  const batches = batchesOf(events)
  return timed(() => appendBatches(store, batches))
}
