// The link over a real worker, real locks and real IndexedDB.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { isStoreError, openStore, type StoreClient, type View } from '../../src/index.ts'
import { added, type CartEvent, type cartApp } from '../worker/cart-app.ts'

type CartStore = StoreClient<typeof cartApp>

const opened: CartStore[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
})

const startWorker = () => new Worker(new URL('./cart-worker.ts', import.meta.url), { type: 'module' })

/** A store of this name, and the workers it was given, so that a test can end them. */
async function open(storeId: string): Promise<{ store: CartStore; workers: Worker[] }> {
  const workers: Worker[] = []
  const store = await openStore<typeof cartApp>(
    () => {
      const worker = startWorker()
      workers.push(worker)
      return worker
    },
    { storeId },
  )
  opened.push(store)
  return { store, workers }
}

let stores = 0
const newStoreId = () => `link-${Date.now()}-${++stores}`

function shows<S>(view: View<S>, wanted: (state: S) => boolean): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      const snapshot = view.getSnapshot()
      if (!snapshot || !wanted(snapshot.state)) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = view.subscribe(look)
    look()
  })
}

test('what was appended is there when the store is opened again', async () => {
  const storeId = newStoreId()
  const { store } = await open(storeId)
  await Promise.all(Array.from({ length: 1000 }, (_, i) => store.appendToStream('cart-1', [added(`${i}`)])))
  await store.execute('cart', '2', { type: 'Add', data: { sku: 'a', count: 2 } })
  const before = await store.projection('contents').get('cart-1')
  await store.close()
  const again = (await open(storeId)).store
  expect((await again.readStream('cart-1')).currentStreamVersion).toBe(1000)
  expect(await again.projection('contents').get('cart-1')).toEqual(before)
  expect(await again.verify()).toMatchObject({ ok: true, events: 1001 })
})

describe('a worker that is terminated', () => {
  test('in the middle of 100 appends is replaced, and nothing is lost or doubled', async () => {
    const { store, workers } = await open(newStoreId())
    const appends = Array.from({ length: 100 }, (_, i) => store.appendToStream('cart-1', [added(`${i}`)]))
    await new Promise<void>(resolve => setTimeout(resolve, 0))
    workers[0]!.terminate()
    await Promise.all(appends)
    await vi.waitFor(() =>
      expect(store.health().getSnapshot()).toMatchObject({ phase: 'ready', restarts: 1, webLocks: true }),
    )
    expect(workers).toHaveLength(2)
    const { events } = await store.readStream<CartEvent>('cart-1')
    expect(events.map(({ data }) => data?.sku)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`))
    expect(await store.verify()).toMatchObject({ ok: true, events: 100 })
  })

  test('and cannot be replaced: all calls in flight settle with worker-died, long before any deadline', async () => {
    const worker = startWorker()
    const store = await openStore<typeof cartApp>(worker, { storeId: newStoreId(), callTimeoutMs: 600_000 })
    const calls = Array.from({ length: 100 }, (_, i) => store.appendToStream('cart-1', [added(`${i}`)]))
    await Promise.resolve()
    worker.terminate()
    const settled = await Promise.allSettled(calls)
    const died = settled.filter(one => one.status === 'rejected' && isStoreError(one.reason, 'worker-died'))
    const answered = settled.filter(one => one.status === 'fulfilled')
    expect(died.length + answered.length).toBe(100)
    await vi.waitFor(() => expect(store.health().getSnapshot().phase).toBe('lost'))
    await expect(store.streamExists('cart-1')).rejects.toMatchObject({ code: 'worker-died' })
  })

  test('leaves views and subscriptions that go on in the next one', async () => {
    const { store, workers } = await open(newStoreId())
    const seen: string[] = []
    await store.subscribe<CartEvent>(({ data }) => void seen.push(data?.sku ?? ''))
    const view = store.view('contents', 'cart-1')
    const first = shows(view, ({ total }) => total === 1)
    await store.appendToStream('cart-1', [added('a')])
    await first
    workers[0]!.terminate()
    const second = shows(view, ({ total }) => total === 2)
    await store.appendToStream('cart-1', [added('b')])
    await second
    await vi.waitFor(() => expect(seen).toEqual(['a', 'b']))
  })
})

test('a worker whose script does not load is worker-died', async () => {
  const missing = () => new Worker(new URL('/no-such-worker.js', location.origin), { type: 'module' })
  await expect(openStore<typeof cartApp>(missing, { storeId: newStoreId() })).rejects.toMatchObject({
    code: 'worker-died',
  })
})

describe('two clients of one store', () => {
  test('see what the other appends', async () => {
    const storeId = newStoreId()
    const [one, other] = [(await open(storeId)).store, (await open(storeId)).store]
    const shown = Promise.all(
      [one, other].map(store => shows(store.view('contents', 'cart-1'), ({ total }) => total === 2)),
    )
    await Promise.all([
      one.appendToStream('cart-1', [added('a')]),
      other.appendToStream('cart-1', [added('b')]),
    ])
    await shown
    expect(await one.verify()).toMatchObject({ ok: true, events: 2 })
  })

  test('append 500 each to one stream, and none is lost or doubled', async () => {
    const storeId = newStoreId()
    const clients = [(await open(storeId)).store, (await open(storeId)).store]
    await Promise.all(
      clients.map(async (store, n) => {
        for (let i = 0; i < 500; i += 10) {
          const appends = Array.from({ length: 10 }, (_, k) =>
            store.appendToStream('cart-1', [added(`${n}-${i + k}`)]),
          )
          await Promise.all(appends)
        }
      }),
    )
    const { store } = await open(storeId)
    const { events } = await store.readStream<CartEvent>('cart-1')
    expect(events).toHaveLength(1000)
    expect(new Set(events.map(({ data }) => data?.sku)).size).toBe(1000)
    expect(await store.verify()).toMatchObject({ ok: true, events: 1000 })
  })
})

test('a view is told at most once a frame, however fast the events come', async () => {
  const { store } = await open(newStoreId())
  const view = store.view('contents', 'cart-1')
  let frames = 0
  let changes = 0
  let isOver = false
  const count = () => {
    frames++
    if (!isOver) requestAnimationFrame(count)
  }
  requestAnimationFrame(count)
  view.subscribe(() => changes++)
  const shown = shows(view, ({ total }) => total === 2000)
  for (let i = 0; i < 200; i++) {
    await Promise.all(Array.from({ length: 10 }, () => store.appendToStream('cart-1', [added('a')])))
  }
  await shown
  isOver = true
  expect(changes).toBeGreaterThan(0)
  expect(changes).toBeLessThanOrEqual(frames + 1)
})

test('a database that is deleted under the store shows as lost, not as new', async () => {
  const storeId = newStoreId()
  const { store } = await open(storeId)
  await store.appendToStream('cart-1', [added('a')])
  const lost = vi.waitFor(() =>
    expect(store.health().getSnapshot()).toMatchObject({ phase: 'lost', error: { code: 'storage-failed' } }),
  )
  await new Promise(resolve => {
    indexedDB.deleteDatabase(storeId).onsuccess = resolve
  })
  await lost
  await expect(store.appendToStream('cart-1', [added('b')])).rejects.toMatchObject({ code: 'storage-failed' })
})
