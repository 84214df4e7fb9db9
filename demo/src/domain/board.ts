// What can happen on a board, and what the board is after it.

import type { Event, RecordedEvent } from 'streamdingo'

export const COLUMNS = ['todo', 'doing', 'done'] as const
export type ColumnId = (typeof COLUMNS)[number]
export const TITLES: Readonly<Record<ColumnId, string>> = { todo: 'To do', doing: 'Doing', done: 'Done' }

export const LABELS = ['rust', 'sand', 'moss', 'sky', 'plum'] as const
export type Label = (typeof LABELS)[number]

export type BoardEvent =
  | Event<'CardAdded', { cardId: string; title: string; column: ColumnId }>
  | Event<'CardMoved', { cardId: string; column: ColumnId; index: number }>
  | Event<'CardRenamed', { cardId: string; title: string }>
  | Event<'CardLabelled', { cardId: string; label: Label | null }>
  | Event<'CardArchived', { cardId: string }>
  | Event<'CardRestored', { cardId: string; column: ColumnId; index: number }>
  | Event<'LimitSet', { column: ColumnId; limit: number | null }>

export type Card = Readonly<{ id: string; title: string; label: Label | null }>

export type Board = Readonly<{
  columns: Readonly<Record<ColumnId, readonly Card[]>>
  /** Most cards a column may hold, null for any number. */
  limits: Readonly<Record<ColumnId, number | null>>
  archived: readonly Card[]
}>

export const boardStream = (boardId: string): string => `board-${boardId}`

export const emptyBoard = (): Board => ({
  columns: { todo: [], doing: [], done: [] },
  limits: { todo: null, doing: null, done: null },
  archived: [],
})

export function evolveBoard(board: Board, { type, data }: RecordedEvent<BoardEvent>): Board {
  switch (type) {
    case 'CardAdded':
      return place(board, { id: data.cardId, title: data.title, label: null }, data.column)
    case 'CardMoved':
    case 'CardRestored': {
      const card = findCard(board, data.cardId)
      return card ? place(withoutCard(board, data.cardId), card, data.column, data.index) : board
    }
    case 'CardRenamed':
      return changeCard(board, data.cardId, { title: data.title })
    case 'CardLabelled':
      return changeCard(board, data.cardId, { label: data.label })
    case 'CardArchived': {
      const card = findCard(board, data.cardId)
      const rest = withoutCard(board, data.cardId)
      return card ? { ...rest, archived: [...rest.archived, card] } : board
    }
    case 'LimitSet':
      return { ...board, limits: { ...board.limits, [data.column]: data.limit } }
  }
}

/** The column a card is in; undefined for an archived or unknown one. */
export function columnOf(board: Board, cardId: string): ColumnId | undefined {
  return COLUMNS.find(column => board.columns[column].some(({ id }) => id === cardId))
}

/** Archived cards, too. */
export function findCard(board: Board, cardId: string): Card | undefined {
  return [...COLUMNS.flatMap(column => board.columns[column]), ...board.archived].find(
    ({ id }) => id === cardId,
  )
}

function place(board: Board, card: Card, column: ColumnId, index = Infinity): Board {
  const cards = board.columns[column].toSpliced(index, 0, card)
  return { ...board, columns: { ...board.columns, [column]: cards } }
}

function withoutCard(board: Board, cardId: string): Board {
  return mapCards(board, cards => cards.filter(({ id }) => id !== cardId))
}

function changeCard(board: Board, cardId: string, change: Partial<Card>): Board {
  return mapCards(board, cards => cards.map(card => (card.id === cardId ? { ...card, ...change } : card)))
}

function mapCards(board: Board, map: (cards: readonly Card[]) => readonly Card[]): Board {
  const { todo, doing, done } = board.columns
  return {
    ...board,
    columns: { todo: map(todo), doing: map(doing), done: map(done) },
    archived: map(board.archived),
  }
}
