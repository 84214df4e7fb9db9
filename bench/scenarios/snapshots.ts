// Snapshots of documents, one a stream, each written after every event.

import { openDB } from 'idb'
import { makeEvents } from '../events.ts'
import { perSecond, timed } from '../page/clock.ts'
import { appendBatches, batchesOf, openBenchStore, type Store } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'

const DOCUMENTS = 10_000
const ASKED_AT_ONCE = 100

export const scenario: Scenario = {
  title: 'Snapshots',
  async measure({ round, scaled }) {
    const database = `snapshots-${round}`
    const events = makeEvents(0, scaled(DOCUMENTS)).map((event, i) => ({ ...event, stream: `cart-${i}` }))
    const streams = events.map(({ stream }) => stream)
    let store = await openBenchStore(database)
    await appendBatches(store, batchesOf(events))
    const withoutMs = await timed(() => ask(store, 'cart', streams))
    await store.close()
    store = await openBenchStore(database)
    const withMs = await timed(async () => {
      await ask(store, 'keptCart', streams)
      // Closing waits for what is not yet written.
      await store.close()
    })
    await assertWritten(database, streams.length)
    return [
      {
        name: 'documents asked for, a snapshot of each written',
        unit: 'documents/s',
        value: perSecond(streams.length, withMs),
        floor: perSecond(streams.length, withoutMs),
      },
      {
        name: 'the same documents, none written',
        unit: 'documents/s',
        value: perSecond(streams.length, withoutMs),
      },
    ]
  },
}

async function ask(store: Store, projection: 'cart' | 'keptCart', streams: readonly string[]): Promise<void> {
  for (let at = 0; at < streams.length; at += ASKED_AT_ONCE) {
    const asked = streams
      .slice(at, at + ASKED_AT_ONCE)
      .map(stream => store.projection(projection).get(stream))
    const missing = (await Promise.all(asked)).filter(document => document === null).length
    if (missing > 0) throw new Error(`${missing} documents are missing`)
  }
}

/** @throws when it was not writing of snapshots that was measured. */
async function assertWritten(database: string, snapshots: number): Promise<void> {
  const log = await openDB(database)
  const kept = await log.count('values', IDBKeyRange.bound('snapshot/', 'snapshot/\uffff'))
  log.close()
  if (kept !== snapshots) throw new Error(`${kept} snapshots were written instead of ${snapshots}`)
}
