// Sync as the page sees it: page client, worker, server, and the worker of another replica.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type OpenStoreOptions, openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import type { SyncPhase } from '../../src/model/sync-status.ts'
import { bearerToken } from '../../src/server/access.ts'
import { createSyncServer, type SyncServer } from '../../src/server/sync-server.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import { serveStoreOn } from '../../worker/serve-store.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'

type CartStore = StoreClient<typeof cartApp>

const opened: CartStore[] = []
let server: SyncServer

beforeEach(() => {
  server = createSyncServer({
    openStorage: () => memoryStorage(),
    authorize: request =>
      bearerToken(request) === 'good' ? { storeId: 'shop', read: true, append: true } : null,
  })
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => server.fetch(new Request(url, init)))
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close()))
  await server.close()
  vi.unstubAllGlobals()
})

/** A device of its own: it shares nothing with the others but the server. */
async function device(sync: OpenStoreOptions['sync'] = { token: 'good' }): Promise<CartStore> {
  const { port1, port2 } = new MessageChannel()
  serveStoreOn(port2, {
    app: cartApp,
    storage: () => memoryStorage(),
    sync: { url: 'http://server.test' },
    onError: () => {},
  })
  const store = await openStore<typeof cartApp>(port1, { storeId: 'shop', sync })
  opened.push(store)
  return store
}

function phase(store: CartStore, ...wanted: SyncPhase[]): Promise<void> {
  const status = store.sync.status()
  return new Promise(resolve => {
    const look = () => {
      if (!wanted.includes(status.getSnapshot().phase)) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = status.subscribe(look)
    look()
  })
}

const total = (store: CartStore) => store.view('contents', 'cart-1').getSnapshot()?.state.total

test('what one device appends the other shows, and both know it confirmed', async () => {
  const [one, other] = [await device(), await device()]
  const view = other.view('contents', 'cart-1')
  view.subscribe(() => {})
  await one.appendToStream('cart-1', [added('a', 3)])
  await vi.waitFor(() => expect(view.getSnapshot()).toMatchObject({ pending: 0, state: { total: 3 } }))
  await vi.waitFor(() =>
    expect(one.sync.status().getSnapshot()).toMatchObject({ phase: 'idle', pending: 0, serverPosition: 1 }),
  )
  const [first, second] = await Promise.all(
    [one, other].map(store => store.projection('contents').get('cart-1')),
  )
  expect(second!.stateHash).toBe(first!.stateHash)
  const { events } = await other.readStream<CartEvent>('cart-1')
  expect(events.map(({ metadata }) => metadata.status)).toEqual(['confirmed'])
})

test('switched off, events stay pending, and go when it is switched on again', async () => {
  const [one, other] = [await device(), await device()]
  other.view('contents', 'cart-1').subscribe(() => {})
  await one.sync.setOnline(false)
  await phase(one, 'offline')
  await one.appendToStream('cart-1', [added('a', 2)])
  await vi.waitFor(() =>
    expect(one.sync.status().getSnapshot()).toMatchObject({ phase: 'offline', pending: 1 }),
  )
  expect(total(other)).toBeUndefined()
  await one.sync.setOnline(true)
  await vi.waitFor(() => expect(total(other)).toBe(2))
  await phase(one, 'idle')
})

test('a token that the server refuses stops sync with a typed error, and a good one takes it up again', async () => {
  const store = await device({ token: 'bad' })
  await store.appendToStream('cart-1', [added('a')])
  await vi.waitFor(() =>
    expect(store.sync.status().getSnapshot()).toMatchObject({
      phase: 'stopped',
      pending: 1,
      error: { code: 'sync-refused' },
    }),
  )
  await store.sync.setToken('good')
  await vi.waitFor(() =>
    expect(store.sync.status().getSnapshot()).toMatchObject({ phase: 'idle', pending: 0, error: null }),
  )
})

test('a page that renews the token never sees sync stop: neither at first, nor when one is refused', async () => {
  let good = 'first'
  await server.close()
  server = createSyncServer({
    openStorage: () => memoryStorage(),
    authorize: request =>
      bearerToken(request) === good ? { storeId: 'shop', read: true, append: true } : null,
  })
  const renewToken = vi.fn(async () => good)
  const store = await device({ renewToken })
  const phases: SyncPhase[] = []
  store.sync.status().subscribe(() => phases.push(store.sync.status().getSnapshot().phase))
  await store.appendToStream('cart-1', [added('a')])
  await vi.waitFor(() => expect(store.sync.status().getSnapshot()).toMatchObject({ serverPosition: 1 }))
  expect(renewToken).toHaveBeenCalledTimes(1)
  good = 'second'
  await store.appendToStream('cart-1', [added('b')])
  await vi.waitFor(() =>
    expect(store.sync.status().getSnapshot()).toMatchObject({ serverPosition: 2, pending: 0 }),
  )
  expect(renewToken).toHaveBeenCalledTimes(2)
  expect(phases).not.toContain('stopped')
})

test('a page that fails to renew the token is asked again, and nothing pending is lost', async () => {
  const answers: (() => string)[] = [
    () => {
      throw new Error('The sign-in server is away')
    },
    () => 'good',
  ]
  const store = await device({ token: 'bad', renewToken: () => answers.shift()!() })
  await store.appendToStream('cart-1', [added('a')])
  await vi.waitFor(() => expect(answers).toHaveLength(1))
  await store.sync.poke()
  await vi.waitFor(() =>
    expect(store.sync.status().getSnapshot()).toMatchObject({ phase: 'idle', pending: 0, serverPosition: 1 }),
  )
})

test('a server that cannot be reached is waited for, and the log goes on', async () => {
  const reach = vi.fn(() => Promise.reject(new TypeError('fetch failed')))
  vi.stubGlobal('fetch', reach)
  const store = await device()
  await phase(store, 'waiting')
  await store.appendToStream('cart-1', [added('a')])
  expect(store.sync.status().getSnapshot()).toMatchObject({ error: { code: 'sync-unreachable' } })
  const before = reach.mock.calls.length
  await store.sync.poke()
  await vi.waitFor(() => expect(reach.mock.calls.length).toBeGreaterThan(before))
  expect((await store.readStream('cart-1')).currentStreamVersion).toBe(1)
})

test('a commit that the other device made impossible is told with its command, until it is acknowledged', async () => {
  const [one, other] = [await device(), await device()]
  await Promise.all([phase(one, 'idle'), phase(other, 'idle')])
  await one.sync.setOnline(false)
  await phase(one, 'offline')
  await other.execute('cart', '1', { type: 'Add', data: { sku: 'b', count: 8 } })
  await vi.waitFor(() => expect(other.sync.status().getSnapshot().serverPosition).toBe(1))
  await one.execute('cart', '1', { type: 'Add', data: { sku: 'a', count: 5 } })
  await one.sync.setOnline(true)
  await vi.waitFor(() => expect(one.sync.status().getSnapshot()).toMatchObject({ rejected: 1, pending: 0 }))
  const [rejection] = await one.rejections()
  expect(rejection).toMatchObject({
    command: { decider: 'cart', id: '1', command: { type: 'Add', data: { sku: 'a', count: 5 } } },
    reason: { code: 'command-refused', message: 'A cart holds ten things' },
  })
  expect((await one.projection('contents').get('cart-1'))!.state.total).toBe(8)
  await one.acknowledgeRejection(rejection!.id)
  expect(await one.rejections()).toEqual([])
  await vi.waitFor(() => expect(one.sync.status().getSnapshot().rejected).toBe(0))
})

test('a page asks how far events have come, waits for them, and hears of one that did not come through', async () => {
  const [one, other] = [await device(), await device()]
  await Promise.all([phase(one, 'idle'), phase(other, 'idle')])
  await one.sync.setOnline(false)
  await phase(one, 'offline')
  const [event, commandId] = [{ ...added('a'), id: crypto.randomUUID() }, crypto.randomUUID()]
  const { lastEventGlobalPosition } = await one.appendToStream('cart-2', [event])
  await one.execute('cart', '1', { type: 'Add', data: { sku: 'a', count: 5 } }, { commandId })
  const ids = [event.id, commandId, crypto.randomUUID()]
  expect(await one.sync.progressOf(ids)).toEqual(['persisted', 'persisted', null])
  const { recordedAt } = (await one.readStream('cart-2')).events[0]!.metadata
  await vi.waitFor(() =>
    expect(one.sync.status().getSnapshot()).toMatchObject({ pending: 2, oldestPendingAt: recordedAt }),
  )
  await expect(one.sync.whenConfirmed([event.id], { timeoutMs: 1 })).rejects.toMatchObject({
    code: 'not-confirmed',
  })
  const aborted = one.sync.whenConfirmed([event.id], { signal: AbortSignal.abort() })
  await expect(aborted).rejects.toMatchObject({ code: 'aborted' })

  await other.execute('cart', '1', { type: 'Add', data: { sku: 'b', count: 8 } })
  await vi.waitFor(() => expect(other.sync.status().getSnapshot().serverPosition).toBe(1))
  const dropped = expect(one.sync.whenConfirmed([commandId])).rejects.toMatchObject({
    code: 'event-dropped',
    facts: { eventId: commandId, progress: 'rejected' },
  })
  const confirmed = Promise.all([
    one.sync.whenConfirmed([event.id]),
    one.sync.whenConfirmed(lastEventGlobalPosition),
    one.sync.whenConfirmed([]),
  ])
  await one.sync.setOnline(true)
  await Promise.all([dropped, confirmed])
  expect(await one.sync.progressOf(ids)).toEqual(['confirmed', 'rejected', null])
  await one.acknowledgeRejection(commandId)
  expect(await one.sync.progressOf([commandId])).toEqual(['dropped'])
  await vi.waitFor(() =>
    expect(one.sync.status().getSnapshot()).toMatchObject({ pending: 0, oldestPendingAt: null }),
  )
  await expect(one.sync.whenConfirmed(['no id'])).rejects.toMatchObject({ code: 'invalid-argument' })
  await expect(one.sync.whenConfirmed(99)).rejects.toMatchObject({ code: 'unknown-event' })
  await expect(one.sync.whenConfirmed([ids[2]!])).rejects.toMatchObject({ code: 'unknown-event' })
})

test('a merge that the page names is carried out in the worker', async () => {
  const [one, other] = [await device(), await device()]
  await Promise.all([phase(one, 'idle'), phase(other, 'idle')])
  await one.sync.setOnline(false)
  await phase(one, 'offline')
  const [fits, doesNot] = [added('a', 2), added('b', 3)].map(event => ({ ...event, id: crypto.randomUUID() }))
  await one.appendToStream('cart-1', [fits!, doesNot!], { onConflict: { merge: 'fitting' } })
  await other.appendToStream('cart-1', [added('c', 7)])
  await vi.waitFor(() => expect(other.sync.status().getSnapshot().serverPosition).toBe(1))
  await one.sync.setOnline(true)
  await one.sync.whenConfirmed([fits!.id])
  expect(await one.sync.progressOf([fits!.id, doesNot!.id])).toEqual(['confirmed', 'dropped'])
  expect((await one.projection('contents').get('cart-1'))!.state).toEqual({ total: 9, skus: ['c', 'a'] })
  expect(await one.rejections()).toEqual([])
})
