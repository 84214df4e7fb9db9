// Rows of a read model in Dexie: made of all events there are, and kept in step with one event after the other.

import Dexie, { type Table } from 'dexie'
import { openStore, type StoreClient } from 'streamdingo'
import { readShown } from 'streamdingo/dexie'
import { fold, makeEvents, NOTHING } from '../events.ts'
import { perSecond, timed } from '../page/clock.ts'
import { type CartRow, openRows } from '../page/read-models-app.ts'
import { appendBatches, BATCH, batchesOf } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'
import type { BenchEvent } from '../subject.ts'

const EVENTS = 100_000
const STREAMS = 1_000
const SINGLE = 200

type Store = StoreClient<Record<never, never>>

export const scenario: Scenario = {
  title: 'Rows of a read model',

  async measure({ round, scaled }) {
    const database = `read-models-${round}`
    const events = makeEvents(0, scaled(EVENTS), scaled(STREAMS))
    await withStore('without', database, store => appendBatches(store, batchesOf(events)))
    const floorMs = await timed(() => writeBare(`bare-${round}`, events))
    let singleMs = 0
    let plainMs = 0
    const builtMs = await withStore('with', database, async store => {
      const ms = await timed(() => store.readModel('carts').whenProcessed(events.length))
      await assertRows(database, events)
      const singles = makeEvents(events.length, 2 * scaled(SINGLE))
      plainMs = await timed(async () => {
        for (const event of singles.slice(0, singles.length / 2)) await appendOne(store, event)
      })
      singleMs = await timed(async () => {
        for (const event of singles.slice(singles.length / 2)) {
          const { lastEventGlobalPosition } = await appendOne(store, event)
          await store.readModel('carts').whenProcessed(lastEventGlobalPosition)
        }
      })
      return ms
    })
    return [
      {
        name: 'events in the rows, from nothing',
        unit: 'events/s',
        value: perSecond(events.length, builtMs),
        floor: perSecond(events.length, floorMs),
      },
      { name: 'one event after the other, until persisted', unit: 'ms', value: plainMs / scaled(SINGLE) },
      {
        name: 'one event after the other, until its row is there',
        unit: 'ms',
        value: singleMs / scaled(SINGLE),
      },
    ]
  },
}

const appendOne = (store: Store, { stream, type, data }: BenchEvent) =>
  store.appendToStream(stream, [{ type, data }])

async function withStore<T>(
  name: 'with' | 'without',
  storeId: string,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const worker = () =>
    new Worker(new URL('../page/read-models-worker.ts', import.meta.url), { type: 'module', name })
  const store = await openStore<Record<never, never>>(worker, { storeId, callTimeoutMs: 300_000 })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** The same rows by Dexie alone: read and written in a transaction for as many events, nothing kept beside them. */
async function writeBare(name: string, events: readonly BenchEvent[]): Promise<void> {
  const db = new Dexie(name, { chromeTransactionDurability: 'relaxed' })
  db.version(1).stores({ carts: 'id, quantity' })
  const table = db.table<CartRow, string>('carts')
  for (let at = 0; at < events.length; at += BATCH) {
    const batch = events.slice(at, at + BATCH)
    const ids = [...new Set(batch.map(({ stream }) => stream))]
    await db.transaction('rw', table, async () => {
      const found = await table.bulkGet(ids)
      const rows = new Map(ids.map((id, i) => [id, found[i] ?? { id, ...NOTHING }]))
      for (const event of batch)
        rows.set(event.stream, { id: event.stream, ...fold(rows.get(event.stream)!, event) })
      await table.bulkPut([...rows.values()])
    })
  }
  db.close()
}

/** @throws when the rows are not those of a fold of the events. */
async function assertRows(database: string, events: readonly BenchEvent[]): Promise<void> {
  const expected = new Map<string, CartRow>()
  for (const event of events) {
    expected.set(event.stream, { id: event.stream, ...fold(expected.get(event.stream) ?? NOTHING, event) })
  }
  const db = openRows(database)
  const rows = await readShown(db, ['carts'], ({ carts }: { carts: Table<CartRow, string> }) =>
    carts.toArray(),
  )
  db.close()
  const isSame =
    rows.length === expected.size && rows.every(row => row.quantity === expected.get(row.id)?.quantity)
  if (!isSame) throw new Error('The rows are not those of a fold')
}
