// The behaviour of every EventStore, over the worker port.

import { openStore } from '../../src/client/open-store.ts'
import { describeEventStore } from '../../src/conformance/index.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { serveStoreOn } from '../../worker/serve-store.ts'
import { startSharedWorker } from './in-process.ts'

describeEventStore('a store over a port', () => {
  const database = createMemoryDatabase()
  const open = () => {
    const { port1, port2 } = new MessageChannel()
    serveStoreOn(port2, { app: {}, storage: () => memoryStorage({ database }), onError: () => {} })
    return openStore(() => port1, { storeId: 'contract' })
  }
  return open
})

describeEventStore('a store in a shared worker', () => {
  const database = createMemoryDatabase()
  const worker = startSharedWorker({ app: {}, storage: () => memoryStorage({ database }) })
  return () => openStore(worker.connect, { storeId: 'contract' })
})
