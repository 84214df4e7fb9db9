import { describeLogStorage } from '../../src/conformance/index.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'

describeLogStorage('memory', async () => {
  const database = createMemoryDatabase()
  return {
    open: async () => {
      const storage = memoryStorage({ database })
      await storage.open()
      return storage
    },
    dispose: async () => {},
  }
})
