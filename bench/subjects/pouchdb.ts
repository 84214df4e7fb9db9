// PouchDB on its adapter for IndexedDB: bulkDocs, which is one transaction a batch, and allDocs, which reads in the
// order of the keys.

import PouchDB from 'pouchdb-browser'
import packageJson from '../../node_modules/pouchdb-browser/package.json' with { type: 'json' }
import { fold, NOTHING } from '../events.ts'
import type { BenchEvent, Subject } from '../subject.ts'

let database: PouchDB<BenchEvent>
let appended: number

export const subject: Subject = {
  name: 'PouchDB',
  version: packageJson.version,

  async open(name) {
    database = new PouchDB(name, {
      adapter: 'idb',
      auto_compaction: false,
      revs_limit: 1,
      // No MD5 of each event: they are written once, and never replicated.
      deterministic_revs: false,
    })
    appended = 0
    // The constructor does not wait for the database.
    await database.info()
  },

  async append(batch) {
    const written = await database.bulkDocs(batch.map(event => ({ ...event, _id: nextKey() })))
    if (written.some(one => 'error' in one)) throw new Error('PouchDB did not write all')
  },

  async replay() {
    const { rows } = await database.allDocs({ include_docs: true })
    return rows.reduce((folded, { doc }) => fold(folded, doc), NOTHING)
  },

  async close() {
    await database.close()
  },
}

function nextKey(): string {
  return String(appended++).padStart(10, '0')
}
