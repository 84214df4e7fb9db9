// An application before and after the handler of one type was changed.

import type { App, Event, ProjectionDefinition } from 'streamdingo'
import { fold, NOTHING } from '../events.ts'
import type { Folded } from '../subject.ts'
import type { CartEvent } from '../subjects/streamdingo/app.ts'

export type ItemReturned = Event<'ItemReturned', { quantity: number; price: number }>
type Cart = ProjectionDefinition<Folded, CartEvent | ItemReturned>

const canHandle = ['ItemAdded', 'ItemRemoved', 'PriceChanged', 'ItemReturned'] as const

const before: Cart = {
  canHandle,
  initialState: () => NOTHING,
  evolve: {
    ItemAdded: fold,
    ItemRemoved: fold,
    PriceChanged: fold,
    ItemReturned: state => ({ ...state, events: state.events + 1 }),
  },
  snapshot: { every: 50 },
}

const after: Cart = {
  canHandle,
  initialState: () => NOTHING,
  evolve: {
    ItemAdded: fold,
    ItemRemoved: fold,
    PriceChanged: fold,
    ItemReturned: ({ events, quantity, revenue }, { data }) => ({
      events: events + 1,
      quantity: quantity - data.quantity,
      revenue: revenue - data.quantity * data.price,
    }),
  },
  snapshot: { every: 50 },
}

/** The same, folded from the first event each time. */
const full: Cart = { canHandle, initialState: after.initialState, evolve: after.evolve, snapshot: 'never' }

export const apps = {
  before: { projections: { cart: before, full } },
  after: { projections: { cart: after, full } },
} satisfies Record<string, App>

export type ChangingApp = (typeof apps)['after']
