// Dexie: bulkAdd, which is one transaction a batch and waits for the last request alone.

import { Dexie, type Table } from 'dexie'
import packageJson from '../../node_modules/dexie/package.json' with { type: 'json' }
import { fold, NOTHING } from '../events.ts'
import type { BenchEvent, Subject } from '../subject.ts'

let database: Dexie
let events: Table<BenchEvent, number>

export const subject: Subject = {
  name: 'Dexie',
  version: packageJson.version,

  async open(name) {
    database = new Dexie(name, { chromeTransactionDurability: 'relaxed' })
    database.version(1).stores({ events: '++' })
    events = database.table('events')
    await database.open()
  },

  async append(batch) {
    await events.bulkAdd(batch)
  },

  async replay() {
    return (await events.toArray()).reduce(fold, NOTHING)
  },

  async close() {
    database.close()
  },
}
