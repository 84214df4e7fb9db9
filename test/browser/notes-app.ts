// What the notes of a stream say, one after the other.

import type { Event, RecordedEvent } from '../../src/log/event.ts'

export type Noted = Event<'Noted', { text: string }>

export const notesApp = {
  projections: {
    notes: {
      canHandle: ['Noted'],
      initialState: (): readonly string[] => [],
      evolve: (state: readonly string[], { data }: RecordedEvent<Noted>) => [...state, data.text],
      snapshot: { every: 2 },
    },
  },
} as const
