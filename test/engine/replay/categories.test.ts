// Projections of streams of some categories: what others hold is nothing to them.

import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import type { AnyProjection } from '../../../src/model/app.ts'
import { categoryOf, categoryTest } from '../../../src/model/category.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { BY_STREAM, IN_BACKGROUND, OVER_ALL, openLists, say, sayMany, watch, words } from './lists.ts'
import { append, openDevice } from './replicas.ts'

test('a category is what the name of a stream has before its first hyphen', () => {
  expect(['cart-1', 'cart-1-2', 'cart', '-1', 'cart-'].map(categoryOf)).toEqual([
    'cart',
    'cart',
    'cart',
    '',
    'cart',
  ])
  const covers = categoryTest(['cart', 'order'])
  expect(['cart-1', 'order', 'cartoon-1', 'Cart-1', ''].map(covers)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
  expect(categoryTest(undefined)('whatever')).toBe(true)
  expect(categoryTest([])('whatever')).toBe(false)
})

const byStream = ({ metadata }: { metadata: { streamName: string } }) => metadata.streamName

const KINDS: readonly (readonly [string, Partial<AnyProjection>])[] = [
  ['of single streams', BY_STREAM],
  ['of all streams', { ...OVER_ALL, getDocumentId: byStream }],
  ['in the background', { ...IN_BACKGROUND, getDocumentId: byStream }],
  ['of single streams in the background', { ...BY_STREAM, ...IN_BACKGROUND }],
]

describe.each(KINDS)('a projection of carts, %s,', (_, definition) => {
  const open = (log: EventLog, more: Partial<AnyProjection> = {}, fails?: (word: string) => boolean) =>
    openLists(log, {
      definition: { ...definition, categories: ['cart'], ...more },
      ...(fails && { fails }),
    })

  /** Handlers of two types. */
  const handlers = (said: string, noted: string): Partial<AnyProjection> => ({
    canHandle: ['Said', 'Noted'],
    handlerCode: { hasher: 1, base: 'b', handlers: { Said: said, Noted: noted } },
  })

  test('has documents of carts alone, and runs its handlers on nothing else', async () => {
    const log = await openDevice()
    const lists = open(log, {}, word => word === 'y1')
    const seen = watch(lists.projector, 'lists', 'order-1')
    await say(log, 'cart-1', 'x1')
    await say(log, 'order-1', 'y1')
    await say(log, 'cart', 'x2')
    await lists.whenProcessed()
    expect(await lists.words('cart-1')).toEqual(['1x1'])
    expect(await lists.words('cart')).toEqual(['1x2'])
    expect(await lists.words('order-1')).toBe(null)
    expect(await lists.projector.at('lists', 'order-1', { position: 3 })).toBe(null)
    expect(await lists.status()).toMatchObject({ phase: 'current', processedPosition: 3 })
    expect(lists.failures).toEqual([])
    expect(seen.calls()).toBe(0)
  })

  test('folds nothing again when the handler of a type changed that only others hold', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await sayMany(log, 'cart-1', 'x', 40)
    await append(log, 'order-1', { type: 'Noted', data: 'y1' })
    await sayMany(log, 'cart-1', 'x', 40)
    const first = open(log, handlers('1', '1'))
    await first.whenProcessed()
    await first.words('cart-1')
    await first.projector.close()
    const second = open(await openDevice(database), handlers('1', '2'))
    await second.whenProcessed()
    expect(await second.words('cart-1')).toHaveLength(80)
    expect(second.folded()).toBe(0)
    await second.projector.close()
    const third = open(await openDevice(database), handlers('2', '2'))
    await third.whenProcessed()
    await third.words('cart-1')
    expect(third.folded()).toBe(80)
  })

  test('folds all again when it is of other categories, and nothing when they are named in another order', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await sayMany(log, 'cart-1', 'x', 40)
    await sayMany(log, 'order-1', 'y', 40)
    const build = async (...categories: string[]) => {
      const lists = open(await openDevice(database), { categories })
      await lists.whenProcessed()
      const states = [await lists.words('cart-1'), await lists.words('order-1')]
      const folded = lists.folded()
      await lists.projector.close()
      return { states, folded }
    }
    const [x, y] = [words('1x', 40), words('1y', 40)]
    expect(await build('cart')).toEqual({ states: [x, null], folded: 40 })
    expect(await build('cart', 'order')).toEqual({ states: [x, y], folded: 80 })
    expect(await build('order', 'cart')).toEqual({ states: [x, y], folded: 0 })
    expect(await build('order')).toEqual({ states: [null, y], folded: 40 })
  })
})

test('a stream of no category of its own has nothing to be folded, and says so', async () => {
  const log = await openDevice()
  const lists = openLists(log, { definition: { ...BY_STREAM, categories: ['cart'] } })
  await say(log, 'cart-1', 'x1')
  await say(log, 'order-1', 'y1')
  expect(await lists.projector.explain('lists', 'cart-1')).toMatchObject({ total: 1 })
  expect(await lists.projector.explain('lists', 'order-1')).toMatchObject({ total: 0 })
})
