// Room as a real browser gives it, and takes it away.

import { afterEach, expect, test } from 'vitest'
import { cdp } from 'vitest/browser'
import { openStore, type StorageStatus, type StoreClient } from '../../src/index.ts'
import { added, type cartApp } from '../worker/cart-app.ts'

const opened: StoreClient<typeof cartApp>[] = []
const used: string[] = []

const overrideQuota = (quotaSize?: number) =>
  cdp().send('Storage.overrideQuotaForOrigin', {
    origin: location.origin,
    ...(quotaSize !== undefined && { quotaSize }),
  })

afterEach(async () => {
  await overrideQuota()
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

test('a write that finds no room fails with the reason, reads go on, and so do writes once there is some', async () => {
  const store = await open()
  await store.appendToStream('cart-1', [added('kept')])
  // Less than is stored: what other tests have deleted counts for a while.
  await overrideQuota(1024)
  const large = Array.from({ length: 2_000 }, (_, i) => added(`${i}-${'x'.repeat(500)}`))
  await expect(store.appendToStream('cart-2', large)).rejects.toMatchObject({
    code: 'storage-failed',
    facts: { problem: 'quota' },
  })
  expect(await until(store, ({ problem }) => problem === 'full')).toMatchObject({ isLow: true })
  expect((await store.readStream('cart-1')).currentStreamVersion).toBe(1)
  expect((await store.readStream('cart-2')).currentStreamVersion).toBe(0)
  await overrideQuota()
  await store.appendToStream('cart-2', large)
  await until(store, ({ problem }) => problem !== 'full')
  expect((await store.readStream('cart-2')).currentStreamVersion).toBe(2_000)
  expect(await store.verify()).toMatchObject({ ok: true, events: 2_001 })
})
