// A page opens a saved history: over the port, with progress, and with other tabs on the same database.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type ImportOptions, openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import type { WorkerEndpoint } from '../../src/client/worker-session.ts'
import type { ImportProgress } from '../../src/model/import.ts'
import { bearerToken } from '../../src/server/access.ts'
import { createSyncServer, type SyncServer } from '../../src/server/sync-server.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { serveStoreOn } from '../../worker/serve-store.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'

type CartStore = StoreClient<typeof cartApp>

const opened: CartStore[] = []
const errors: Error[] = []
let server: SyncServer

beforeEach(() => {
  server = createSyncServer({
    openStorage: () => memoryStorage(),
    authorize: request =>
      bearerToken(request) === 'good' ? { storeId: 'shop', read: true, append: true, erase: true } : null,
  })
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => server.fetch(new Request(url, init)))
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close()))
  await server.close()
  vi.unstubAllGlobals()
  expect(errors.splice(0)).toEqual([])
})

type Wish = Readonly<{ importFrom?: ImportOptions; syncs?: boolean; restore?: boolean }>

function startWorker(database: MemoryDatabase, { syncs = false }: Wish): WorkerEndpoint {
  const { port1, port2 } = new MessageChannel()
  serveStoreOn(port2, {
    app: cartApp,
    storage: () => memoryStorage({ database }),
    ...(syncs && { sync: { url: 'http://server.test', token: 'good' } }),
    onError: error => errors.push(error),
  })
  return port1
}

async function open(database: MemoryDatabase, wish: Wish = {}): Promise<CartStore> {
  const { importFrom, restore } = wish
  const store = await openStore<typeof cartApp>(startWorker(database, wish), {
    storeId: 'shop',
    ...(importFrom && { importFrom }),
    ...(restore && { restore }),
  })
  opened.push(store)
  return store
}

async function close(store: CartStore): Promise<void> {
  opened.splice(opened.indexOf(store), 1)
  await store.close()
}

const fileOf = (store: CartStore): Promise<Blob> => new Response(store.export()).blob()

const skusIn = async (store: CartStore): Promise<string[]> => {
  const skus: string[] = []
  for await (const { data } of store.readAll<CartEvent>()) skus.push((data as { sku: string }).sku)
  return skus
}

const synced = (store: CartStore) =>
  vi.waitFor(
    () => expect(store.sync.status().getSnapshot()).toMatchObject({ phase: 'idle', pending: 0 }),
    20_000,
  )

describe('a saved history', () => {
  test('is opened on another device, offline, and what was pending there goes to the server from here', async () => {
    const original = await open(createMemoryDatabase(), { syncs: true })
    await original.appendToStream('cart-1', [added('sent')])
    await synced(original)
    await original.sync.setOnline(false)
    await original.appendToStream('cart-1', [added('pending')])
    const file = await fileOf(original)
    await close(original)

    const database = createMemoryDatabase()
    const told: ImportProgress[] = []
    const offline = await open(database, {
      importFrom: { file, onProgress: progress => told.push(progress) },
    })
    expect(told[0]).toMatchObject({ phase: 'verifying' })
    expect(await skusIn(offline)).toEqual(['sent', 'pending'])
    const { events } = await offline.readStream('cart-1')
    expect(events.map(({ metadata }) => metadata.status)).toEqual(['confirmed', 'pending'])
    expect(await offline.verify()).toMatchObject({ ok: true })
    expect((await offline.projection('contents').get('cart-1'))!.state.total).toBe(2)
    expect(offline.integrity().getSnapshot().verdicts).toEqual([])
    await close(offline)

    const online = await open(database, { syncs: true })
    await synced(online)
    const other = await open(createMemoryDatabase(), { syncs: true })
    await vi.waitFor(async () => expect(await skusIn(other)).toEqual(['sent', 'pending']), 20_000)
  })

  test('is refused where the store has events, with what would go; with `replace`, other tabs are told', async () => {
    const source = await open(createMemoryDatabase())
    await source.appendToStream('cart-1', [added('saved')])
    const file = await fileOf(source)
    const database = createMemoryDatabase()
    const other = await open(database)
    await other.appendToStream('cart-1', [added('mine')])
    await expect(open(database, { importFrom: { file } })).rejects.toMatchObject({
      code: 'import-refused',
      facts: { problem: 'not-empty', pending: 1 },
    })
    expect(await skusIn(other)).toEqual(['mine'])
    const store = await open(database, { importFrom: { file, replace: true } })
    await vi.waitFor(() => expect(other.health().getSnapshot().phase).toBe('lost'))
    expect(await skusIn(store)).toEqual(['saved'])
  })

  test('that does not hold leaves a worker that serves the store as it was', async () => {
    const source = await open(createMemoryDatabase())
    await source.appendToStream('cart-1', [added('saved')])
    const bytes = new Uint8Array(await (await fileOf(source)).arrayBuffer())
    bytes[bytes.length - 50]! ^= 1
    const database = createMemoryDatabase()
    const port = startWorker(database, {})
    const importFrom = { file: new Blob([bytes]) }
    await expect(openStore<typeof cartApp>(port, { storeId: 'shop', importFrom })).rejects.toMatchObject({
      code: 'import-refused',
      facts: { problem: 'damaged' },
    })
    const store = await openStore<typeof cartApp>(port, { storeId: 'shop' })
    opened.push(store)
    expect(await skusIn(store)).toEqual([])
  })

  test('is not opened once more by a worker that takes the place of one that died', async () => {
    const source = await open(createMemoryDatabase())
    await source.appendToStream('cart-1', [added('saved')])
    const file = await fileOf(source)
    const database = createMemoryDatabase()
    const ports: WorkerEndpoint[] = []
    const start = () => {
      ports.push(startWorker(database, {}))
      return ports.at(-1)!
    }
    const importFrom = { file }
    const store = await openStore<typeof cartApp>(start, { storeId: 'shop', importFrom, callTimeoutMs: 500 })
    opened.push(store)
    await store.appendToStream('cart-1', [added('behind it')])
    ports[0]!.close!()
    await store.appendToStream('cart-1', [added('and this')])
    expect(ports).toHaveLength(2)
    expect(await skusIn(store)).toEqual(['saved', 'behind it', 'and this'])
  })

  test('is given up when that is asked for, before it begins or while it is read', async () => {
    const source = await open(createMemoryDatabase())
    await source.appendToStream('cart-1', [added('saved')])
    const file = await fileOf(source)
    const database = createMemoryDatabase()
    await expect(open(database, { importFrom: { file, signal: AbortSignal.abort() } })).rejects.toMatchObject(
      {
        code: 'aborted',
      },
    )
    const aborting = new AbortController()
    const { port1, port2 } = new MessageChannel()
    const inner = memoryStorage({ database })
    serveStoreOn(port2, {
      app: cartApp,
      // What is aborted while the first entry is copied has not been taken in.
      storage: () =>
        wrapStorage(inner, {
          put: async values => {
            if (!aborting.signal.aborted && Object.keys(values).some(key => key.startsWith('import/'))) {
              const heard = hears(port2, 'cancelImport')
              aborting.abort()
              await heard
            }
            return inner.put(values)
          },
        }),
      onError: error => errors.push(error),
    })
    const importFrom = { file, signal: aborting.signal }
    await expect(openStore(port1, { storeId: 'shop', importFrom })).rejects.toMatchObject({ code: 'aborted' })
    expect(database.blocks).toEqual([])
  })

  /** When a call has come to the worker. */
  const hears = (port: MessagePort, method: string): Promise<void> =>
    new Promise(resolve => {
      port.addEventListener('message', ({ data }) => data?.path?.[0] === method && resolve())
    })

  test('is nothing to be restored at once, and has to be a file', async () => {
    const importFrom = { file: new Blob() }
    await expect(open(createMemoryDatabase(), { importFrom, restore: true })).rejects.toMatchObject({
      code: 'invalid-argument',
    })
    const path = { file: 'backup.streamdingo' as never }
    await expect(open(createMemoryDatabase(), { importFrom: path })).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })
})
