import { afterEach, expect, test } from 'vitest'
import { cdp } from 'vitest/browser'
import { describeEventStore, describeLogStorage, fixtureBlock } from '../../src/conformance/index.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { indexedDbStorage } from '../../src/storage/indexeddb/index.ts'

const freshName = (): string => `browser-${crypto.randomUUID()}`

/** Names of the databases that a test has used. */
const used = new Set<string>()
const storageOf = (name: string) => {
  used.add(name)
  return indexedDbStorage({ name })
}
const opened = async (name: string) => {
  const storage = storageOf(name)
  await storage.open()
  return storage
}

// Not by asking for all there are: Chromium may owe the answer for ever where site data was just cleared.
afterEach(() => {
  for (const name of used) indexedDB.deleteDatabase(name)
  used.clear()
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

describeEventStore('event store in IndexedDB (Chromium)', () => {
  const name = freshName()
  return async () => createEventStore(await openLog({ storage: storageOf(name), storeId: 'contract' }))
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

test('a store whose site data is cleared is closed, and refuses every call after', async () => {
  const storage = await opened(freshName())
  await storage.append(0, [await fixtureBlock()])
  const lost = new Promise<Error>(resolve => storage.onLost(resolve))
  await cdp().send('Storage.clearDataForOrigin', { origin: location.origin, storageTypes: 'indexeddb' })
  expect(await lost).toMatchObject({ facts: { problem: 'closed' } })
  await expect(storage.head()).rejects.toMatchObject({ facts: { problem: 'closed' } })
})
