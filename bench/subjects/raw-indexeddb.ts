// Raw IndexedDB by idb: one put an event, one relaxed transaction a batch. Read in chunks: no slower than
// getAll of everything, and it does not need the memory for a copy of all.

import { type IDBPDatabase, openDB } from 'idb'
import packageJson from '../../node_modules/idb/package.json' with { type: 'json' }
import { fold, NOTHING } from '../events.ts'
import type { BenchEvent, Subject } from '../subject.ts'

const CHUNK = 10_000

let database: IDBPDatabase

export const subject: Subject = {
  name: 'raw IndexedDB',
  version: `idb ${packageJson.version}`,

  async open(name) {
    database = await openDB(name, 1, {
      upgrade: created => void created.createObjectStore('events', { autoIncrement: true }),
    })
  },

  async append(batch) {
    const transaction = database.transaction('events', 'readwrite', { durability: 'relaxed' })
    await Promise.all([...batch.map(event => transaction.store.put(event)), transaction.done])
  },

  async replay() {
    const { store } = database.transaction('events')
    let folded = NOTHING
    // Keys are given by the store, from 1 and without gaps.
    for (let next = 1; ; next += CHUNK) {
      const events: BenchEvent[] = await store.getAll(IDBKeyRange.lowerBound(next), CHUNK)
      folded = events.reduce(fold, folded)
      if (events.length < CHUNK) return folded
    }
  },

  async close() {
    database.close()
  },
}
