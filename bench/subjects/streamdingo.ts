// StreamDingo as an application uses it: the built package, page to worker to IndexedDB, hash-chained, and folded in
// the worker from blocks that were checked against their digests.

import { openStore, type StoreClient } from 'streamdingo'
import packageJson from '../../package.json' with { type: 'json' }
import { NOTHING } from '../events.ts'
import { streamRuns } from '../stream-runs.ts'
import type { Subject } from '../subject.ts'
import type { app } from './streamdingo/app.ts'

let store: StoreClient<typeof app>

export const subject: Subject = {
  name: 'StreamDingo',
  version: packageJson.version,

  async open(database) {
    store = await openStore<typeof app>(
      () => new Worker(new URL('./streamdingo/store-worker.ts', import.meta.url), { type: 'module' }),
      { storeId: database },
    )
  },

  async append(batch) {
    await store.appendToStreams(streamRuns(batch))
  },

  async replay() {
    const snapshot = await store.projection('total').get('all')
    return snapshot?.state ?? NOTHING
  },

  close: () => store.close(),
}
