// One worker for several pages: each is a client of its own, and none waits for one that is gone.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type OpenStoreOptions, openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { bearerToken } from '../../src/server/access.ts'
import { createSyncServer } from '../../src/server/sync-server.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import type { ServeStoreOptions } from '../../worker/serve-store.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'
import { FakeLocks } from './fake-locks.ts'
import { shows, startSharedWorker } from './in-process.ts'

type CartStore = StoreClient<typeof cartApp>

const opened: CartStore[] = []
let locks: FakeLocks

beforeEach(() => {
  locks = new FakeLocks()
  vi.stubGlobal('navigator', { locks, onLine: true })
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** A shared worker that counts the storages it opens, and pages of it. */
function sharedWorker(options: Partial<ServeStoreOptions> = {}) {
  const database = createMemoryDatabase()
  let openings = 0
  const storage = () => {
    const made = memoryStorage({ database })
    const open = made.open.bind(made)
    made.open = async () => {
      openings++
      await open()
    }
    return made
  }
  const worker = startSharedWorker({ app: cartApp, storage, ...options })
  const page = async (given: Partial<OpenStoreOptions> = {}, source = worker.connect) => {
    const store = await openStore<typeof cartApp>(source, { storeId: 's', ...given })
    opened.push(store)
    return store
  }
  return { worker, page, openings: () => openings }
}

describe('pages of one store', () => {
  test('share one open log, and each appends, reads and has views and subscriptions of its own', async () => {
    const { page, openings } = sharedWorker()
    const [one, other] = await Promise.all([page(), page()])
    expect(openings()).toBe(1)
    const seen: string[] = []
    await other.subscribe<CartEvent>(({ data }) => void seen.push(data?.sku ?? ''))
    const shown = [one, other].map(store =>
      shows(store.view('contents', 'cart-1'), ({ total }) => total === 2),
    )
    await one.appendToStream('cart-1', [added('a')])
    await other.execute('cart', '1', { type: 'Add', data: { sku: 'b', count: 1 } })
    await Promise.all(shown)
    await vi.waitFor(() => expect(seen).toEqual(['a', 'b']))
    expect(await one.verify()).toMatchObject({ ok: true, events: 2 })
  })

  test('that gives another id has a store of its own', async () => {
    const databases = new Map<string, ReturnType<typeof createMemoryDatabase>>()
    const storage: ServeStoreOptions['storage'] = ({ storeId }) => {
      const database = databases.get(storeId) ?? createMemoryDatabase()
      databases.set(storeId, database)
      return memoryStorage({ database })
    }
    const { page } = sharedWorker({ storage })
    const [one, other] = [await page({ storeId: 'a' }), await page({ storeId: 'b' })]
    await one.appendToStream('cart-1', [added('a')])
    expect(await other.streamExists('cart-1')).toBe(false)
  })

  test('that means another server or database is refused with what to do, and the others go on', async () => {
    const storage: ServeStoreOptions['storage'] = ({ token }) =>
      Object.assign(memoryStorage(), { place: `of ${token ?? 'nobody'}` })
    const { page } = sharedWorker({ storage })
    const one = await page()
    await expect(page({ sync: { url: 'http://127.0.0.1:1' } })).rejects.toMatchObject({
      code: 'worker-mismatch',
      facts: { difference: 'server' },
    })
    await expect(page({ sync: { token: 'somebody' } })).rejects.toMatchObject({
      code: 'worker-mismatch',
      facts: { difference: 'database' },
    })
    await one.appendToStream('cart-1', [added('a')])
  })

  test('hear of a storage that could not be opened, each, and the next one opens it again', async () => {
    let fails = true
    const storage = () => {
      const made = memoryStorage()
      const open = made.open.bind(made)
      made.open = async () => {
        if (fails) throw new Error('no disk')
        await open()
      }
      return made
    }
    const { page } = sharedWorker({ storage })
    const refused = await Promise.allSettled([page(), page()])
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    fails = false
    await (await page()).appendToStream('cart-1', [added('a')])
  })

  test('that begins the log anew leaves the others with a store that is lost, and one to open', async () => {
    const { page } = sharedWorker()
    const one = await page()
    await one.appendToStream('cart-1', [added('a')])
    await page({ restore: true })
    await vi.waitFor(() => expect(one.health().getSnapshot().phase).toBe('lost'))
    await one.close()
    const again = await page()
    await again.appendToStream('cart-1', [added('b')])
  })
})

describe('a page that closes', () => {
  test('leaves the store to the others; the last one closes it', async () => {
    const { page, openings } = sharedWorker()
    const [one, other] = [await page(), await page()]
    await one.close()
    await other.appendToStream('cart-1', [added('a')])
    await other.close()
    const again = await page()
    expect(openings()).toBe(2)
    expect((await again.readStream('cart-1')).currentStreamVersion).toBe(1)
  })

  test('has had its writes answered before', async () => {
    const { page } = sharedWorker()
    const [one, other] = [await page(), await page()]
    const appends = Array.from({ length: 50 }, (_, i) => one.appendToStream('cart-1', [added(`${i}`)]))
    await Promise.resolve()
    await one.close()
    expect(await Promise.all(appends)).toHaveLength(50)
    expect((await other.readStream('cart-1')).currentStreamVersion).toBe(50)
  })
})

describe('sync', () => {
  test('is one loop for all pages, and a token is asked of a page that is still there', async () => {
    let good = 'first'
    const server = createSyncServer({
      openStorage: () => memoryStorage(),
      authorize: request =>
        bearerToken(request) === good ? { storeId: 's', read: true, append: true } : null,
    })
    const pulls = vi.fn()
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      if (new URL(url).pathname === '/v1/hints') pulls()
      return server.fetch(new Request(url, init))
    })
    const { page } = sharedWorker({ sync: { url: 'http://server.test' } })
    const renewed: string[] = []
    const open = (name: string) =>
      page({
        sync: {
          token: 'first',
          renewToken: () => {
            renewed.push(name)
            return good
          },
        },
      })
    const [one, other] = [await open('one'), await open('other')]
    const isConfirmed = (store: CartStore, events: number) =>
      vi.waitFor(() =>
        expect(store.sync.status().getSnapshot()).toMatchObject({
          phase: 'idle',
          pending: 0,
          serverPosition: events,
        }),
      )
    await one.appendToStream('cart-1', [added('a')])
    await Promise.all([isConfirmed(one, 1), isConfirmed(other, 1)])
    expect(pulls).toHaveBeenCalledOnce()
    await one.close()
    good = 'second'
    await other.appendToStream('cart-1', [added('b')])
    await isConfirmed(other, 2)
    expect(renewed).toEqual(['other'])
    await other.close()
    await server.close()
  })

  test('goes on with the token of a page that comes later', async () => {
    let good = 'first'
    const server = createSyncServer({
      openStorage: () => memoryStorage(),
      authorize: request =>
        bearerToken(request) === good ? { storeId: 's', read: true, append: true } : null,
    })
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => server.fetch(new Request(url, init)))
    const { page } = sharedWorker({ sync: { url: 'http://server.test' } })
    const one = await page({ sync: { token: 'first' } })
    good = 'second'
    await one.appendToStream('cart-1', [added('a')])
    await vi.waitFor(() => expect(one.sync.status().getSnapshot().phase).toBe('stopped'))
    const other = await page({ sync: { token: 'second' } })
    for (const store of [one, other]) {
      await vi.waitFor(() =>
        expect(store.sync.status().getSnapshot()).toMatchObject({ phase: 'idle', pending: 0 }),
      )
    }
    await one.close()
    await other.close()
    await server.close()
  })
})
