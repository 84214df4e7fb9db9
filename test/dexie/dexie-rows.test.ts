import 'fake-indexeddb/auto'
import Dexie, { type DBCore } from 'dexie'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { describeRowStore } from '../../src/conformance/index.ts'
import { dexieRows } from '../../src/dexie/index.ts'
import type { RowOperation, RowStore } from '../../src/model/row-store.ts'
import { connect, deleteDatabases, freshName, freshRows, modelOf, shownRows } from './databases.ts'

describeRowStore('Dexie (fake-indexeddb)', freshRows)

const MODELS = { board: modelOf({ cards: 'id', decks: 'id' }) }

afterEach(async () => {
  vi.restoreAllMocks()
  await deleteDatabases()
})

async function opened(name = freshName()): Promise<{ db: Dexie; store: RowStore }> {
  const db = connect(name, MODELS)
  const store = dexieRows(db)
  await store.open(MODELS)
  return { db, store }
}

const put = (table: string, id: string): RowOperation => ({ table, kind: 'put', row: { id } })

type Batch = Parameters<RowStore['write']>[0]
const batch = (more: Partial<Batch> = {}): Batch => ({
  model: 'board',
  side: 'shown',
  from: null,
  to: 'a',
  steps: [{ position: 1, operations: [put('cards', '1')] }],
  settledThrough: 0,
  ...more,
})

const problem = (name: string) =>
  expect.objectContaining({ code: 'storage-failed', facts: { problem: name } })

describe('what gets in the way', () => {
  test('a database that was closed', async () => {
    const { db, store } = await opened()
    db.close()
    for (const call of [
      store.write(batch()),
      store.progress('board'),
      store.rewind({ model: 'board', side: 'shown', from: 'a', to: 'b', through: 0 }),
      store.begin({ model: 'board', from: null, to: 'b' }),
      store.switchOver({ model: 'board', shown: null, aside: 'b' }),
    ]) {
      await expect(call).rejects.toEqual(problem('closed'))
    }
  })

  test('no IndexedDB at all', async () => {
    const { indexedDB: _, ...rest } = Dexie.dependencies
    const db = new Dexie(freshName(), { ...rest, indexedDB: undefined as never })
    db.version(1).stores({})
    await expect(dexieRows(db).open(MODELS)).rejects.toEqual(problem('unavailable'))
  })

  test('a browser that refuses', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('no', 'SecurityError')
    })
    await expect(dexieRows(connect(freshName(), MODELS)).open(MODELS)).rejects.toEqual(problem('unavailable'))
  })

  /** Ends each transaction as the browser does that finds no room when it commits. */
  const abortWith = (db: Dexie, error: DOMException): void => {
    const create = (core: DBCore): DBCore => ({
      ...core,
      transaction: (stores, mode, options) => {
        const transaction = core.transaction(stores, mode, options)
        if (mode === 'readwrite') {
          Object.defineProperty(transaction, 'error', { value: error })
          Object.defineProperty(transaction, 'oncomplete', { set: () => {} })
        }
        return transaction
      },
      table: name => {
        const table = core.table(name)
        return {
          ...table,
          mutate: async request => {
            const response = await table.mutate(request)
            if (name === 'readModels$progress') request.trans.abort()
            return response
          },
        }
      },
    })
    db.use({ stack: 'dbcore', name: 'aborting', create })
  }

  test.each([
    ['QuotaExceededError', 'quota'],
    ['UnknownError', 'failed'],
  ])('a transaction that ends with %s when all requests were answered', async (name, expected) => {
    const db = connect(freshName(), MODELS)
    abortWith(db, new DOMException('no', name))
    const store = dexieRows(db)
    await store.open(MODELS)
    await expect(store.write(batch())).rejects.toEqual(problem(expected))
    expect(await shownRows(db, 'cards')).toEqual([])
    expect(await store.progress('board')).toEqual({ shown: null, aside: null })
  })

  test('a table that another release took away', async () => {
    const { db, store } = await opened()
    const newer = new Dexie(db.name)
    newer.version(2).stores({ cards$a: null, cards$b: null })
    await newer.open()
    newer.close()
    await expect(store.write(batch())).rejects.toMatchObject({ code: 'storage-failed' })
  })
})

describe('the database of the application', () => {
  test('is closed with the store, and opened again with it', async () => {
    const { db, store } = await opened()
    store.close()
    expect(db.isOpen()).toBe(false)
    await store.open(MODELS)
    expect(await store.write(batch())).toBe('written')
  })

  test('has transactions of its own beside, within which an event may be written', async () => {
    const { db, store } = await opened()
    const outcome = await db.transaction('r', 'cards$b', () =>
      Dexie.waitFor((async () => [await store.write(batch()), await store.progress('board')])()),
    )
    expect(outcome).toEqual(['written', { shown: 'a', aside: null }])
  })

  test('is kept waiting only where rows are written', async () => {
    const db = connect(freshName(), MODELS)
    const scopes: string[][] = []
    const create = (core: DBCore): DBCore => ({
      ...core,
      transaction: (stores, mode, options) => {
        if (mode === 'readwrite') scopes.push(stores.toSorted())
        return core.transaction(stores, mode, options)
      },
    })
    db.use({ stack: 'dbcore', name: 'scopes', create })
    const store = dexieRows(db)
    await store.open(MODELS)
    await store.write(batch())
    expect(scopes).toEqual([['cards$a', 'readModels$before', 'readModels$progress']])
  })

  test('keeps what rows were only until it is settled, or the side is begun anew or taken over from', async () => {
    const { db, store } = await opened()
    const kept = async () =>
      (await db.table('readModels$before').toArray()).map(({ table, position }) => [table, position])
    const steps = [1, 2, 3].map(position => ({
      position,
      operations: [put('cards', String(position)), put('decks', '1')],
    }))
    await store.write(batch({ steps, settledThrough: 1 }))
    expect(await kept()).toEqual([
      ['cards$a', 2],
      ['decks$a', 2],
      ['cards$a', 3],
      ['decks$a', 3],
    ])
    await store.write(batch({ from: 'a', to: 'b', steps: [], settledThrough: 2 }))
    expect(await kept()).toEqual([
      ['cards$a', 3],
      ['decks$a', 3],
    ])
    await store.begin({ model: 'board', from: null, to: 'c' })
    await store.write(batch({ side: 'aside', from: 'c', to: 'd' }))
    expect((await kept()).at(-1)).toEqual(['cards$b', 1])
    await store.begin({ model: 'board', from: 'd', to: 'e' })
    expect(await kept()).toHaveLength(2)
    await store.switchOver({ model: 'board', shown: 'b', aside: 'e' })
    expect(await kept()).toEqual([])
  })

  test('goes on from the rows of a read model that has another name now, until they are made anew', async () => {
    const { db, store } = await opened()
    await store.begin({ model: 'board', from: null, to: 'b' })
    await store.write(batch({ side: 'aside', from: 'b', to: 'c' }))
    await store.switchOver({ model: 'board', shown: null, aside: 'c' })
    store.close()
    await db.open()
    const renamed = dexieRows(db)
    await renamed.open({ kanban: MODELS.board })
    await renamed.begin({ model: 'kanban', from: null, to: 'begun' })
    expect(await shownRows(db, 'cards')).toEqual([{ id: '1' }])
    await renamed.switchOver({ model: 'kanban', shown: null, aside: 'begun' })
    expect(await shownRows(db, 'cards')).toEqual([])
  })
})
