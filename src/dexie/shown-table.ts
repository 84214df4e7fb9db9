// For the page: the table that is shown now for one of a read model's, in a way that live queries follow.

import type { Dexie, Table } from 'dexie'
import type { RowKey } from '../model/read-model.ts'
import { refuseUndeclared, shownRecords, twinName } from './read-model-stores.ts'

/**
 * The table that is shown now. A `liveQuery` that asks for it is run again when its rows change and when another one is
 * shown. To be asked for again by each query: a table that is no longer shown is empty. Where the switch comes between
 * asking and querying, so is the result, until the live query runs again; {@link readShown} rules that out.
 *
 * @throws `StoreError` `invalid-argument` where the database declares no such table.
 */
export async function shownTable<Row extends object = object, Key = RowKey>(
  db: Dexie,
  table: string,
): Promise<Table<Row, Key>> {
  refuseUndeclared(db, table)
  const record = await shownRecords(db).get(table)
  return db.table(twinName(table, record?.twin ?? 'a'))
}

/**
 * Queries tables as they are shown at one moment, all in one read transaction:
 *
 * ```ts
 * liveQuery(() => readShown(db, ['cards'], ({ cards }: { cards: Table<Card, string> }) => cards.toArray()))
 * ```
 *
 * The query may be run more than once. While a read model is made anew beside the tables, it does not wait for that.
 *
 * @throws `StoreError` `invalid-argument` where the database declares no such table.
 */
export async function readShown<Tables extends Readonly<Record<string, Table>>, Result>(
  db: Dexie,
  names: readonly (keyof Tables & string)[],
  query: (tables: Tables) => Result | PromiseLike<Result>,
): Promise<Result> {
  for (;;) {
    const tables = await shownTables(db, names)
    const read = await db.transaction('r', [shownRecords(db), ...tables], async () => {
      const standing = await shownTables(db, names)
      if (standing.some(({ name }, i) => name !== tables[i]!.name)) return undefined
      const byName = Object.fromEntries(names.map((name, i) => [name, tables[i]!]))
      return { result: await query(byName as Tables) }
    })
    if (read) return read.result
  }
}

function shownTables(db: Dexie, names: readonly string[]): Promise<Table[]> {
  return Promise.all(names.map(name => shownTable<object, RowKey>(db, name)))
}
