// SQLite WASM at the fastest found: still a row an event, but a batch enters and a chunk leaves as one JSON text.

import { inWorker } from './sqlite-wasm/in-worker.ts'

export const subject = inWorker(
  'SQLite WASM, JSON in bulk',
  () => new Worker(new URL('./sqlite-wasm-json/worker.ts', import.meta.url), { type: 'module' }),
)
