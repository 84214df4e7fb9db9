import 'fake-indexeddb/auto'
import Dexie, { type Table } from 'dexie'
import { afterEach, describe, expect, test } from 'vitest'
import { dexieRows, readModelStores, readShown, shownTable } from '../../src/dexie/index.ts'
import type { RowStore } from '../../src/model/row-store.ts'
import { connect, deleteDatabases, freshName, modelOf } from './databases.ts'

afterEach(deleteDatabases)

type Card = { id: string; title: string }
type CardTables = { cards: Table<Card, string> }

const MODELS = { board: modelOf({ cards: 'id, title', decks: 'id' }) }

async function opened(): Promise<{ page: Dexie; store: RowStore }> {
  const name = freshName()
  const store = dexieRows(connect(name, MODELS))
  await store.open(MODELS)
  return { page: connect(name, MODELS), store }
}

/** Makes all rows anew: one card, and one deck, of this name. */
async function rebuild(store: RowStore, id: string): Promise<void> {
  const { shown } = await store.progress('board')
  await store.begin({ model: 'board', from: null, to: 'begun' })
  const operations = ['cards', 'decks'].map(
    table => ({ table, kind: 'put', row: { id, title: id } }) as const,
  )
  const steps = [{ position: 1, operations }]
  await store.write({ model: 'board', side: 'aside', from: 'begun', to: id, steps, settledThrough: 1 })
  await store.switchOver({ model: 'board', shown, aside: id })
}

describe('the table that is shown', () => {
  test('is empty before there was anything, and then the one that was made last', async () => {
    const { page, store } = await opened()
    expect(await (await shownTable(page, 'cards')).toArray()).toEqual([])
    for (const id of ['one', 'two', 'three']) {
      await rebuild(store, id)
      const cards = await shownTable<Card, string>(page, 'cards')
      expect((await cards.get(id))?.title).toBe(id)
      expect(await cards.count()).toBe(1)
    }
  })

  test('is refused where no read model has it, with those that there are', async () => {
    const { page } = await opened()
    const refused = shownTable(page, 'card')
    await expect(refused).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(refused).rejects.toThrow('it has: cards, decks')
    await expect(shownTable(page, 'cards$a')).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  test('is refused in a database without read models, and in one that declares half of them', async () => {
    const plain = connect(freshName(), {})
    await expect(shownTable(plain, 'cards')).rejects.toThrow('it has: none')
    const half = new Dexie(freshName())
    const { cards$a } = readModelStores({ cards: 'id' })
    half.version(1).stores({ cards$a: cards$a! })
    await expect(shownTable(half, 'cards')).rejects.toThrow('readModelStores(tables)')
  })
})

describe('a query of what is shown', () => {
  test('reads several tables at one moment, and gives what it found', async () => {
    const { page, store } = await opened()
    await rebuild(store, 'one')
    const read = await readShown(
      page,
      ['cards', 'decks'],
      async ({ cards, decks }: CardTables & { decks: Table<{ id: string }, string> }) => [
        await cards.toArray(),
        await decks.count(),
      ],
    )
    expect(read).toEqual([[{ id: 'one', title: 'one' }], 1])
  })

  test('never finds a table that was emptied by a switch', async () => {
    const { page, store } = await opened()
    await rebuild(store, 'one')
    let isOver = false
    const switching = (async () => {
      for (let i = 0; i < 20; i++) await rebuild(store, `card ${i}`)
      isOver = true
    })()
    let asked = 0
    while (!isOver) {
      const found = await readShown(page, ['cards'], ({ cards }: CardTables) => cards.toArray())
      expect(found).toHaveLength(1)
      asked++
    }
    await switching
    expect(asked).toBeGreaterThan(5)
  })

  test('is asked again of the other table where they were switched meanwhile', async () => {
    const { page, store } = await opened()
    await rebuild(store, 'one')
    // The side is known, and the transaction of the query has not begun.
    const transaction = page.transaction.bind(page) as (...args: unknown[]) => unknown
    let attempts = 0
    page.transaction = (async (...args: unknown[]) => {
      if (attempts++ === 0) await rebuild(store, 'two')
      return transaction(...args)
    }) as unknown as Dexie['transaction']
    expect(await readShown(page, ['cards'], ({ cards }: CardTables) => cards.toArray())).toEqual([
      { id: 'two', title: 'two' },
    ])
    expect(attempts).toBe(2)
  })

  test('does not wait while rows are written aside', async () => {
    const { page, store } = await opened()
    await rebuild(store, 'one')
    const side = (await shownTable(page, 'cards')).name === 'cards$a' ? 'cards$b' : 'cards$a'
    const held = connect(page.name, MODELS)
    let release = (): void => {}
    const released = new Promise<void>(resolve => {
      release = resolve
    })
    const writing = held.transaction('rw', [side, 'readModels$progress', 'readModels$before'], () =>
      Dexie.waitFor(released),
    )
    expect(await readShown(page, ['cards'], ({ cards }: CardTables) => cards.count())).toBe(1)
    release()
    await writing
  })

  test('fails as the query fails, and for a table that there is not', async () => {
    const { page } = await opened()
    const failed = readShown(page, ['cards'], () => Promise.reject(new Error('mine')))
    await expect(failed).rejects.toThrow('mine')
    await expect(readShown(page, ['card'], () => 1)).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})
