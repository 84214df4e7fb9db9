// An application in two releases: what was a number of euros is cents by now, and a handler was changed.

import type { App, Event, ProjectionDefinition } from '../../src/index.ts'

export type Bought = Event<'Bought', { cents: number }>
type Total = Readonly<{ cents: number; events: readonly number[] }>

const total: ProjectionDefinition<Total, Bought | Event<'Refunded', { cents: number }>> = {
  canHandle: ['Bought', 'Refunded'],
  initialState: () => ({ cents: 0, events: [] }),
  evolve: {
    Bought: ({ cents, events }, { data }) => ({ cents: cents + data.cents, events: [...events, data.cents] }),
    Refunded: ({ cents, events }, { data }) => ({ cents: cents - data.cents, events }),
  },
  snapshot: { every: 10 },
}

/** All customers of a shop, in the background. */
const spent: ProjectionDefinition<number, Bought | Event<'Refunded', { cents: number }>> = {
  canHandle: ['Bought', 'Refunded'],
  categories: ['cart'],
  handling: 'async',
  getDocumentId: () => 'everybody',
  initialState: () => 0,
  evolve: {
    Bought: (cents, { data }) => cents + data.cents,
    Refunded: (cents, { data }) => cents - data.cents,
  },
  snapshot: { every: 500 },
}

const spentDoubled: typeof spent = {
  ...spent,
  evolve: {
    Bought: (cents, { data }) => cents + data.cents,
    Refunded: (cents, { data }) => cents - 2 * data.cents,
  },
}

/** Pushes into the array that it was given. */
const mutating: ProjectionDefinition<{ cents: number[] }, Bought> = {
  canHandle: ['Bought'],
  initialState: () => ({ cents: [] }),
  evolve: {
    Bought: (state, { data }) => {
      state.cents.push(data.cents)
      return { ...state }
    },
  },
}

const doubled: typeof total = {
  ...total,
  evolve: {
    Bought: ({ cents, events }, { data }) => ({ cents: cents + data.cents, events: [...events, data.cents] }),
    Refunded: ({ cents, events }, { data }) => ({ cents: cents - 2 * data.cents, events }),
  },
}

const upcasters: App['upcasters'] = [
  { type: 'Bought', from: 1, upcast: data => ({ cents: (data as { euros: number }).euros * 100 }) },
]

export const releases = {
  first: { upcasters, projections: { total, mutating, spent } },
  second: { upcasters, projections: { total: doubled, mutating, spent: spentDoubled } },
} satisfies Record<string, App>

export type ReplayApp = (typeof releases)['first']
