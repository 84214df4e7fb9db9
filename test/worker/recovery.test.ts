// What a page hears and sees when blocks of its log, or what is kept beside them, are not what was written.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { sealedParts } from '../../src/log/block.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { bearerToken } from '../../src/server/access.ts'
import { createSyncServer, type SyncServer } from '../../src/server/sync-server.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { serveStoreOn } from '../../worker/serve-store.ts'
import { placeOf } from '../support/stored-text.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'

type CartStore = StoreClient<typeof cartApp>

/** For a machine that is busy. */
const waitFor = (check: () => void) => vi.waitFor(check, 20_000)
vi.setConfig({ testTimeout: 60_000 })

const opened: CartStore[] = []
const errors: Error[] = []
const sha256 = await createSha256()
let server: SyncServer
let isReachable = true

beforeEach(() => {
  isReachable = true
  server = createSyncServer({
    openStorage: () => memoryStorage(),
    authorize: request =>
      bearerToken(request) === 'good' ? { storeId: 'shop', read: true, append: true } : null,
  })
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    if (!isReachable) throw new TypeError('fetch failed')
    return server.fetch(new Request(url, init))
  })
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close()))
  await server.close()
  vi.unstubAllGlobals()
  expect(errors.splice(0)).toEqual([])
})

type Wish = Readonly<{ syncs?: boolean; every?: number }>

async function open(
  database: MemoryDatabase,
  { syncs = true, every = 1_000 }: Wish = {},
): Promise<CartStore> {
  const { port1, port2 } = new MessageChannel()
  const contents = { ...cartApp.projections.contents, snapshot: { every } }
  serveStoreOn(port2, {
    app: { ...cartApp, projections: { contents } },
    storage: () => memoryStorage({ database }),
    ...(syncs && { sync: { url: 'http://server.test', token: 'good' } }),
    onError: error => errors.push(error),
  })
  const store = await openStore<typeof cartApp>(port1, { storeId: 'shop' })
  opened.push(store)
  return store
}

async function close(store: CartStore): Promise<void> {
  opened.splice(opened.indexOf(store), 1)
  await store.close()
}

const verdicts = (store: CartStore) => store.integrity().getSnapshot().verdicts
const actions = (store: CartStore) => verdicts(store).map(({ finding, action }) => `${finding}: ${action}`)
const total = (store: CartStore) => store.view('contents', 'cart-1').getSnapshot()?.state.total

async function synced(store: CartStore): Promise<void> {
  await waitFor(() => expect(store.sync.status().getSnapshot()).toMatchObject({ phase: 'idle', pending: 0 }))
}

/** A store that is closed again, with all of it on the server. */
async function sentDatabase(options: Wish = {}): Promise<MemoryDatabase> {
  const database = createMemoryDatabase()
  const store = await open(database, options)
  for (let n = 1; n <= 4; n++) await store.appendToStream<CartEvent>('cart-1', [added(`sku-${n}`, n)])
  await store.projection('contents').get('cart-1')
  if (options.syncs !== false) await synced(store)
  await close(store)
  return database
}

type Change = Readonly<{ text: string; by: string; isMended?: boolean }>

/** Puts a text in the place of another, as long, wherever that is stored. */
async function change(database: MemoryDatabase, { text, by, isMended = false }: Change): Promise<void> {
  const [index, at] = placeOf(text, database)
  const stored = database.blocks[index]!
  const bytes = stored.bytes.slice()
  bytes.set(new TextEncoder().encode(by), at)
  const { content, digest } = sealedParts(bytes)
  if (isMended) digest.set(await sha256.digestLarge(content))
  database.blocks[index] = { ...stored, bytes }
}

test('a block that does not hold is fetched again as soon as a view meets it, and the view is right', async () => {
  const database = await sentDatabase()
  await change(database, { text: '"sku-2","count":2', by: '"sku-2","count":9' })
  const store = await open(database)
  const view = store.view('contents', 'cart-1')
  view.subscribe(() => {})
  await waitFor(() => expect(view.getSnapshot()?.state.total).toBe(10))
  await waitFor(() => expect(actions(store)).toEqual(['damaged: healed']))
  expect(verdicts(store)[0]!.atRisk).toMatchObject({ events: 1, unsynced: 0 })
  expect(verdicts(store)[0]!.atRisk.bytes).toBeGreaterThan(0)
  expect(await store.verify()).toMatchObject({ ok: true })
})

test('a forgery that was folded is found by a verification, and taken back everywhere', async () => {
  const database = await sentDatabase()
  await change(database, { text: '"sku-2","count":2', by: '"sku-2","count":9', isMended: true })
  const [store, other] = [await open(database, { every: 2 }), await open(database, { every: 2 })]
  for (const one of [store, other]) one.view('contents', 'cart-1').subscribe(() => {})
  await waitFor(() => expect([store, other].map(total)).toEqual([17, 17]))
  expect(await store.verify()).toMatchObject({ ok: false, problem: 'hash-mismatch' })
  await waitFor(() => expect([store, other].map(total)).toEqual([10, 10]))
  await waitFor(() => expect([store, other].map(actions)).toEqual([['damaged: healed'], ['damaged: healed']]))
  for (const one of [store, other]) expect(await one.verify()).toMatchObject({ ok: true })
  await close(store)
  await close(other)
  // Nor did a snapshot of it stay.
  const again = await open(database, { every: 2 })
  expect((await again.projection('contents').get('cart-1'))!.state.total).toBe(10)
})

test('what waits for the server is told once, and put back when the server answers', async () => {
  const database = await sentDatabase()
  await change(database, { text: 'sku-2', by: 'sku-9' })
  isReachable = false
  const store = await open(database)
  expect(await store.verify()).toMatchObject({ ok: false })
  await waitFor(() => expect(actions(store)).toEqual(['damaged: waits-for-server']))
  isReachable = true
  await store.sync.poke()
  await waitFor(() => expect(actions(store)).toEqual(['damaged: waits-for-server', 'damaged: healed']))
  expect(await store.verify()).toMatchObject({ ok: true })
})

test('what nobody else has is told once, with what can be done, and the rest goes on', async () => {
  const database = await sentDatabase({ syncs: false })
  await change(database, { text: 'sku-2', by: 'sku-9' })
  const store = await open(database, { syncs: false })
  for (let n = 0; n < 3; n++) expect(await store.verify()).toMatchObject({ ok: false })
  await waitFor(() => expect(actions(store)).toEqual(['damaged: needs-restore']))
  expect(verdicts(store)[0]!.atRisk).toMatchObject({ events: 1, unsynced: 1 })
  await store.appendToStream('cart-2', [added('other')])
  await close(store)
  const again = await open(database, { syncs: false })
  expect(await again.verify()).toMatchObject({ ok: false })
  expect(actions(again)).toEqual(['damaged: needs-restore'])
  expect((await again.readStream('cart-2')).currentStreamVersion).toBe(1)
})

test('a damaged snapshot is told, and the state is folded from the events', async () => {
  const database = await sentDatabase({ every: 2 })
  const [key, bytes] = [...database.values].find(([name]) => name.startsWith('snapshot/projection/'))!
  const changed = bytes.slice()
  changed[changed.length - 5]! ^= 1
  database.values.set(key, changed)
  for (const name of [...database.values.keys()]) {
    if (name.startsWith('snapshot/') && name !== key) database.values.delete(name)
  }
  const store = await open(database, { every: 2 })
  expect((await store.projection('contents').get('cart-1'))!.state.total).toBe(10)
  await waitFor(() => expect(actions(store)).toEqual(['snapshot-damaged: rebuilt']))
  expect(verdicts(store)[0]!.detail).toBe('the snapshot of cart-1 by projection contents: damaged')
})

test('damaged roots of the Merkle tree are made anew, and that is told', async () => {
  const database = createMemoryDatabase()
  const store = await open(database)
  const events = Array.from({ length: 600 }, (_, n) => added(`sku-${n}`))
  await store.appendToStream<CartEvent>('cart-1', events)
  await store.checkpoint()
  await synced(store)
  await close(store)
  const [key, bytes] = [...database.values].find(([name]) => name.startsWith('tree/'))!
  const { content, digest } = sealedParts(bytes.slice())
  content[3]! ^= 1
  digest.set(await sha256.digestLarge(content))
  database.values.set(key, new Uint8Array([...content, ...digest]))
  const again = await open(database)
  const report = await again.verify()
  expect(report).toMatchObject({ ok: false, problem: 'tree-mismatch' })
  await waitFor(() => expect(actions(again)).toEqual(['tree-damaged: rebuilt']))
  expect(await again.verify()).toMatchObject({ ok: true })
})
