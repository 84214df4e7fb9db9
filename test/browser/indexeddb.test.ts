import { afterEach, expect, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { indexedDbStorage } from '../../src/storage/indexeddb/index.ts'
import { describeEventStore, describeLogStorage, fixtureBlock } from '../../src/testing/index.ts'

const freshName = (): string => `browser-${crypto.randomUUID()}`
const opened = async (name: string) => {
  const storage = indexedDbStorage({ name })
  await storage.open()
  return storage
}

afterEach(async () => {
  for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name!)
})

describeLogStorage('IndexedDB (Chromium)', async () => {
  const name = freshName()
  const handles: Awaited<ReturnType<typeof opened>>[] = []
  return {
    open: async () => {
      const storage = await opened(name)
      handles.push(storage)
      return storage
    },
    dispose: async () => {
      for (const handle of handles) await handle.close()
    },
  }
})

describeEventStore('event store in IndexedDB (Chromium)', async () => {
  const name = freshName()
  const open = async () =>
    createEventStore(await openLog({ storage: indexedDbStorage({ name }), storeId: 'contract' }))
  let store = await open()
  return {
    store,
    reopen: async () => {
      await store.close()
      store = await open()
      return store
    },
    dispose: () => store.close(),
  }
})

test('a database deleted under an open store is lost, not new', async () => {
  const name = freshName()
  const storage = await opened(name)
  await storage.append(0, [await fixtureBlock()])
  const lost = new Promise<Error>(resolve => storage.onLost(resolve))
  indexedDB.deleteDatabase(name)
  expect(await lost).toMatchObject({ facts: { problem: 'version-change' } })
  await expect(storage.head()).rejects.toMatchObject({ code: 'storage-failed' })
})
