// Room as a real browser gives it.

import { afterEach, expect, test } from 'vitest'
import { openStore, type StorageStatus, type StoreClient } from '../../src/index.ts'
import { added, type cartApp } from '../worker/cart-app.ts'

const opened: StoreClient<typeof cartApp>[] = []
const used: string[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close()))
  for (const name of used.splice(0)) indexedDB.deleteDatabase(name)
})

async function open(): Promise<StoreClient<typeof cartApp>> {
  const storeId = `room-${crypto.randomUUID()}`
  used.push(storeId)
  const start = () => new Worker(new URL('./cart-worker.ts', import.meta.url), { type: 'module' })
  const store = await openStore<typeof cartApp>(start, { storeId })
  opened.push(store)
  return store
}

function until(
  store: StoreClient<typeof cartApp>,
  fits: (status: StorageStatus) => boolean,
): Promise<StorageStatus> {
  const status = store.storage()
  return new Promise(resolve => {
    const look = () => fits(status.getSnapshot()) && resolve(status.getSnapshot())
    status.subscribe(look)
    look()
  })
}

test('says how much there is, and whether the browser keeps it', async () => {
  const store = await open()
  const { usage, quota, isLow } = await until(store, ({ quota }) => quota !== null)
  expect(usage).toBeLessThan(quota!)
  expect(isLow).toBe(false)
  await store.appendToStream('cart-1', [added('a')])
  const { persisted, problem } = await until(
    store,
    ({ persisted, problem }) => persisted === true || problem === 'may-be-evicted',
  )
  expect(problem).toBe(persisted ? null : 'may-be-evicted')
})
