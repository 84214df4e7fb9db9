// Databases of the application for tests, each with tables for given read models, and what they show.

import Dexie from 'dexie'
import type { RowsUnderTest } from '../../src/conformance/index.ts'
import { dexieRows, readModelStores, shownTable, type TableIndexes } from '../../src/dexie/index.ts'
import type { AnyReadModel } from '../../src/model/read-model.ts'

export type Models = Readonly<Record<string, AnyReadModel>>

export const modelOf = (tables: TableIndexes): AnyReadModel => ({ tables, canHandle: [], evolve: {} })

const connections = new Set<Dexie>()

/** Another connection, as another tab has it. */
export function connect(name: string, models: Models): Dexie {
  const db = new Dexie(name)
  db.version(1).stores(readModelStores(...Object.values(models).map(({ tables }) => tables)))
  connections.add(db)
  return db
}

export const freshName = (): string => `rows-${crypto.randomUUID()}`

/** Not by asking for all there are: Chromium may owe the answer for ever where site data was just cleared. */
export async function deleteDatabases(): Promise<void> {
  const names = new Set([...connections].map(({ name }) => name))
  for (const db of connections) db.close()
  connections.clear()
  for (const name of names) indexedDB.deleteDatabase(name)
}

export async function shownRows(db: Dexie, table: string): Promise<object[]> {
  return (await shownTable(db, table)).toArray()
}

export async function freshRows(models: Models): Promise<RowsUnderTest> {
  const name = freshName()
  const page = connect(name, models)
  return {
    create: () => dexieRows(connect(name, models)),
    shown: table => shownRows(page, table),
    dispose: deleteDatabases,
  }
}
