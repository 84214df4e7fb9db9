// TinyBase with its persister for IndexedDB: a batch in one transaction of the store, then a save. The persister keeps a
// table in one record, and writes every table anew with each save. What is read is in memory: reading it back is loading.

import { createStore, type Store } from 'tinybase'
import { createIndexedDbPersister, type IndexedDbPersister } from 'tinybase/persisters/persister-indexed-db'
import packageJson from '../../node_modules/tinybase/package.json' with { type: 'json' }
import { fold, NOTHING } from '../events.ts'
import type { BenchEvent, Folded, Subject } from '../subject.ts'

const TABLE = 'events'

type Opened = Readonly<{ store: Store; persister: IndexedDbPersister }>

let opened: Opened
let appended: number
/** It reports what went wrong here alone, and resolves. */
let failure: unknown

export const subject: Subject = {
  name: 'TinyBase on IndexedDB',
  version: packageJson.version,

  async open(name) {
    const store = createStore()
    const persister = createIndexedDbPersister(store, name, undefined, error => {
      failure = error
    })
    opened = { store, persister }
    appended = 0
    failure = undefined
  },

  async append(batch) {
    const { store, persister } = opened
    store.transaction(() => {
      for (const event of batch) store.setRow(TABLE, nextKey(), event)
    })
    await persister.save()
    if (failure) throw failure
  },

  async replay() {
    await opened.persister.load()
    if (failure) throw failure
    return foldTable(opened.store)
  },

  async close() {
    await opened.persister.destroy()
  },
}

function foldTable(store: Store): Folded {
  let folded = NOTHING
  for (const key of store.getRowIds(TABLE)) folded = fold(folded, store.getRow(TABLE, key) as BenchEvent)
  return folded
}

function nextKey(): string {
  return String(appended++).padStart(10, '0')
}
