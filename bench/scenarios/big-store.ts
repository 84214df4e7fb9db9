// A store of a million events: how soon it shows something, what a small stream in it costs, and the memory it takes.

import { makeEvents } from '../events.ts'
import type { Measurement } from '../measurement.ts'
import { timed } from '../page/clock.ts'
import { measureMemory } from '../page/memory.ts'
import {
  appendBatches,
  assertFolded,
  importEvents,
  openBenchStore,
  type Store,
  withStore,
} from '../page/store.ts'
import type { Scenario } from '../scenario.ts'
import { percentile } from '../statistics.ts'

const DATABASE = 'big-store'
/** Streams whose events came ten at a time between those of the others. */
const SCATTERED = 600
/** Streams whose events came all at once; enough that the 99th percentile is not the first one, met by cold code. */
const TOGETHER = 400
const STREAM_EVENTS = 1_000
/** So many of the scattered ones are read, too far apart to share a block: each is cold. */
const SCATTERED_READ = 30

export const scenario: Scenario = {
  title: 'A store of a million events',

  async prepare({ scaled }) {
    await withStore(DATABASE, async store => {
      const scattered = scaled(SCATTERED) * STREAM_EVENTS
      await importEvents(store, scattered, scaled(SCATTERED))
      for (let i = 0; i < scaled(TOGETHER); i++) {
        const stream = `together-${i}`
        const events = makeEvents(scattered + i * STREAM_EVENTS, STREAM_EVENTS)
        await appendBatches(store, [events.map(event => ({ ...event, stream }))])
      }
      // What a user has looked at before has a snapshot.
      await store.projection('keptTotal').get('all')
    })
  },

  async measure({ scaled }) {
    const scattered = scaled(SCATTERED)
    const together = scaled(TOGETHER)
    const start = performance.now()
    const store = await openBenchStore(DATABASE)
    const openMs = performance.now() - start
    await firstView(store, (scattered + together) * STREAM_EVENTS)
    const viewMs = performance.now() - start
    const togetherMs = await streamTimes(
      store,
      Array.from({ length: together }, (_, i) => `together-${i}`),
    )
    const apart = Math.ceil(scattered / SCATTERED_READ)
    const scatteredMs = await streamTimes(
      store,
      Array.from({ length: Math.floor(scattered / apart) }, (_, i) => `cart-${i * apart}`),
    )
    const memory = await measureMemory()
    await store.close()
    return [
      { name: 'opened', unit: 'ms', value: openMs, against: 'replay' },
      { name: 'opened, to the first view, from a snapshot', unit: 'ms', value: viewMs, against: 'replay' },
      ...streamFigures('a stream of 1,000 events, written at once', togetherMs),
      ...streamFigures('a stream of 1,000 events, written ten at a time', scatteredMs),
      ...(memory === null ? [] : [{ name: 'memory of page and worker', unit: 'MB' as const, value: memory }]),
    ]
  },
}

async function firstView(store: Store, events: number): Promise<void> {
  const view = store.view('keptTotal', 'all')
  await new Promise<void>(resolve => {
    const unsubscribe = view.subscribe(() => {
      if (!view.getSnapshot()) return
      unsubscribe()
      resolve()
    })
  })
  assertFolded(view.getSnapshot(), events)
}

/** Each stream is folded for the first time. */
async function streamTimes(store: Store, streams: readonly string[]): Promise<number[]> {
  const times: number[] = []
  for (const stream of streams) {
    const folding = async (): Promise<void> =>
      assertFolded(await store.projection('cart').get(stream), STREAM_EVENTS)
    times.push(await timed(folding))
  }
  return times
}

function streamFigures(name: string, times: readonly number[]): Measurement[] {
  return [50, 99].map(percent => ({
    name: `${name}, p${percent}`,
    unit: 'ms',
    value: percentile(times, percent),
    against: 'replay',
  }))
}
