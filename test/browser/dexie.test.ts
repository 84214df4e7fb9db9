// Rows in a real IndexedDB: written by workers, followed by live queries of the page.

import { type Remote, wrap } from 'comlink'
import { type Dexie, liveQuery, type Table } from 'dexie'
import { afterEach, expect, test, vi } from 'vitest'
import { describeRowStore } from '../../src/conformance/index.ts'
import { dexieRows, readShown, shownTable } from '../../src/dexie/index.ts'
import { RowChangeFailed, type RowStore } from '../../src/model/row-store.ts'
import { connect, deleteDatabases, freshName, freshRows, modelOf } from '../dexie/databases.ts'
import type { Card, RowWriter } from './dexie-worker.ts'

describeRowStore('Dexie (Chromium)', freshRows)

const MODELS = { board: modelOf({ cards: 'id, *words' }) }

const ends: (() => void)[] = []

afterEach(async () => {
  for (const end of ends.splice(0)) end()
  await deleteDatabases()
})

async function startWriter(name: string): Promise<Remote<RowWriter>> {
  const worker = new Worker(new URL('./dexie-worker.ts', import.meta.url), { type: 'module' })
  ends.push(() => worker.terminate())
  const writer = await new (wrap<new (name: string) => RowWriter>(worker))(name)
  await writer.open()
  return writer
}

const card = (id: string, ...words: string[]): Card => ({ id, words, n: 0 })

/** All results that a live query has given. */
function follow<T>(query: () => Promise<T>): T[] {
  const results: T[] = []
  const subscription = liveQuery(query).subscribe(result => results.push(result))
  ends.push(() => subscription.unsubscribe())
  return results
}

const queries = {
  shownTable: async (db: Dexie) => {
    const cards = await shownTable<Card, string>(db, 'cards')
    return (await cards.where('words').startsWith('bu').toArray()).map(({ id }) => id)
  },
  readShown: (db: Dexie) =>
    readShown(db, ['cards'], async ({ cards }: { cards: Table<Card, string> }) =>
      (await cards.where('words').startsWith('bu').toArray()).map(({ id }) => id),
    ),
}

test.each(Object.entries(queries))(
  'a live query by %s follows what a worker writes, and a switch',
  async (_, query) => {
    const name = freshName()
    const db = connect(name, MODELS)
    const results = follow(() => query(db))
    const last = (ids: string[]) => vi.waitFor(() => expect(results.at(-1)).toEqual(ids))
    await last([])
    const writer = await startWriter(name)
    await writer.put(card('1', 'butter'), card('2', 'tea'))
    await last(['1'])
    await writer.put(card('3', 'bun', 'tea'), card('1', 'milk'))
    await last(['3'])
    for (const id of ['4', '5']) {
      await writer.rebuild(card(id, 'bulb'))
      await last([id])
      await writer.put(card(`${id}b`, 'bus'))
      await last([id, `${id}b`])
    }
  },
)

test('a live query is not asked again for progress without a change of its rows', async () => {
  const name = freshName()
  const db = connect(name, MODELS)
  const writer = await startWriter(name)
  await writer.put(card('1', 'bulb'))
  let asked = 0
  const results = follow(() => {
    asked++
    return queries.readShown(db)
  })
  await vi.waitFor(() => expect(results).toEqual([['1']]))
  const before = asked
  await writer.put()
  await writer.put(card('2', 'bulb'))
  await vi.waitFor(() => expect(results.at(-1)).toEqual(['1', '2']))
  expect(asked).toBe(before + 1)
})

test('of workers that write at once, each step is written by exactly one', async () => {
  const name = freshName()
  const db = connect(name, MODELS)
  const writers = await Promise.all([startWriter(name), startWriter(name), startWriter(name)])
  await Promise.all(writers.map(writer => writer.count(60)))
  expect(await (await shownTable<Card, string>(db, 'cards')).get('counter')).toMatchObject({ n: 60 })
})

test('a worker that ends in the middle leaves rows and progress together', async () => {
  const name = freshName()
  const db = connect(name, MODELS)
  const store: RowStore = dexieRows(connect(name, MODELS))
  await store.open(MODELS)
  const counted = async () => (await (await shownTable<Card, string>(db, 'cards')).get('counter'))?.n ?? 0
  for (let round = 1; round <= 5; round++) {
    const worker = new Worker(new URL('./dexie-worker.ts', import.meta.url), { type: 'module' })
    const writer = await new (wrap<new (name: string) => RowWriter>(worker))(name)
    await writer.open()
    const before = await counted()
    void writer.count(1_000_000)
    await vi.waitFor(async () => expect(await counted()).toBeGreaterThan(before))
    worker.terminate()
    // Queued behind whatever transaction of the worker is still under way.
    const { shown } = await store.progress('board')
    expect(
      await store.rewind({ model: 'board', side: 'shown', from: shown!, to: shown!, through: Infinity }),
    ).toBe('written')
    expect(await counted()).toBe(Number(shown))
  }
})

test('a row that can be cloned and not be stored fails with its step', async () => {
  const store = dexieRows(connect(freshName(), MODELS))
  await store.open(MODELS)
  const module = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]))
  expect(structuredClone(module)).toBeInstanceOf(WebAssembly.Module)
  const steps = [card('1'), { ...card('2'), module }, card('3'), { ...card('4'), module }].map((row, i) => ({
    position: i + 1,
    operations: [{ table: 'cards', kind: 'put', row } as const],
  }))
  const batch = { model: 'board', side: 'shown', from: null, to: 'a', settledThrough: 0 } as const
  const failed = store.write({ ...batch, steps })
  await expect(failed).rejects.toBeInstanceOf(RowChangeFailed)
  await expect(failed).rejects.toMatchObject({ step: 1 })
  expect(await store.progress('board')).toEqual({ shown: null, aside: null })
  expect(await store.write({ ...batch, steps: [steps[0]!, steps[2]!] })).toBe('written')
})
