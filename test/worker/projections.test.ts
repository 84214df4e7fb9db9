// What a page asks of projections, over the port: how far they are, and to go on.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import { projectionControlOf } from '../../src/client/projection-control.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import type { View } from '../../src/client/views.ts'
import { WorkerLink } from '../../src/client/worker-link.ts'
import type { App, ProjectionDefinition } from '../../src/model/app.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { fakeWorker, ok } from '../client/fake-worker.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'
import { shows, startWorker } from './in-process.ts'

let isBroken = true

/** How much is in all carts, by sku. */
const stock: ProjectionDefinition<number, CartEvent> = {
  canHandle: ['Added'],
  categories: ['cart'],
  handling: 'async',
  getDocumentId: event => (event.type === 'Added' ? event.data.sku : null),
  initialState: () => 0,
  evolve: {
    Added(state, { data: { sku, count } }) {
      if (isBroken && sku === 'poison') throw new Error('cannot count this')
      return state + count
    },
  },
}

const app = { ...cartApp, projections: { ...cartApp.projections, stock } } satisfies App
type ShopStore = StoreClient<typeof app>

const opened: ShopStore[] = []

beforeEach(() => {
  isBroken = true
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
})

/** A tab of a store, with all workers that it had. */
async function open(database = createMemoryDatabase()) {
  const workers: { die: () => void }[] = []
  const store = await openStore<typeof app>(
    () => {
      const worker = startWorker(() => memoryStorage({ database }), app)
      workers.push(worker)
      return worker.port
    },
    { storeId: 'shop' },
  )
  opened.push(store)
  return { store, workers, database }
}

/** Resolves when the view has an error, or none. */
function tells(view: View<unknown>, isWrong: boolean): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      if ((view.getError() !== null) !== isWrong) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = view.subscribe(look)
    if (view.getSnapshot() !== undefined) look()
  })
}

const idOfLast = async (store: ShopStore, streamName: string): Promise<string> =>
  (await store.readStream(streamName)).events.at(-1)!.metadata.eventId

describe('a page', () => {
  test('waits until what it appended is in a projection, and sees how far that is', async () => {
    const { store } = await open()
    const { lastEventGlobalPosition } = await store.appendToStream('cart-1', [added('a', 2), added('a')])
    await store.projection('stock').whenProcessed(lastEventGlobalPosition)
    expect(await store.projection('stock').get('a')).toMatchObject({ state: 3, streamVersion: 2 })
    expect(await store.projection('stock').status()).toEqual({
      phase: 'current',
      processedPosition: 2,
      headPosition: 2,
      stoppedAt: [],
      skipped: [],
    })
  })

  test('waits for what is yet to come, for ever if need be', async () => {
    const { store } = await open()
    const processed = store.projection('stock').whenProcessed(1)
    await store.appendToStream('cart-1', [added('a')])
    await processed
    expect((await store.projection('stock').get('a'))?.state).toBe(1)
  })

  test('is told that the time is over', async () => {
    const { store } = await open()
    await store.appendToStream('cart-1', [added('a')])
    await expect(store.projection('stock').whenProcessed(2, { timeoutMs: 0 })).rejects.toMatchObject({
      code: 'not-processed',
      facts: { projection: 'stock', position: 2, timeoutMs: 0 },
    })
    await store.projection('contents').whenProcessed(1, { timeoutMs: 60_000 })
  })

  test('ends its wait, also one that it should not have begun', async () => {
    const { store } = await open()
    const life = new AbortController()
    const { signal } = life
    const processed = store.projection('stock').whenProcessed(1, { signal })
    life.abort()
    await expect(processed).rejects.toMatchObject({ code: 'aborted' })
    await store.appendToStream('cart-1', [added('a')])
    await expect(store.projection('stock').whenProcessed(1, { signal })).rejects.toMatchObject({
      code: 'aborted',
    })
  })

  test('that closes the store in the middle of a wait is told so', async () => {
    const { store } = await open()
    const processed = store.projection('stock').whenProcessed(1)
    const told = expect(processed).rejects.toMatchObject({ code: 'store-closed' })
    await store.close()
    await told
  })

  test('asks a worker for no longer than calls may take, and again', async () => {
    const waits: number[] = []
    const worker = fakeWorker({
      whenProcessed: async (_name, _position, waitMs) => {
        waits.push(waitMs)
        return ok(waits.length === 3)
      },
    })
    const link = new WorkerLink({
      source: worker.port,
      values: { storeId: 's' },
      page: {} as never,
      callTimeoutMs: 500,
    })
    await link.open()
    await projectionControlOf(link, 'stock').whenProcessed(1)
    expect(waits).toEqual([250, 250, 250])
    await link.close()
  })

  test('goes on waiting in the next worker when one dies', async () => {
    const { store, workers } = await open()
    const processed = store.projection('stock').whenProcessed(1)
    // It was asked behind it.
    expect(await store.streamExists('cart-1')).toBe(false)
    workers[0]!.die()
    await store.appendToStream('cart-1', [added('a')])
    await processed
    expect(workers).toHaveLength(2)
    expect((await store.projection('stock').get('a'))?.state).toBe(1)
  })

  test('is refused what no projection is called', async () => {
    const { store } = await open()
    const nothing = store.projection('nothing' as 'stock')
    for (const asked of [
      nothing.status(),
      nothing.whenProcessed(0),
      nothing.resume(),
      nothing.skip('x'),
      nothing.rebuild(),
    ])
      await expect(asked).rejects.toMatchObject({
        code: 'unknown-projection',
        facts: { projection: 'nothing' },
      })
  })

  test('has all folded again', async () => {
    const { store } = await open()
    isBroken = false
    await store.appendToStream('cart-1', [added('poison'), added('a')])
    await store.projection('stock').whenProcessed(2)
    isBroken = true
    await store.projection('stock').rebuild()
    await expect(store.projection('stock').whenProcessed(2)).rejects.toMatchObject({ code: 'handler-failed' })
    expect(await store.projection('stock').status()).toMatchObject({ phase: 'stopped', processedPosition: 0 })
    // What was there before.
    expect((await store.projection('stock').get('a'))?.state).toBe(1)
  })
})

describe.each([
  ['contents', 'cart-1'],
  ['stock', 'a'],
] as const)('a projection that stopped, %s', (projection, documentId) => {
  async function stopped(database = createMemoryDatabase()) {
    const tab = await open(database)
    const { store } = tab
    await store.appendToStream('cart-1', [added('a')])
    const view = store.view(projection, documentId) as View<unknown>
    // Somebody looks at it for as long as the test runs.
    view.subscribe(() => {})
    const failed = tells(view, true)
    await store.appendToStream('cart-1', [added('poison')])
    await failed
    await store.appendToStream('cart-1', [added('a')])
    const eventId = (await store.projection(projection).status()).stoppedAt[0]!.eventId
    return { ...tab, view, eventId }
  }

  const count = (state: unknown) => (typeof state === 'number' ? state : (state as { total: number }).total)

  test('shows what it had, and why; is skipped by that event alone, and goes on', async () => {
    const { store, view, eventId } = await stopped()
    expect(count(view.getSnapshot()!.state)).toBe(1)
    expect(view.getError()).toMatchObject({ code: 'handler-failed', facts: { eventId } })
    const other = await idOfLast(store, 'cart-1')
    await expect(store.projection(projection).skip(other)).rejects.toMatchObject({
      code: 'invalid-argument',
      facts: { eventId: other, stoppedAt: [eventId] },
    })
    const mended = tells(view, false)
    const shown = shows(view, state => count(state) === 2)
    await store.projection(projection).skip(eventId)
    await mended
    await shown
    expect(await store.projection(projection).status()).toMatchObject({
      phase: 'current',
      stoppedAt: [],
      skipped: [{ eventId, type: 'Added' }],
    })
  })

  test('goes on in all tabs when one of them skips the event', async () => {
    const { store, eventId, database } = await stopped()
    const { store: other } = await open(database)
    const view = other.view(projection, documentId) as View<unknown>
    await tells(view, true)
    view.subscribe(() => {})
    const shown = shows(view, state => count(state) === 2)
    await store.projection(projection).skip(eventId)
    await shown
    expect(view.getError()).toBe(null)
    expect((await other.projection(projection).status()).skipped).toMatchObject([{ eventId }])
  })
})

test('a projection that stopped for a time goes on with all of it', async () => {
  const { store } = await open()
  await store.appendToStream('cart-1', [added('poison'), added('a')])
  const { whenProcessed, resume, status } = store.projection('stock')
  await expect(whenProcessed(2)).rejects.toMatchObject({ code: 'handler-failed' })
  expect(await status()).toMatchObject({
    phase: 'stopped',
    processedPosition: 0,
    headPosition: 2,
    stoppedAt: [{ type: 'Added', streamName: 'cart-1', globalPosition: 1, problem: 'cannot count this' }],
  })
  isBroken = false
  await resume()
  await whenProcessed(2)
  expect((await store.projection('stock').get('poison'))?.state).toBe(1)
  expect(await status()).toMatchObject({ phase: 'current', skipped: [] })
})

test('what a decider would fold is told, and refused for one that there is not', async () => {
  const { store } = await open()
  await store.execute('cart', '1', { type: 'Add', data: { sku: 'a', count: 1 } })
  const explained = await store.decider('cart').explain('1')
  expect(explained).toMatchObject({
    kind: 'decider',
    name: 'cart',
    streamName: 'cart-1',
    reason: 'no-snapshot',
    from: 0,
    total: 1,
  })
  expect(explained.text).toContain('decider cart, stream cart-1: 1 of 1 events are folded')
  await expect(store.decider('nobody' as 'cart').explain('1')).rejects.toMatchObject({
    code: 'unknown-decider',
  })
})
