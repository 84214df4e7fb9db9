// Raw IndexedDB, relaxed, one value a put: the least that keeping things in it takes.

import { type IDBPDatabase, openDB } from 'idb'

export type BareStore = Readonly<{
  /** All in one transaction. */
  put: (values: readonly unknown[]) => Promise<void>
  getAll: () => Promise<unknown[]>
  close: () => void
}>

export async function openBareStore(name: string): Promise<BareStore> {
  const database: IDBPDatabase = await openDB(name, 1, {
    upgrade: created => void created.createObjectStore('values', { autoIncrement: true }),
  })
  return {
    async put(values) {
      const transaction = database.transaction('values', 'readwrite', { durability: 'relaxed' })
      for (const value of values) void transaction.store.put(value)
      await transaction.done
    },
    getAll: () => database.getAll('values'),
    close: () => database.close(),
  }
}
