// The door streamdingo/dexie: rows of read models in a Dexie database, written by the worker and queried by the page.

export type { RowKey } from '../model/read-model.ts'
export type { RowStore } from '../model/row-store.ts'
export { dexieRows } from './dexie-rows.ts'
export { readModelStores, type TableIndexes } from './read-model-stores.ts'
export { readShown, shownTable } from './shown-table.ts'
