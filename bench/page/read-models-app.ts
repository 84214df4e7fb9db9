// Rows that follow the events of the bench: one a cart.

import Dexie from 'dexie'
import type { ReadModelDefinition } from 'streamdingo'
import { readModelStores } from 'streamdingo/dexie'
import { fold, NOTHING } from '../events.ts'
import type { Folded } from '../subject.ts'
import type { CartEvent } from '../subjects/streamdingo/app.ts'

export type CartRow = Folded & Readonly<{ id: string }>

export const carts: ReadModelDefinition<{ carts: CartRow }, CartEvent> = {
  tables: { carts: 'id, quantity' },
  canHandle: ['ItemAdded', 'ItemRemoved', 'PriceChanged'],
  evolve: {
    ItemAdded: (rows, event) => rows.carts.upsert(event.metadata.streamName, row => counted(row, event)),
    ItemRemoved: (rows, event) => rows.carts.upsert(event.metadata.streamName, row => counted(row, event)),
    PriceChanged: (rows, event) => rows.carts.upsert(event.metadata.streamName, row => counted(row, event)),
  },
}

export function openRows(storeId: string): Dexie {
  const db = new Dexie(`${storeId}/rows`, { chromeTransactionDurability: 'relaxed' })
  db.version(1).stores(readModelStores(carts.tables))
  return db
}

type Counted = Readonly<{
  type: CartEvent['type']
  data: CartEvent['data']
  metadata: { streamName: string }
}>

const counted = (row: CartRow | undefined, { type, data, metadata }: Counted): CartRow => ({
  id: metadata.streamName,
  ...fold(row ?? NOTHING, { type, data }),
})
