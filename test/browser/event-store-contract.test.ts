// The behaviour of every EventStore, over real workers and IndexedDB.

import { describeEventStore } from '../../src/conformance/index.ts'
import { openStore } from '../../src/index.ts'

let stores = 0

describeEventStore('a store in a worker, in IndexedDB', () => {
  const storeId = `contract-${Date.now()}-${++stores}`
  return () =>
    openStore(() => new Worker(new URL('./cart-worker.ts', import.meta.url), { type: 'module' }), { storeId })
})

describeEventStore('a store in a shared worker, in IndexedDB', () => {
  const storeId = `shared-contract-${Date.now()}-${++stores}`
  const start = (hung: number) =>
    new SharedWorker(new URL('./cart-worker.ts', import.meta.url), {
      type: 'module',
      name: `contract-${hung}`,
    })
  return () => openStore(start, { storeId })
})
