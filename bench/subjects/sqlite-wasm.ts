// SQLite WASM the way its documentation shows it: a row an event by a prepared statement, read row by row.

import { inWorker } from './sqlite-wasm/in-worker.ts'

export const subject = inWorker(
  'SQLite WASM, a row at a time',
  () => new Worker(new URL('./sqlite-wasm/worker.ts', import.meta.url), { type: 'module' }),
)
