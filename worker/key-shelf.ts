// Where the keys of a device are kept: in IndexedDB, as keys that no script can read out, shared by the tabs of a store.

import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import { createMemoryShelf, type KeptKey, type KeyShelf } from '../src/engine/encryption/key-ring.ts'

/** One for all stores of an origin, beside their databases: a log that is begun anew has its keys still. */
const DATABASE = 'streamdingo-keys'

interface KeySchema extends DBSchema {
  /** By the place of the store's storage and the name of the key. */
  keys: { key: [place: string, keyId: string]; value: KeptKey }
}

/** @param place of the store's storage; without one, no key would be found again */
export function openKeyShelf(place: string | undefined): KeyShelf {
  return place === undefined || !globalThis.indexedDB ? createMemoryShelf() : new IndexedDbShelf(place)
}

class IndexedDbShelf implements KeyShelf {
  readonly #place: string

  constructor(place: string) {
    this.#place = place
  }

  get(keyId: string): Promise<KeptKey | undefined> {
    return withKeys(database => database.get('keys', [this.#place, keyId]))
  }

  list(): Promise<readonly (readonly [keyId: string, kept: KeptKey])[]> {
    // An array sorts behind every text: all names of this place, and no other place.
    const names = IDBKeyRange.bound([this.#place], [this.#place, []])
    return withKeys(async database => {
      const transaction = database.transaction('keys')
      const [keys, values] = await Promise.all([
        transaction.store.getAllKeys(names),
        transaction.store.getAll(names),
      ])
      return keys.map(([, keyId], i) => [keyId, values[i]!] as const)
    })
  }

  update(keyId: string, change: (kept: KeptKey | undefined) => KeptKey | undefined): Promise<void> {
    return withKeys(async database => {
      const transaction = database.transaction('keys', 'readwrite', { durability: 'strict' })
      const kept = change(await transaction.store.get([this.#place, keyId]))
      if (kept) await transaction.store.put(kept, [this.#place, keyId])
      await transaction.done
    })
  }
}

async function withKeys<T>(work: (database: IDBPDatabase<KeySchema>) => Promise<T>): Promise<T> {
  const database = await openDB<KeySchema>(DATABASE, 1, {
    upgrade: opened => void opened.createObjectStore('keys'),
  })
  try {
    return await work(database)
  } finally {
    database.close()
  }
}
