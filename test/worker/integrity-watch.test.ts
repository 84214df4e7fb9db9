// What a page hears of a database that is not what it was: in one process, with the page's own shelf for anchors.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type OpenStoreOptions, openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { serveStoreOn } from '../../worker/serve-store.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'
import { FakeLocks } from './fake-locks.ts'

type CartStore = StoreClient<typeof cartApp>

const opened: CartStore[] = []
const errors: Error[] = []
const shelf = new Map<string, string>()

beforeEach(() => {
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => shelf.get(key) ?? null,
    setItem: (key: string, text: string) => void shelf.set(key, text),
  })
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close()))
  shelf.clear()
  vi.unstubAllGlobals()
  expect(errors.splice(0)).toEqual([])
})

/** A worker in this process, and how its end is brought about. */
function startWorker(database: MemoryDatabase, place = 'memory:shop') {
  const { port1, port2 } = new MessageChannel()
  const storage = () => wrapStorage(memoryStorage({ database }), { place })
  serveStoreOn(port2, { app: cartApp, storage, onError: error => errors.push(error) })
  return { port: port1, die: () => port2.close() }
}

async function open(
  database: MemoryDatabase,
  { storeId = 'shop', ...options }: Partial<OpenStoreOptions> = {},
): Promise<CartStore> {
  const store = await openStore<typeof cartApp>(startWorker(database).port, { storeId, ...options })
  opened.push(store)
  return store
}

async function close(store: CartStore): Promise<void> {
  opened.splice(opened.indexOf(store), 1)
  await store.close()
}

const append = (store: CartStore, sku: string) => store.appendToStream<CartEvent>('cart-1', [added(sku, 1)])

/** Data and metadata as JSON. */
const contentBytes = (sku: string): number => JSON.stringify(added(sku, 1).data).length + '{}'.length

const verdicts = (store: CartStore) => store.integrity().getSnapshot().verdicts

/** As a copy of the browser's files would be: blocks are never changed in place. */
const copyOf = ({ blocks, values }: MemoryDatabase): MemoryDatabase => ({
  blocks: [...blocks],
  values: new Map(values),
})

async function databaseWith(...skus: string[]): Promise<MemoryDatabase> {
  const database = createMemoryDatabase()
  const store = await open(database)
  for (const sku of skus) await append(store, sku)
  await close(store)
  return database
}

test('nothing, where all is as it was', async () => {
  const store = await open(await databaseWith('a', 'b'))
  expect(verdicts(store)).toEqual([])
  await append(store, 'c')
  expect(verdicts(store)).toEqual([])
})

test('that it was wiped, with what was in it, until that is acknowledged', async () => {
  await databaseWith('a', 'b')
  const database = createMemoryDatabase()
  const store = await open(database)
  const [verdict] = verdicts(store)
  expect(verdict).toMatchObject({
    finding: 'wiped',
    action: 'went-on',
    at: 1,
    atRisk: { events: 2, unsynced: 2, bytes: 2 * contentBytes('a') },
  })
  await append(store, 'c')
  await close(store)
  const again = await open(database)
  expect(verdicts(again)).toEqual([verdict])
  await again.acknowledgeVerdict(verdict!.id)
  await vi.waitFor(() => expect(verdicts(again)).toEqual([]))
  await close(again)
  expect(verdicts(await open(database))).toEqual([])
})

test('that its end was cut off', async () => {
  const before = copyOf(await databaseWith('a'))
  const store = await open(before)
  const shortened = copyOf(before)
  await append(store, 'b')
  await append(store, 'c')
  await close(store)
  expect(verdicts(await open(shortened))).toMatchObject([
    {
      finding: 'truncated',
      at: 2,
      atRisk: { events: 2, unsynced: 2, bytes: 2 * contentBytes('b') },
      detail: 'The log had 3 entries, and has 1',
    },
  ])
})

test('that it was cut off, by its own checkpoint where no anchor was kept', async () => {
  const database = await databaseWith('a', 'b')
  const store = await open(database)
  await store.checkpoint()
  await close(store)
  shelf.clear()
  database.blocks.pop()
  const cut = await open(database)
  expect(verdicts(cut)).toMatchObject([{ finding: 'truncated', at: 2 }])
  // The log goes on, and so do its checkpoints.
  expect(await cut.checkpoint()).toMatchObject({ size: 2 })
})

test('that it was rolled back and went on from there', async () => {
  const database = await databaseWith('a')
  const older = copyOf(database)
  const store = await open(database)
  await append(store, 'b')
  await close(store)
  // Without the shelf, as on a copy of the device.
  const kept = new Map(shelf)
  shelf.clear()
  const other = await open(older)
  await append(other, 'x')
  await append(other, 'y')
  await close(other)
  for (const [key, text] of kept) shelf.set(key, text)
  const found = await open(older)
  expect(verdicts(found)).toMatchObject([{ finding: 'head-mismatch', at: 2 }])
  await close(found)
  expect(verdicts(await open(older))).toHaveLength(1)
})

test('that entries below the end are others, with the next checkpoint', async () => {
  const database = await databaseWith('a', 'b')
  const store = await open(database)
  await store.checkpoint()
  await close(store)
  const kept = new Map(shelf)
  shelf.clear()
  const other = await databaseWith('x', 'y')
  other.values.set('checkpoint/latest', database.values.get('checkpoint/latest')!)
  for (const key of kept.keys()) shelf.delete(key)
  const rewritten = await open(other)
  await append(rewritten, 'z')
  await vi.waitFor(
    () => expect(verdicts(rewritten)).toMatchObject([{ finding: 'head-mismatch', at: 1 }]),
    5_000,
  )
  expect(await rewritten.checkpoint()).toMatchObject({ size: 4 })
})

test('once only, of two tabs that open at once', async () => {
  await databaseWith('a', 'b')
  vi.stubGlobal('navigator', { locks: new FakeLocks() })
  const database = createMemoryDatabase()
  await Promise.all([open(database), open(database)])
  expect([...database.values.keys()].filter(key => key.startsWith('verdict/'))).toHaveLength(1)
})

test('nothing, of a store with another id under the same name, and of a shelf that holds something else', async () => {
  await databaseWith('a')
  expect(verdicts(await open(createMemoryDatabase(), { storeId: 'another' }))).toEqual([])
  for (const text of ['', 'null', '[]', '{"format":2}', '{"format":1,"storeId":"shop","size":"1"}']) {
    for (const key of shelf.keys()) shelf.set(key, text)
    const store = await open(createMemoryDatabase())
    expect(verdicts(store), text).toEqual([])
    await close(store)
  }
})

test('the anchor and the checkpoint follow the log by a second', async () => {
  const store = await open(createMemoryDatabase())
  await append(store, 'a')
  await vi.waitFor(() => expect(store.integrity().getSnapshot().checkpoint).toMatchObject({ size: 1 }), 5_000)
  expect(store.integrity().getSnapshot().checkpoint!.signing).toEqual({
    status: 'unsigned',
    reason: 'key-not-kept',
  })
  expect(JSON.parse([...shelf.values()][0]!)).toMatchObject({ storeId: 'shop', size: 1, pending: 1 })
})

test('a damaged log is begun anew when that is asked for, with what could be read, and told', async () => {
  const database = await databaseWith('a', 'b', 'c')
  const block = database.blocks[1]!
  const bytes = block.bytes.slice()
  bytes[bytes.length - 60]! ^= 1
  database.blocks[1] = { ...block, bytes }
  database.values.clear()
  await expect(open(database)).rejects.toMatchObject({ code: 'log-damaged' })
  const store = await open(database, { restore: true })
  expect(verdicts(store)).toMatchObject([
    { finding: 'damaged', action: 'restored', at: 2, atRisk: { events: 1, unsynced: 1 } },
  ])
  const { events } = await store.readStream<CartEvent>('cart-1')
  expect(events.map(({ data }) => data)).toMatchObject([{ sku: 'a' }, { sku: 'c' }])
  expect(await store.quarantine()).toMatchObject([{ firstPosition: 2, lastPosition: 2, bytes }])
  expect(await store.verify()).toMatchObject({ ok: true })
  await close(store)
  expect(verdicts(await open(database))).toHaveLength(1)
})

test('a log begun anew tells of what it could not take over, and of an end that only the anchor knows', async () => {
  const database = await databaseWith('a', 'b', 'c', 'd')
  database.blocks[1] = { ...database.blocks[1]!, bytes: new Uint8Array(200) }
  database.blocks.pop()
  database.values.clear()
  const store = await open(database, { restore: true })
  expect(verdicts(store)).toMatchObject([
    {
      finding: 'damaged',
      action: 'restored',
      at: 2,
      atRisk: { events: 3, unsynced: 3, bytes: 200 + contentBytes('c') },
      detail: '1 pending events were taken over, 1 commits are told as rejected, 2 blocks are in quarantine',
    },
  ])
  expect(await store.rejections()).toMatchObject([
    { events: [{ streamName: 'cart-1', data: { sku: 'c' } }], reason: { code: 'log-damaged' } },
  ])
  const { events } = await store.readStream<CartEvent>('cart-1')
  expect(events.map(({ data }) => data)).toMatchObject([{ sku: 'a' }])
})

test('a worker that is replaced does not begin the log anew once more; another tab is told to open it again', async () => {
  const database = await databaseWith('a')
  const other = await open(database)
  const workers: ReturnType<typeof startWorker>[] = []
  const start = () => {
    workers.push(startWorker(database))
    return workers.at(-1)!.port
  }
  const store = await openStore<typeof cartApp>(start, { storeId: 'shop', restore: true, callTimeoutMs: 500 })
  opened.push(store)
  await vi.waitFor(() => expect(other.health().getSnapshot().phase).toBe('lost'))
  await append(store, 'b')
  workers[0]!.die()
  await append(store, 'c')
  expect(workers).toHaveLength(2)
  expect(verdicts(store).filter(({ finding }) => finding === 'damaged')).toHaveLength(1)
  expect((await store.readStream('cart-1')).currentStreamVersion).toBe(3)
})

test('an anchor that can be neither read nor written is reported, and keeps nobody from the store', async () => {
  const folder = { getFileHandle: () => Promise.reject(new Error('disk')) }
  const root = { getDirectoryHandle: async () => folder }
  vi.stubGlobal('navigator', { storage: { getDirectory: async () => root } })
  vi.stubGlobal('FileSystemFileHandle', { prototype: { createWritable: () => {} } })
  const store = await open(createMemoryDatabase())
  await append(store, 'a')
  expect((await store.readStream('cart-1')).currentStreamVersion).toBe(1)
  await close(store)
  expect(errors.splice(0).map(({ message }) => message)).toEqual(['disk', 'disk'])
})
