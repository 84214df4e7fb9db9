// What rows were before events that are not settled: kept with them, let go when the events are settled, and put back when
// the events are taken back.

import type { Collection, Dexie, Table } from 'dexie'
import type { GlobalPosition } from '../log/event.ts'
import type { RowKey } from '../model/read-model.ts'
import { type BeforeRecord, beforeRecords } from './read-model-stores.ts'
import { keyText } from './row-key.ts'

export async function letGo(db: Dexie, tables: readonly string[], through: GlobalPosition): Promise<void> {
  await Promise.all(tables.map(table => keptOf(db, { table, after: -1, through }).delete()))
}

/** Makes the rows of a table what they were before all that is behind a position. */
export async function takeBack(
  db: Dexie,
  table: Table<object, RowKey>,
  after: GlobalPosition,
): Promise<void> {
  const kept = keptOf(db, { table: table.name, after, through: Infinity })
  const oldest = new Map<string, BeforeRecord>()
  for (const before of await kept.toArray()) {
    const text = keyText(before.key)
    if (!oldest.has(text)) oldest.set(text, before)
  }
  const rows = [...oldest.values()]
  await table.bulkDelete(rows.filter(({ row }) => !row).map(({ key }) => key))
  await table.bulkPut(rows.flatMap(({ row }) => row ?? []))
  await kept.delete()
}

type Kept = Readonly<{ table: string; after: GlobalPosition; through: GlobalPosition }>

/** In the order in which they were kept. */
function keptOf(db: Dexie, { table, after, through }: Kept): Collection<BeforeRecord, number> {
  return beforeRecords(db).where('[table+position]').between([table, after], [table, through], false, true)
}
