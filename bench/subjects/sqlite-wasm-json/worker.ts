// SQLite with an event as one JSON text: json_each makes the rows of a batch, group_concat the text of a chunk.

import type { Database, PreparedStatement } from '@sqlite.org/sqlite-wasm'
import { expose } from 'comlink'
import { fold, NOTHING } from '../../events.ts'
import type { BenchEvent } from '../../subject.ts'
import type { SqliteLog } from '../sqlite-wasm/in-worker.ts'
import { openDatabase } from '../sqlite-wasm/open-database.ts'

const CHUNK = 1_000

let database: Database
let insert: PreparedStatement

const log: SqliteLog = {
  async open(name) {
    database = await openDatabase(name)
    database.exec('CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, event TEXT)')
    // In the order of the array; one statement is one transaction.
    insert = database.prepare('INSERT INTO events (event) SELECT value FROM json_each(?)')
  },

  append(batch) {
    insert.bind([JSON.stringify(batch)]).stepReset()
  },

  replay() {
    const select = database.prepare(`
      SELECT '[' || group_concat(event ORDER BY position) || ']'
      FROM events WHERE position >= ? AND position < ?`)
    let folded = NOTHING
    // Positions are given from 1 and without gaps.
    for (let next = 1; ; next += CHUNK) {
      select.bind([next, next + CHUNK]).step()
      const text = select.getString(0)
      select.reset()
      if (text === null) break
      const events: BenchEvent[] = JSON.parse(text)
      folded = events.reduce(fold, folded)
    }
    select.finalize()
    return folded
  },

  close() {
    insert.finalize()
    database.close()
  },
}

expose(log)
