// Cards by the words on them and in their notes: a read model, whose rows the page queries itself.

import Dexie, { type Table } from 'dexie'
import type { ReadModelDefinition } from 'streamdingo'
import { readModelStores, readShown } from 'streamdingo/dexie'
import type { BoardEvent, ColumnId } from './board.ts'
import type { NoteAdded } from './notes.ts'

export type FoundCard = Readonly<{
  id: string
  title: string
  /** Null for one that is archived. */
  column: ColumnId | null
  notes: readonly string[]
  /** Of title and notes, each once. */
  words: readonly string[]
}>

export const cardSearch: ReadModelDefinition<{ foundCards: FoundCard }, BoardEvent | NoteAdded> = {
  tables: { foundCards: 'id, *words' },
  categories: ['board', 'card'],
  canHandle: ['CardAdded', 'CardMoved', 'CardRenamed', 'CardArchived', 'CardRestored', 'NoteAdded'],
  evolve: {
    CardAdded: ({ foundCards }, { data: { cardId: id, title, column } }) =>
      foundCards.upsert(id, card => withWords({ id, title, column, notes: card?.notes ?? [] })),
    CardMoved: ({ foundCards }, { data: { cardId, column } }) =>
      foundCards.update(cardId, card => ({ ...card, column })),
    CardRenamed: ({ foundCards }, { data: { cardId, title } }) =>
      foundCards.update(cardId, card => withWords({ ...card, title })),
    CardArchived: ({ foundCards }, { data: { cardId } }) =>
      foundCards.update(cardId, card => ({ ...card, column: null })),
    CardRestored: ({ foundCards }, { data: { cardId, column } }) =>
      foundCards.update(cardId, card => ({ ...card, column })),
    // A note of a card may come before the card: they are in different streams.
    NoteAdded: ({ foundCards }, { data: { cardId: id, text } }) =>
      foundCards.upsert(id, card =>
        withWords({
          title: '',
          column: null,
          ...card,
          id,
          notes: [...(card?.notes ?? []), text],
        }),
      ),
  },
}

/** @param database of the store; the rows are in one of their own beside it */
export function openSearch(database: string): Dexie {
  const db = new Dexie(`${database}/search`)
  db.version(1).stores(readModelStores(cardSearch.tables))
  return db
}

/** Cards with all of these words, or words that begin so, by title, at most 20. To be asked in a `liveQuery`. */
export function findCards(db: Dexie, text: string): Promise<readonly FoundCard[]> {
  const [first, ...others] = wordsOf(text)
  if (first === undefined) return Promise.resolve([])
  return readShown(db, ['foundCards'], ({ foundCards }: { foundCards: Table<FoundCard, string> }) =>
    foundCards
      .where('words')
      .startsWith(first)
      .distinct()
      .filter(
        ({ title, words }) => title !== '' && others.every(word => words.some(one => one.startsWith(word))),
      )
      .sortBy('title')
      .then(cards => cards.slice(0, 20)),
  )
}

function withWords(card: Omit<FoundCard, 'words'>): FoundCard {
  const { id, title, column, notes } = card
  return { id, title, column, notes, words: wordsOf([title, ...notes].join(' ')) }
}

const wordsOf = (text: string): string[] => [...new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])]
