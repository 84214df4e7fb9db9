import { describeEventStore } from '../../src/conformance/event-store-contract.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'

describeEventStore('event store in memory', () => {
  const database = createMemoryDatabase()
  return async () =>
    createEventStore(await openLog({ storage: memoryStorage({ database }), storeId: 'contract' }))
})
