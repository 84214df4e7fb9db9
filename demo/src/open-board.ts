// Opens the store of a board, in a worker of its own.

import { type ImportOptions, openStore, type StoreClient } from 'streamdingo'
import type { DemoApp } from './domain/app.ts'
import type { Replica } from './replica.ts'

/** As it is stored, begun anew from the server, or with a saved history in its place. */
export type Opening = Readonly<{ restore?: boolean; importFrom?: ImportOptions }>

export function openBoard(
  { boardId, database, release }: Replica,
  opening: Opening,
): Promise<StoreClient<DemoApp>> {
  const startWorker = (): Worker =>
    // The worker finds the database and the release in its own name.
    new Worker(new URL('../store-worker.ts', import.meta.url), {
      type: 'module',
      name: `${database}?${release}`,
    })
  return openStore<DemoApp>(startWorker, { storeId: boardId, sync: { token: boardId }, ...opening })
}
