// A profile that was put back, and one that was copied: the witness finds out, the device goes on under another name, and
// all meet.

import 'fake-indexeddb/auto'
import { openDB } from 'idb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { parseSignedCheckpoint } from '../../src/integrity/checkpoint.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { createSyncServer, type SyncServer } from '../../src/server/sync-server.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { serveStoreOn } from '../../worker/serve-store.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'

type CartStore = StoreClient<typeof cartApp>

vi.setConfig({ testTimeout: 60_000 })
/** For a machine that is busy, and a checkpoint that follows the last append by a second. */
const waitFor = (check: () => unknown) => vi.waitFor(check, { timeout: 20_000, interval: 50 })

const keyPair = await generateKeyPair()
const opened: CartStore[] = []
const errors: Error[] = []
let server: SyncServer
let isReachable = true

beforeEach(() => {
  isReachable = true
  server = createSyncServer({
    openStorage: () => memoryStorage(),
    authorize: () => ({ storeId: 'shop', read: true, append: true }),
    signing: { name: 'sync.test', keyPair },
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

type Profile = Readonly<{ database: MemoryDatabase; place: string }>

async function open({ database, place }: Profile): Promise<CartStore> {
  const { port1, port2 } = new MessageChannel()
  serveStoreOn(port2, {
    app: cartApp,
    storage: () => wrapStorage(memoryStorage({ database }), { place }),
    sync: { url: 'http://server.test', token: 'token' },
    onError: error => errors.push(error),
  })
  const store = await openStore<typeof cartApp>(port1, { storeId: 'shop' })
  opened.push(store)
  return store
}

/** It meets the server again. */
function reach(store: CartStore): void {
  isReachable = true
  void store.sync.poke()
}

async function close(store: CartStore): Promise<void> {
  opened.splice(opened.indexOf(store), 1)
  await store.close()
}

const copyOf = ({ blocks, values }: MemoryDatabase): MemoryDatabase => ({
  blocks: [...blocks],
  values: new Map(values),
})

/** All that a profile keeps, at another place: its keys go with it. */
async function cloneOf({ database, place }: Profile, other: string): Promise<Profile> {
  const devices = await openDB('streamdingo-devices', 1)
  await devices.put('devices', await devices.get('devices', place), other)
  devices.close()
  return { database: copyOf(database), place: other }
}

const append = (store: CartStore, sku: string) => store.appendToStream<CartEvent>('cart-1', [added(sku, 1)])

async function skus(store: CartStore): Promise<string[]> {
  const { events } = await store.readStream<CartEvent>('cart-1')
  return events.map(({ data }) => data!.sku).sort()
}

const integrity = (store: CartStore) => store.integrity().getSnapshot()
const told = (store: CartStore) =>
  integrity(store).verdicts.map(({ finding, action }) => `${finding}: ${action}`)
const nameOf = (store: CartStore): string => integrity(store).checkpoint!.origin

/** The server has countersigned its log as it is, under the name that it has. */
async function witnessed(store: CartStore): Promise<void> {
  await waitFor(() => {
    const { witnessed, checkpoint } = integrity(store)
    expect(witnessed?.size).toBe(checkpoint!.size)
    expect(parseSignedCheckpoint(witnessed!.text).checkpoint.origin).toBe(checkpoint!.origin)
  })
}

/** The server has the event, and has signed the device's log with it. */
async function appendWitnessed(store: CartStore, sku: string): Promise<void> {
  const { size } = integrity(store).checkpoint!
  await append(store, sku)
  await waitFor(() => expect(store.sync.status().getSnapshot()).toMatchObject({ pending: 0, phase: 'idle' }))
  await waitFor(() => expect(integrity(store).checkpoint!.size).toBeGreaterThan(size))
  await witnessed(store)
}

const has = (store: CartStore, expected: readonly string[]) =>
  waitFor(async () => expect(await skus(store)).toEqual(expected))

test('a profile that was put back is told, goes on under another name, and is witnessed again', async () => {
  const profile = { database: createMemoryDatabase(), place: 'memory:put-back' }
  const before = await open(profile)
  await append(before, 'a')
  await witnessed(before)
  const name = nameOf(before)
  const old = copyOf(profile.database)
  await appendWitnessed(before, 'b')
  await close(before)

  // Had it met the server first, it would be the log that was signed again, and nothing to be told.
  isReachable = false
  const again = await open({ ...profile, database: old })
  await append(again, 'c')
  reach(again)
  await waitFor(() => expect(told(again)).toHaveLength(1))
  expect(told(again)[0]).toMatch(/^(behind-witness|forked): new-identity$/)
  await waitFor(() => expect(nameOf(again)).not.toBe(name))
  await witnessed(again)
  await has(again, ['a', 'b', 'c'])
  await append(again, 'd')
  await waitFor(() => expect(again.sync.status().getSnapshot()).toMatchObject({ pending: 0, phase: 'idle' }))
  await witnessed(again)
  // Told once.
  expect(told(again)).toHaveLength(1)
})

test('of two copies of a profile that both go on, the second to be seen is another device, and both have all', async () => {
  const profile = { database: createMemoryDatabase(), place: 'memory:one' }
  const first = await open(profile)
  await append(first, 'a')
  await witnessed(first)
  const name = nameOf(first)
  await close(first)
  const copy = await cloneOf(profile, 'memory:two')

  const one = await open(profile)
  await appendWitnessed(one, 'b')
  const two = await open(copy)
  await append(two, 'c')
  await waitFor(() => expect(told(two)).toHaveLength(1))
  expect(told(two)[0]).toMatch(/^(behind-witness|forked): new-identity$/)
  await waitFor(() => expect(nameOf(two)).not.toBe(name))
  await witnessed(two)
  for (const store of [one, two]) await has(store, ['a', 'b', 'c'])
  await append(one, 'd')
  await append(two, 'e')
  for (const store of [one, two]) await has(store, ['a', 'b', 'c', 'd', 'e'])
  for (const store of [one, two]) await witnessed(store)
  // Whoever was first has its name still, and nothing to be told of.
  expect(nameOf(one)).toBe(name)
  expect(told(one)).toEqual([])
  expect(told(two)).toHaveLength(1)
})
