// A database on opfs-sahpool, which exists in workers only.

import sqlite3InitModule, { type Database } from '@sqlite.org/sqlite-wasm'

export async function openDatabase(name: string): Promise<Database> {
  const sqlite = await sqlite3InitModule()
  const pool = await sqlite.installOpfsSAHPoolVfs({})
  const database = new pool.OpfsSAHPoolDb(`/${name}.sqlite3`)
  // What relaxed durability means to IndexedDB: a commit survives the page, and is not flushed. The pool has no shared
  // memory, without which a write-ahead log needs the exclusive lock.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  return database
}
