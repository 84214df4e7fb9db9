// The behaviour of every EventStore, over a real worker and IndexedDB.

import { describeEventStore } from '../../src/conformance/index.ts'
import { openStore } from '../../src/index.ts'

let stores = 0

describeEventStore('a store in a worker, in IndexedDB', () => {
  const storeId = `contract-${Date.now()}-${++stores}`
  return () =>
    openStore(() => new Worker(new URL('./cart-worker.ts', import.meta.url), { type: 'module' }), { storeId })
})
