// What the scenarios' worker serves. A projection that is there twice is folded from blocks that the first one left
// in the worker's memory.

import type { App, Event, ProjectionDefinition, SnapshotPolicy } from 'streamdingo'
import { fold, NOTHING } from '../events.ts'
import type { Folded } from '../subject.ts'
import type { CartEvent } from '../subjects/streamdingo/app.ts'

export type ItemMoved = Event<'ItemMoved', { item: number; x: number; y: number }>
export type Board = Readonly<Record<number, ItemMoved['data']>>

const board: ProjectionDefinition<Board, ItemMoved> = {
  canHandle: ['ItemMoved'],
  initialState: () => ({}),
  evolve: { ItemMoved: (items, { data }) => ({ ...items, [data.item]: data }) },
  snapshot: 'never',
}

export const app = {
  projections: {
    total: ofAll('never'),
    totalAgain: ofAll('never'),
    keptTotal: ofAll({}),
    cart: ofEachStream('never'),
    cartAgain: ofEachStream('never'),
    keptCart: ofEachStream({ every: 1 }),
    board,
  },
} satisfies App

export type ScenarioApp = typeof app

function ofAll(snapshot: SnapshotPolicy): ProjectionDefinition<Folded, CartEvent> {
  return { ...ofEachStream(snapshot), getDocumentId: () => 'all' }
}

function ofEachStream(snapshot: SnapshotPolicy): ProjectionDefinition<Folded, CartEvent> {
  return {
    canHandle: ['ItemAdded', 'ItemRemoved', 'PriceChanged'],
    initialState: () => NOTHING,
    evolve: fold,
    snapshot,
  }
}
