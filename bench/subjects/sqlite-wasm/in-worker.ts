// The page's side of SQLite: each batch crosses to the worker in one message, and a replay is folded over there.

import { type Remote, releaseProxy, wrap } from 'comlink'
import packageJson from '../../../node_modules/@sqlite.org/sqlite-wasm/package.json' with { type: 'json' }
import type { BenchEvent, Folded, Subject } from '../../subject.ts'

/** What a worker of SQLite exposes. */
export type SqliteLog = Readonly<{
  open(name: string): Promise<void>
  append(batch: readonly BenchEvent[]): void
  replay(): Folded
  close(): void
}>

export function inWorker(name: string, startWorker: () => Worker): Subject {
  let worker: Worker
  let log: Remote<SqliteLog>
  return {
    name,
    version: packageJson.version,

    async open(database) {
      worker = startWorker()
      log = wrap<SqliteLog>(worker)
      await log.open(database)
    },

    append: batch => log.append(batch),

    replay: () => log.replay(),

    async close() {
      await log.close()
      log[releaseProxy]()
      worker.terminate()
    },
  }
}
