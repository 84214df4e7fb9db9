// Notes of a card. Each card has a stream of its own for them, so that two people can write on two cards at once
// without either having to wait for the other.

import type { Event, ProjectionDefinition } from 'streamdingo'

export type NoteAdded = Event<'NoteAdded', { boardId: string; cardId: string; text: string }>

export const noteStream = (cardId: string): string => `card-${cardId}`

export type Notes = readonly Readonly<{ text: string; at: number }>[]

/** One stream, one document. */
export const cardNotes: ProjectionDefinition<Notes, NoteAdded> = {
  canHandle: ['NoteAdded'],
  initialState: () => [],
  evolve: {
    NoteAdded: (notes, { data, metadata }) => [...notes, { text: data.text, at: metadata.recordedAt }],
  },
}
