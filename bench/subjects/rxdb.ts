// RxDB on its free storage for browsers, which is Dexie: bulkInsert, and a query for all by the primary key, given to
// the storage itself, which is a tenth faster than find. Without the wrapper that validates by the schema.

import {
  createRxDatabase,
  prepareQuery,
  type RxCollection,
  type RxDatabase,
  type RxJsonSchema,
} from 'rxdb/plugins/core'
import { getRxStorageDexie } from 'rxdb/plugins/storage-dexie'
import packageJson from '../../node_modules/rxdb/package.json' with { type: 'json' }
import { fold, NOTHING } from '../events.ts'
import type { BenchEvent, Subject } from '../subject.ts'

type Numbered = BenchEvent & Readonly<{ key: string }>

const KEY_LENGTH = 10

const SCHEMA: RxJsonSchema<Numbered> = {
  version: 0,
  primaryKey: 'key',
  type: 'object',
  properties: {
    key: { type: 'string', maxLength: KEY_LENGTH },
    id: { type: 'string' },
    stream: { type: 'string' },
    type: { type: 'string' },
    data: { type: 'object' },
  },
  required: ['key', 'id', 'stream', 'type', 'data'],
}

let database: RxDatabase
let events: RxCollection<Numbered>
let appended: number

export const subject: Subject = {
  name: 'RxDB on Dexie',
  version: packageJson.version,

  async open(name) {
    database = await createRxDatabase({
      name,
      storage: getRxStorageDexie({ chromeTransactionDurability: 'relaxed' }),
      multiInstance: false,
    })
    ;({ events } = await database.addCollections<{ events: RxCollection<Numbered> }>({
      events: { schema: SCHEMA },
    }))
    appended = 0
  },

  async append(batch) {
    const { error } = await events.bulkInsert(batch.map(event => ({ ...event, key: nextKey() })))
    if (error.length > 0) throw new Error('RxDB did not write all')
  },

  async replay() {
    const { storageInstance } = events
    const inOrder = prepareQuery(storageInstance.schema, {
      selector: { _deleted: { $eq: false } },
      sort: [{ key: 'asc' }],
      skip: 0,
    })
    const { documents } = await storageInstance.query(inOrder)
    return documents.reduce(fold, NOTHING)
  },

  async close() {
    await database.close()
  },
}

function nextKey(): string {
  return String(appended++).padStart(KEY_LENGTH, '0')
}
