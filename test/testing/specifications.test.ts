import { describe, expect, test } from 'vitest'
import type { Command, DeciderDefinition, Event, ProjectionDefinition } from '../../src/index.ts'
import { specifyDecider, specifyProjection } from '../../src/testing/index.ts'

type Added = Event<'Added', { sku: string; n: number }>
type Cleared = Event<'Cleared', Record<never, never>>
type CartEvent = Added | Cleared
type Add = Command<'Add', { sku: string; n: number }>
type Cart = { items: string[]; n: number }

class CartFull extends Error {}

const cart: DeciderDefinition<Cart, Add, CartEvent> = {
  streamName: id => `cart-${id}`,
  initialState: () => ({ items: [], n: 0 }),
  decide: ({ data }, { n }) => {
    if (n + data.n > 10) throw new CartFull(`no room for ${data.n}`)
    return data.n === 0 ? [] : { type: 'Added', data }
  },
  evolve: {
    Added: (state, { data }) => ({ items: [...state.items, data.sku], n: state.n + data.n }),
    Cleared: () => ({ items: [], n: 0 }),
  },
}

const added = (n: number): Added => ({ type: 'Added', data: { sku: `s${n}`, n } })
const add = (n: number): Add => ({ type: 'Add', data: { sku: `s${n}`, n } })

describe('a decider', () => {
  const given = specifyDecider(cart)

  test('answers with events, one or more or none, whatever the order of keys and the ids', () => {
    given([])
      .when(add(1))
      .then([added(1)])
    given([]).when(add(1)).then(added(1))
    given([])
      .when(add(1))
      .then({ type: 'Added', data: { n: 1, sku: 's1' }, id: 'any' })
    given([added(9)])
      .when(add(0))
      .then([])
    given([added(9), { type: 'Cleared', data: {} }])
      .when(add(9))
      .then([added(9)])
  })

  test('refuses, by class, words or pattern', () => {
    given([added(9)])
      .when(add(2))
      .then(CartFull)
    given([added(9)])
      .when(add(2))
      .then('no room for 2')
    given([added(9)])
      .when(add(2))
      .then(/room for \d/)
  })

  test.each([
    [
      'other events',
      () =>
        given([])
          .when(add(1))
          .then([added(2)]),
      'led to other events',
    ],
    [
      'more events',
      () =>
        given([])
          .when(add(1))
          .then([added(1), added(1)]),
      'led to other events',
    ],
    ['events instead of a refusal', () => given([]).when(add(1)).then(CartFull), 'was to be refused'],
    [
      'a refusal instead of events',
      () =>
        given([added(9)])
          .when(add(2))
          .then([]),
      'The command was refused',
    ],
    [
      'a refusal of another class',
      () =>
        given([added(9)])
          .when(add(2))
          .then(TypeError),
      'refused otherwise',
    ],
    [
      'a refusal in other words',
      () =>
        given([added(9)])
          .when(add(2))
          .then('nonsense'),
      'refused otherwise',
    ],
  ])('fails at %s, with both sides', (_, specification, message) => {
    let failure: unknown
    try {
      specification()
    } catch (error) {
      failure = error
    }
    expect(failure).toMatchObject({ name: 'SpecificationFailed', message: expect.stringContaining(message) })
    expect(failure).toHaveProperty('expected')
    expect(failure).toHaveProperty('actual')
  })

  test('that changes its state, an event or the command in place is found out', () => {
    const mutating = (part: Partial<typeof cart>) => () =>
      specifyDecider({ ...cart, ...part })([added(1)])
        .when(add(1))
        .then([])
    const item = (n: number): Added => ({ type: 'Added', data: { sku: 'x', n } })
    const cases: Partial<typeof cart>[] = [
      { evolve: { Added: (state, { data }) => ({ ...state, n: state.items.push(data.sku) }) } },
      { evolve: { Added: (state, { data }) => ({ ...state, n: (data as { n: number }).n++ }) } },
      { decide: ({ data }) => item((data as { n: number }).n++) },
      { decide: (_, { items }) => item(items.push('x')) },
    ]
    for (const part of cases)
      expect(mutating(part)).toThrow(/read only|not extensible|handler of Added|refused/)
  })
})

describe('a projection', () => {
  const counter: ProjectionDefinition<number, CartEvent> = {
    canHandle: ['Added'],
    initialState: () => 0,
    evolve: { Added: (n, { data }) => n + data.n, Cleared: () => -1 },
  }

  test('of one stream each, and of all', () => {
    const given = specifyProjection(counter)
    given([]).then(null)
    given([added(1), { type: 'Cleared', data: {} }, added(2)]).then(3)
    given([added(1), { ...added(2), streamName: 'cart-2' }]).then(2, 'cart-2')
    const bySku = specifyProjection({
      ...counter,
      getDocumentId: ({ data }) => ('sku' in data ? data.sku : null),
    })
    bySku([added(1), added(2), { ...added(1), streamName: 'cart-2' }]).then(2, 's1')
  })

  test('of some categories, in a stream of the first one where events name none', () => {
    const given = specifyProjection({ ...counter, categories: ['cart', 'basket'] })
    given([added(1), added(2)]).then(3)
    given([added(1)]).then(1, 'cart-given')
    given([{ ...added(1), streamName: 'basket-1' }]).then(1, 'basket-1')
    given([{ ...added(1), streamName: 'order-1' }]).then(null, 'order-1')
    const total = specifyProjection({ ...counter, categories: ['cart'], getDocumentId: () => 'all' })
    total([added(1), { ...added(2), streamName: 'order-1' }]).then(1, 'all')
  })

  test('that comes out otherwise fails', () => {
    expect(() => specifyProjection(counter)([added(1)]).then(2)).toThrow(/is another one/)
  })
})
