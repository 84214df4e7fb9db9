// Folding what is in the log: every block checked against its digest when it comes from the disk, then out of the
// worker's memory. Cold is a new worker, which has no block yet. And every hash recomputed, without folding.

import { makeEvents } from '../events.ts'
import type { Measurement } from '../measurement.ts'
import { perSecond, timed } from '../page/clock.ts'
import { type Floors, measureFloors, replayFloor, verifyFloor, warmReplayFloor } from '../page/floors.ts'
import { appendBatches, assertFolded, batchesOf, type Store, withStore } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'

const EVENTS = 100_000
const MANY_STREAMS = 'replay-all'
const ONE_STREAM = 'replay-one'

export const scenario: Scenario = {
  title: 'Replay',
  onBothBackends: true,

  async prepare({ scaled }) {
    const count = scaled(EVENTS)
    for (const [database, streams] of [
      [MANY_STREAMS, 10],
      [ONE_STREAM, 1],
    ] as const) {
      await withStore(database, store => appendBatches(store, batchesOf(makeEvents(0, count, streams))))
    }
  },

  async measure({ scaled }) {
    const count = scaled(EVENTS)
    const rates = new Map<string, number>()
    const take = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      rates.set(name, perSecond(count, await timed(work)))
    }
    // The browser has not run the code before, and has still to open the database.
    await withStore(MANY_STREAMS, store =>
      take('all streams, first fold of a browser just started', () => foldedIn(store, 'total', 'all', count)),
    )
    await withStore(MANY_STREAMS, async store => {
      await take('all streams, cold, verified', () => foldedIn(store, 'total', 'all', count))
      await take('all streams, warm', () => foldedIn(store, 'totalAgain', 'all', count))
    })
    await withStore(ONE_STREAM, async store => {
      await take('one stream, cold, verified', () => foldedIn(store, 'cart', 'cart-0', count))
      await take('one stream, warm', () => foldedIn(store, 'cartAgain', 'cart-0', count))
      await take('one stream, read by the page', () => readBy(store, 'cart-0', count))
    })
    await withStore(MANY_STREAMS, store =>
      take('every hash recomputed, no fold', async () => {
        const report = await store.verify()
        if (!report.ok || report.events !== count) throw new Error(JSON.stringify(report))
      }),
    )
    const floors = await measureFloors(count)
    return [...rates].map(([name, value]): Measurement => {
      const floor = floorOf(name, floors)
      return { name, unit: 'events/s', value, against: 'replay', ...(floor && { floor }) }
    })
  },
}

function floorOf(name: string, floors: Floors): number | null {
  if (name.endsWith('cold, verified') || name.includes('first fold')) return replayFloor(floors)
  if (name.endsWith('warm')) return warmReplayFloor(floors)
  return name.startsWith('every hash') ? verifyFloor(floors) : null
}

async function foldedIn(
  store: Store,
  projection: 'total' | 'totalAgain' | 'cart' | 'cartAgain',
  documentId: string,
  count: number,
): Promise<void> {
  assertFolded(await store.projection(projection).get(documentId), count)
}

async function readBy(store: Store, streamName: string, count: number): Promise<void> {
  const { events } = await store.readStream(streamName)
  if (events.length !== count) throw new Error(`${events.length} of ${count} events were read`)
}
