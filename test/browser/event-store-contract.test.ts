// The behaviour of every EventStore, over a real worker and IndexedDB.

import { openStore } from '../../src/index.ts'
import { describeEventStore } from '../../src/conformance/index.ts'

let stores = 0

describeEventStore('a store in a worker, in IndexedDB', () => {
  const storeId = `contract-${Date.now()}-${++stores}`
  return () =>
    openStore(() => new Worker(new URL('./cart-worker.ts', import.meta.url), { type: 'module' }), { storeId })
})
