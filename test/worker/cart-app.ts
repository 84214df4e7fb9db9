// A small application for tests of the whole path: carts, and how much is in each.

import type { Event } from '../../src/log/event.ts'
import type { App, Command, DeciderDefinition, ProjectionDefinition } from '../../src/model/app.ts'
import type { MergeDefinition } from '../../src/model/merge.ts'

export type Added = Event<'Added', { sku: string; count: number }>
export type Emptied = Event<'Emptied', null>
export type CartEvent = Added | Emptied
export type CartCommand = Command<'Add', { sku: string; count: number }> | Command<'Empty', null>
export type Cart = Readonly<{ count: number }>

const cart: DeciderDefinition<Cart, CartCommand, CartEvent> = {
  streamName: id => `cart-${id}`,
  initialState: () => ({ count: 0 }),
  decide(command, { count }) {
    if (command.type === 'Empty') return count === 0 ? [] : { type: 'Emptied', data: null }
    if (count + command.data.count > 10) throw new Error('A cart holds ten things')
    return { type: 'Added', data: command.data }
  },
  evolve: {
    Added: ({ count }, { data }) => ({ count: count + data.count }),
    Emptied: () => ({ count: 0 }),
  },
}

export type Contents = Readonly<{ total: number; skus: readonly string[] }>

const contents: ProjectionDefinition<Contents, CartEvent> = {
  canHandle: ['Added', 'Emptied'],
  initialState: () => ({ total: 0, skus: [] }),
  evolve: {
    Added({ total, skus }, { data: { sku, count } }) {
      if (sku === 'poison') throw new Error('cannot fold this')
      return { total: total + count, skus: skus.includes(sku) ? skus : [...skus, sku] }
    },
    Emptied: () => ({ total: 0, skus: [] }),
  },
}

/** What fits into a cart beside what others have put there. */
const fitting: MergeDefinition<Cart, CartEvent> = {
  decider: 'cart',
  merge({ state, local }) {
    let { count } = state
    return local.filter(event => {
      count += event.type === 'Added' ? event.data.count : 0
      return count <= 10
    })
  },
}

export const cartApp = {
  deciders: { cart },
  projections: { contents },
  merges: { fitting },
} satisfies App

export const added = (sku: string, count = 1): Added => ({ type: 'Added', data: { sku, count } })
