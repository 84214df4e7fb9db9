// What the subject's worker serves: one document that folds every event there is, never from a snapshot.

import type { App, Event, ProjectionDefinition } from 'streamdingo'
import { fold, NOTHING } from '../../events.ts'
import type { BenchEvent, Folded } from '../../subject.ts'

export type CartEvent = { [T in BenchEvent['type']]: Event<T, BenchEvent['data']> }[BenchEvent['type']]

const total: ProjectionDefinition<Folded, CartEvent> = {
  canHandle: ['ItemAdded', 'ItemRemoved', 'PriceChanged'],
  getDocumentId: () => 'all',
  initialState: () => NOTHING,
  evolve: fold,
  snapshot: 'never',
}

export const app = { projections: { total } } satisfies App
