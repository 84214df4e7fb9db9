// SQLite with a column for each part of an event, one insert an event, one transaction a batch.

import type { Database, PreparedStatement } from '@sqlite.org/sqlite-wasm'
import { expose } from 'comlink'
import { fold, NOTHING } from '../../events.ts'
import type { BenchEvent } from '../../subject.ts'
import type { SqliteLog } from './in-worker.ts'
import { openDatabase } from './open-database.ts'

let database: Database
let insert: PreparedStatement

const log: SqliteLog = {
  async open(name) {
    database = await openDatabase(name)
    database.exec(
      'CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, id TEXT, stream TEXT, type TEXT, data TEXT)',
    )
    insert = database.prepare('INSERT INTO events (id, stream, type, data) VALUES (?, ?, ?, ?)')
  },

  append(batch) {
    database.transaction(() => {
      for (const { id, stream, type, data } of batch) {
        insert.bind([id, stream, type, JSON.stringify(data)]).stepReset()
      }
    })
  },

  replay() {
    const select = database.prepare('SELECT id, stream, type, data FROM events ORDER BY position')
    let folded = NOTHING
    while (select.step()) folded = fold(folded, eventOf(select.get([]) as string[]))
    select.finalize()
    return folded
  },

  close() {
    insert.finalize()
    database.close()
  },
}

function eventOf([id, stream, type, data]: readonly string[]): BenchEvent {
  return { id, stream, type, data: JSON.parse(data!) } as BenchEvent
}

expose(log)
