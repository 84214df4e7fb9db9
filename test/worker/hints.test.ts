// What tabs tell each other is hints: lost, doubled, late or made up, they cost time and nothing else.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { bearerToken } from '../../src/server/access.ts'
import { createSyncServer, type SyncServer } from '../../src/server/sync-server.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { serveStoreOn } from '../../worker/serve-store.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'
import { FakeLocks } from './fake-locks.ts'

type CartStore = StoreClient<typeof cartApp>

const TIMINGS = { heartbeatMs: 50, silenceMs: 200 }
const RealChannel = BroadcastChannel

const opened: CartStore[] = []
let server: SyncServer
let database: MemoryDatabase

beforeEach(() => {
  database = createMemoryDatabase()
  server = createSyncServer({
    openStorage: () => memoryStorage(),
    authorize: request =>
      bearerToken(request) === 'good' ? { storeId: 'shop', read: true, append: true } : null,
  })
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => server.fetch(new Request(url, init)))
  vi.stubGlobal('navigator', { locks: new FakeLocks(), onLine: true })
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close()))
  await server.close()
  vi.unstubAllGlobals()
})

async function open(shared: MemoryDatabase): Promise<CartStore> {
  const { port1, port2 } = new MessageChannel()
  serveStoreOn(port2, {
    app: cartApp,
    storage: () => memoryStorage({ database: shared }),
    sync: { url: 'http://server.test' },
    onError: () => {},
    timings: TIMINGS,
  })
  const sync = { token: 'good', renewToken: () => 'good' }
  const store = await openStore<typeof cartApp>(port1, { storeId: 'shop', sync })
  opened.push(store)
  return store
}

const skusOf = async (store: CartStore): Promise<string[]> =>
  (await store.readStream<CartEvent>('cart-1')).events.map(({ data }) => data?.sku ?? '')

/** Three tabs append 20 events each, one after the other; all arrive once, everywhere, and are confirmed. */
async function expectAllArrives(): Promise<void> {
  const tabs = [await open(database), await open(database), await open(database)]
  const device = await open(createMemoryDatabase())
  const all: string[] = []
  for (let n = 0; n < 20; n++) {
    await Promise.all(
      tabs.map(async (store, tab) => {
        all.push(`${tab}/${n}`)
        await store.appendToStream('cart-1', [added(`${tab}/${n}`)])
      }),
    )
  }
  const wanted = all.sort()
  const patience = { timeout: 20_000, interval: 50 }
  await vi.waitFor(async () => expect((await skusOf(device)).sort()).toEqual(wanted), patience)
  for (const store of tabs) {
    await vi.waitFor(async () => expect(await skusOf(store)).toEqual(await skusOf(device)), patience)
    const events = (await store.readStream('cart-1')).events
    await vi.waitFor(async () => {
      expect(
        (await store.readStream('cart-1')).events.every(({ metadata }) => metadata.status === 'confirmed'),
      ).toBe(true)
    }, patience)
    expect(events).toHaveLength(60)
    expect(await store.verify()).toMatchObject({ ok: true })
  }
}

describe('when what tabs tell each other', () => {
  test('is lost, all of it', async () => {
    vi.stubGlobal(
      'BroadcastChannel',
      class extends RealChannel {
        override postMessage(): void {}
      },
    )
    await expectAllArrives()
  })

  test('is lost, half of it', async () => {
    let n = 0
    vi.stubGlobal(
      'BroadcastChannel',
      class extends RealChannel {
        override postMessage(message: unknown): void {
          if (n++ % 2 === 0) super.postMessage(message)
        }
      },
    )
    await expectAllArrives()
  })

  test('comes three times, and late', async () => {
    vi.stubGlobal(
      'BroadcastChannel',
      class extends RealChannel {
        #isClosed = false
        override postMessage(message: unknown): void {
          for (const lateMs of [0, 30, 300]) {
            setTimeout(() => {
              if (!this.#isClosed) super.postMessage(message)
            }, lateMs)
          }
        }
        override close(): void {
          this.#isClosed = true
          super.close()
        }
      },
    )
    await expectAllArrives()
  })

  test('is made up', async () => {
    const liars = new Set<BroadcastChannel>()
    vi.stubGlobal(
      'BroadcastChannel',
      class extends RealChannel {
        constructor(name: string) {
          super(name)
          if (name.startsWith('streamdingo:')) liars.add(new RealChannel(name))
        }
      },
    )
    const status = { phase: 'idle', pending: 0, oldestPendingAt: null, rejected: 0, serverPosition: 1e9 }
    const lies: unknown[] = [
      { type: 'grew', head: 1e9 },
      { type: 'grew', head: 'far' },
      {
        type: 'sync-status',
        status: { ...status, error: null },
        online: true,
        pushed: { epoch: 'e', through: 1e9 },
      },
      { type: 'sync-status-wanted' },
      { type: 'set-token', token: 'wrong' },
      { type: 'poke' },
      { type: 'healed', from: 1 },
      { type: 'event-skipped', projection: 'contents' },
      { type: 'verdicts-changed' },
      { type: 'of a later release', what: 1 },
      null,
      7,
    ]
    let n = 0
    const lying = setInterval(() => {
      for (const liar of liars) liar.postMessage(lies[n++ % lies.length])
    }, 5)
    try {
      await expectAllArrives()
    } finally {
      clearInterval(lying)
      for (const liar of liars) liar.close()
    }
  })
})
