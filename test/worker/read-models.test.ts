// Read models as a page has them: served by the worker beside its projections, in a database that the page reads itself.

import 'fake-indexeddb/auto'
import Dexie, { type Table } from 'dexie'
import { afterEach, describe, expect, test } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { dexieRows, readModelStores, readShown } from '../../src/dexie/index.ts'
import type { ReadModelDefinition } from '../../src/model/read-model.ts'
import type { ServedReadModels } from '../../src/model/row-store.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { type ServeStoreOptions, serveStoreOn } from '../../worker/serve-store.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'

type Line = Readonly<{ id: string; sku: string; times: number }>

const lines: ReadModelDefinition<{ lines: Line }, CartEvent> = {
  tables: { lines: 'id, sku' },
  canHandle: ['Added'],
  evolve: {
    Added: (rows, { data: { sku }, metadata }) => {
      if (sku === 'bad') throw new Error('no such thing')
      const id = `${metadata.streamName}/${sku}`
      rows.lines.upsert(id, line => ({ id, sku, times: (line?.times ?? 0) + 1 }))
    },
  },
}

let databases = 0
let name: string
const opened: StoreClient<typeof cartApp>[] = []
const errors: Error[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
  errors.length = 0
})

function openDatabase(): Dexie {
  const db = new Dexie(name)
  db.version(1).stores(readModelStores(lines.tables))
  return db
}

const served = (): ServedReadModels => ({ rows: dexieRows(openDatabase()), models: { lines } })

async function open(
  readModels: NonNullable<ServeStoreOptions['readModels']> = served,
  storage: ServeStoreOptions['storage'] = () => memoryStorage(),
  encryption: NonNullable<ServeStoreOptions['encryption']> = {},
) {
  name = `lines-${++databases}`
  const start = () => {
    const { port1, port2 } = new MessageChannel()
    const onError = (error: Error) => errors.push(error)
    serveStoreOn(port2, { app: cartApp, storage, onError, readModels, encryption })
    return port1
  }
  const store = await openStore<typeof cartApp>(start, { storeId: 'shop' })
  opened.push(store)
  return store
}

async function rows(): Promise<Line[]> {
  const db = openDatabase()
  const all = await readShown(db, ['lines'], (tables: { lines: Table<Line, string> }) =>
    tables.lines.orderBy('id').toArray(),
  )
  db.close()
  return all
}

test('rows have nothing of a key that is destroyed when that is answered', async () => {
  const store = await open(served, () => memoryStorage(), { keyIdFor: ({ streamName }) => streamName })
  for (const [i, keyId] of ['cart-1', 'cart-2'].entries()) {
    await store.keys.add(keyId, new Uint8Array(32).fill(i))
    await store.appendToStream(keyId, [added('tea'), added(`of-${keyId}`)])
  }
  const { lastEventGlobalPosition } = await store.appendToStream('cart-2', [added('tea')])
  await store.readModel('lines').whenProcessed(lastEventGlobalPosition)
  expect((await rows()).map(({ id }) => id)).toEqual([
    'cart-1/of-cart-1',
    'cart-1/tea',
    'cart-2/of-cart-2',
    'cart-2/tea',
  ])
  await store.keys.destroy('cart-1')
  expect(await rows()).toEqual([
    { id: 'cart-2/of-cart-2', sku: 'of-cart-2', times: 1 },
    { id: 'cart-2/tea', sku: 'tea', times: 2 },
  ])
  // Not in what is kept to take rows back, either.
  const kept = await new Promise<unknown[]>((resolve, reject) => {
    const opening = indexedDB.open(name)
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const database = opening.result
      const transaction = database.transaction([...database.objectStoreNames])
      const values: unknown[] = []
      for (const table of database.objectStoreNames) {
        const request = transaction.objectStore(table).getAll()
        request.onsuccess = () => values.push(...request.result)
      }
      transaction.oncomplete = () => {
        database.close()
        resolve(values)
      }
    }
  })
  expect(JSON.stringify(kept)).not.toContain('of-cart-1')
  expect(errors).toEqual([])
})

describe('a read model that a worker serves', () => {
  test('is there when it was waited for, and says how far it is', async () => {
    const store = await open()
    const { lastEventGlobalPosition } = await store.appendToStream('cart-1', [added('tea'), added('tea')])
    await store.readModel('lines').whenProcessed(lastEventGlobalPosition)
    expect(await rows()).toEqual([{ id: 'cart-1/tea', sku: 'tea', times: 2 }])
    expect(await store.readModel('lines').status()).toMatchObject({
      phase: 'current',
      processedPosition: 2,
      stoppedAt: [],
    })
  })

  test('is without what was erased when the call that erased it is answered', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('secret'), added('tea')])
    await store.readModel('lines').whenProcessed(2)
    const { events } = await store.readStream('cart-1')
    await store.eraseEvent(events[0]!.metadata.eventId)
    expect(await rows()).toEqual([{ id: 'cart-1/tea', sku: 'tea', times: 1 }])
  })

  test('stops at an event that its handler fails on, which is told once, and goes on without it when asked to', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('tea'), added('bad'), added('milk')])
    const carts = store.readModel('lines')
    await expect(carts.whenProcessed(3)).rejects.toMatchObject({ code: 'handler-failed' })
    const [stopped] = (await carts.status()).stoppedAt
    expect(stopped).toMatchObject({ type: 'Added', streamName: 'cart-1', problem: 'no such thing' })
    await carts.resume()
    expect(errors).toMatchObject([{ code: 'handler-failed' }])
    await expect(carts.skip('00000000-0000-4000-8000-000000000000')).rejects.toMatchObject({
      code: 'invalid-argument',
    })
    await carts.skip(stopped!.eventId)
    await carts.whenProcessed(3)
    expect((await rows()).map(({ sku }) => sku)).toEqual(['milk', 'tea'])
    expect((await carts.status()).skipped).toMatchObject([{ eventId: stopped!.eventId }])
  })

  test('is made anew when asked to', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('tea')])
    await store.readModel('lines').whenProcessed(1)
    const db = openDatabase()
    await readShown(db, ['lines'], async () => {})
    await db.table('lines$a').clear()
    await db.table('lines$b').clear()
    db.close()
    await store.readModel('lines').rebuild()
    expect(await rows()).toEqual([{ id: 'cart-1/tea', sku: 'tea', times: 1 }])
  })

  test('is closed with the store, so that its database may be deleted', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('tea')])
    await store.readModel('lines').whenProcessed(1)
    await store.close()
    await Dexie.delete(name)
    expect(await Dexie.exists(name)).toBe(false)
  })

  test('whose database cannot be had keeps the store from opening, with what to do', async () => {
    const undeclared = () => {
      const db = new Dexie(name)
      db.version(1).stores({ other: 'id' })
      return { rows: dexieRows(db), models: { lines } }
    }
    await expect(open(undeclared)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('readModelStores'),
    })
  })

  test('may not be called like a projection', async () => {
    await expect(
      open(() => ({ rows: dexieRows(openDatabase()), models: { contents: lines } })),
    ).rejects.toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('contents') })
  })

  test('that is not there is told', async () => {
    const store = await open()
    await expect(store.readModel('nothing').status()).rejects.toMatchObject({ code: 'unknown-projection' })
  })

  test('goes on in a new worker where the last one left off', async () => {
    const database = createMemoryDatabase()
    const store = await open(served, () => memoryStorage({ database }))
    await store.appendToStream('cart-1', [added('tea')])
    await store.readModel('lines').whenProcessed(1)
    await store.close()
    databases--
    const again = await open(served, () => memoryStorage({ database }))
    await again.appendToStream('cart-1', [added('tea')])
    await again.readModel('lines').whenProcessed(2)
    expect(await rows()).toEqual([{ id: 'cart-1/tea', sku: 'tea', times: 2 }])
  })
})
