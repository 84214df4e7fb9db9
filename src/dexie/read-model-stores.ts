// The tables of read models in an application's Dexie database: two for each of theirs, one of which is shown, and those
// that say which, how far each has come, and what rows were before events that are not settled yet.

import type { Dexie, Table } from 'dexie'
import { StoreError } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { RowKey } from '../model/read-model.ts'

/** The indexes of tables, as a read model's `tables` has them. */
export type TableIndexes = Readonly<Record<string, string>>

/** Either of the two tables that stand for one of a read model's. */
export type Twin = 'a' | 'b'

/** A table without a record shows its twin `a`. */
export type ShownRecord = Readonly<{ table: string; twin: Twin }>

export type ProgressRecord = Readonly<{
  model: string
  shown: SideRecord | null
  aside: SideRecord | null
  /** Counts up: who knows which twins are shown knows it as of one of these. */
  switches: number
}>

/** How far one side has come, and through where it cannot be taken back. */
export type SideRecord = Readonly<{ progress: string; settledThrough: GlobalPosition }>

/** What a row of a twin was before the event at a position; without a row: there was none. */
export type BeforeRecord = Readonly<{ table: string; position: GlobalPosition; key: RowKey; row?: object }>

/**
 * What `db.version(n).stores(…)` needs for the tables of read models, of one or of several:
 * `{ ...yourOwn, ...readModelStores(search.tables, board.tables) }`.
 *
 * @throws `StoreError` `invalid-argument` for tables without a primary key in their rows, with one that counts up, with
 * another unique index, and for names that clash.
 */
export function readModelStores(...models: readonly TableIndexes[]): Record<string, string> {
  const stores: Record<string, string> = {
    [SHOWN]: 'table',
    [PROGRESS]: 'model',
    // By position within a table; the number keeps the order of what was kept at one position.
    [BEFORE]: '++, [table+position]',
  }
  for (const [table, indexes] of models.flatMap(tables => Object.entries(tables))) {
    refuseName(table)
    if (twinName(table, 'a') in stores) refuse(table, 'two read models have a table of this name')
    refuseIndexes(table, sourcesOf(indexes))
    stores[twinName(table, 'a')] = indexes
    stores[twinName(table, 'b')] = indexes
  }
  return stores
}

// With a sign that names of read models' tables do not have: so none of these can be one of them.
const SHOWN = 'readModels$shown'
const PROGRESS = 'readModels$progress'
const BEFORE = 'readModels$before'

export const twinName = (table: string, twin: Twin): string => `${table}$${twin}`

export const otherTwin = (twin: Twin): Twin => (twin === 'a' ? 'b' : 'a')

export const shownRecords = (db: Dexie): Table<ShownRecord, string> => db.table(SHOWN)

export const progressRecords = (db: Dexie): Table<ProgressRecord, string> => db.table(PROGRESS)

export const beforeRecords = (db: Dexie): Table<BeforeRecord, number> => db.table(BEFORE)

/** The names of the read models' tables that a database has. */
export function declaredTables(db: Dexie): string[] {
  const names = new Set(db.tables.map(({ name }) => name))
  if (![SHOWN, PROGRESS, BEFORE].every(name => names.has(name))) return []
  return [...names].filter(name => name.endsWith('$a')).map(name => name.slice(0, -'$a'.length))
}

/** @throws `StoreError` `invalid-argument` where the database has no such table, or one with other indexes. */
export function refuseUndeclared(db: Dexie, table: string, indexes?: string): void {
  const declared = declaredTables(db)
  if (!declared.includes(table)) {
    const others = declared.length === 0 ? 'none' : declared.join(', ')
    refuse(
      table,
      `the database "${db.name}" has no such table of a read model (it has: ${others}). Declare it with stores({ …, ...readModelStores(tables) })`,
    )
  }
  if (indexes === undefined) return
  for (const twin of ['a', 'b'] as const) {
    const { primKey, indexes: others } = db.table(twinName(table, twin)).schema
    const has = [primKey, ...others].map(({ src }) => src)
    if (isSameTable(has, sourcesOf(indexes))) continue
    refuse(table, `it is declared as "${has.join(', ')}" and defined as "${indexes}". Raise the version`)
  }
}

function isSameTable([primaryKey, ...indexes]: string[], [otherKey, ...others]: string[]): boolean {
  return primaryKey === otherKey && indexes.sort().join() === others.sort().join()
}

/** As Dexie has them when it has parsed them: without types, and a primary key is unique without saying so. */
function sourcesOf(indexes: string): string[] {
  return indexes
    .split(',')
    .map(index => index.split(':')[0]!.trim())
    .map((index, i) => (i === 0 ? index.replace('&', '') : index))
}

function refuseName(table: string): void {
  if (table === '' || table.includes('$')) refuse(table, 'a name is not empty and has no "$"')
}

function refuseIndexes(table: string, [primaryKey, ...indexes]: string[]): void {
  if (primaryKey!.includes('++')) {
    refuse(
      table,
      'a primary key that counts up would be another one when rows are made anew: take one of the event',
    )
  }
  if (primaryKey === '') refuse(table, 'the primary key must be a property of the row')
  if (primaryKey!.startsWith('*')) refuse(table, 'a primary key has one value')
  const unique = indexes.find(index => index.includes('&'))
  if (unique !== undefined) {
    refuse(table, `the index "${unique}" cannot be unique: what has happened cannot be refused any more`)
  }
}

function refuse(table: string, problem: string): never {
  throw new StoreError('invalid-argument', `Table "${table}": ${problem}`, { table, problem })
}
