// What goes on in the store, over all streams; and the same as a next release might fold it, with one handler changed.

import type { ProjectionDefinition, RecordedEvent } from 'streamdingo'
import type { BoardEvent } from './board.ts'
import type { NoteAdded } from './notes.ts'

export type Activity = Readonly<{
  cards: number
  notes: number
  /** What the last event was, in words. */
  latest: string
}>

export const ACTIVITY_ID = 'all'

type Folded = BoardEvent | NoteAdded
type Of<T extends Folded['type']> = RecordedEvent<Extract<Folded, { type: T }>>

const canHandle = ['CardAdded', 'CardMoved', 'CardLabelled', 'CardArchived', 'NoteAdded'] as const
const getDocumentId = (): string => ACTIVITY_ID
const nothingYet = (): Activity => ({ cards: 0, notes: 0, latest: 'nothing yet' })
const snapshot = { every: 5 }

const added = (activity: Activity, { data }: Of<'CardAdded'>): Activity => ({
  ...activity,
  cards: activity.cards + 1,
  latest: `“${data.title}” was added`,
})
const moved = (activity: Activity, { data }: Of<'CardMoved'>): Activity => ({
  ...activity,
  latest: `a card was moved to ${data.column}`,
})
const labelled = (activity: Activity, { data }: Of<'CardLabelled'>): Activity => ({
  ...activity,
  latest: data.label === null ? 'a label was taken off' : `a card became ${data.label}`,
})
const archived = (activity: Activity): Activity => ({
  ...activity,
  cards: activity.cards - 1,
  latest: 'a card was archived',
})
const noted = (activity: Activity): Activity => ({
  ...activity,
  notes: activity.notes + 1,
  latest: 'a note was written',
})

const today: ProjectionDefinition<Activity, Folded> = {
  canHandle,
  getDocumentId,
  initialState: nothingYet,
  evolve: {
    CardAdded: added,
    CardMoved: moved,
    CardLabelled: labelled,
    CardArchived: archived,
    NoteAdded: noted,
  },
  snapshot,
}

/** Other words for labels: the next event puts them out of sight, so the state soon is what it was. */
const otherLabels: ProjectionDefinition<Activity, Folded> = {
  canHandle,
  getDocumentId,
  initialState: nothingYet,
  evolve: {
    CardAdded: added,
    CardMoved: moved,
    CardLabelled: (activity, { data }) => ({
      ...activity,
      latest: `the label ${data.label ?? 'of nothing'} was chosen`,
    }),
    CardArchived: archived,
    NoteAdded: noted,
  },
  snapshot,
}

/** Notes count otherwise: whatever comes behind the first one has another state. */
const otherNotes: ProjectionDefinition<Activity, Folded> = {
  canHandle,
  getDocumentId,
  initialState: nothingYet,
  evolve: {
    CardAdded: added,
    CardMoved: moved,
    CardLabelled: labelled,
    CardArchived: archived,
    NoteAdded: activity => ({ ...activity, notes: activity.notes + 2, latest: 'a note was written' }),
  },
  snapshot,
}

/** By the type whose handler is changed; `''` for none. */
export const RELEASES = { '': today, CardLabelled: otherLabels, NoteAdded: otherNotes } as const

export type Release = keyof typeof RELEASES

export const isRelease = (name: string): name is Release => Object.hasOwn(RELEASES, name)
