// The board's events, what may be done with it, and what it looks like. Runs in the worker; the page has its types.

import type { Command, DeciderDefinition, Event, ProjectionDefinition, RecordedEvent } from 'streamdingo'

export const COLUMNS = ['todo', 'doing', 'done'] as const
export type ColumnId = (typeof COLUMNS)[number]

type CardAdded = Event<'CardAdded', { cardId: string; title: string; column: ColumnId }>
type CardMoved = Event<'CardMoved', { cardId: string; column: ColumnId; index: number }>
type CardRenamed = Event<'CardRenamed', { cardId: string; title: string }>
type CardArchived = Event<'CardArchived', { cardId: string }>
type LimitSet = Event<'LimitSet', { column: ColumnId; limit: number | null }>
export type BoardEvent = CardAdded | CardMoved | CardRenamed | CardArchived | LimitSet

export type NoteAdded = Event<'NoteAdded', { boardId: string; cardId: string; text: string }>

export type BoardCommand =
  | Command<'AddCard', { cardId: string; title: string; column: ColumnId }>
  | Command<'MoveCard', { cardId: string; column: ColumnId; index: number }>
  | Command<'RenameCard', { cardId: string; title: string }>
  | Command<'ArchiveCard', { cardId: string }>
  | Command<'SetLimit', { column: ColumnId; limit: number | null }>

export type Card = Readonly<{ id: string; title: string }>
export type Board = Readonly<{
  columns: Readonly<Record<ColumnId, readonly Card[]>>
  /** Most cards a column may hold, null for any number. */
  limits: Readonly<Record<ColumnId, number | null>>
}>

const emptyBoard = (): Board => ({
  columns: { todo: [], doing: [], done: [] },
  limits: { todo: null, doing: null, done: null },
})

export const columnOf = (board: Board, cardId: string): ColumnId | undefined =>
  COLUMNS.find(column => board.columns[column].some(({ id }) => id === cardId))

function evolveBoard(board: Board, { type, data }: RecordedEvent<BoardEvent>): Board {
  switch (type) {
    case 'CardAdded':
      return withColumn(board, data.column, cards => [...cards, { id: data.cardId, title: data.title }])
    case 'CardMoved': {
      const card = cardsOf(board).find(({ id }) => id === data.cardId)
      const without = withCards(board, cards => cards.filter(({ id }) => id !== data.cardId))
      return card ? withColumn(without, data.column, cards => cards.toSpliced(data.index, 0, card)) : board
    }
    case 'CardRenamed':
      return withCards(board, cards =>
        cards.map(card => (card.id === data.cardId ? { ...card, title: data.title } : card)),
      )
    case 'CardArchived':
      return withCards(board, cards => cards.filter(({ id }) => id !== data.cardId))
    case 'LimitSet':
      return { ...board, limits: { ...board.limits, [data.column]: data.limit } }
  }
}

export const board: DeciderDefinition<Board, BoardCommand, BoardEvent> = {
  streamName: id => `board-${id}`,
  initialState: emptyBoard,
  evolve: evolveBoard,
  decide(command, state) {
    switch (command.type) {
      case 'AddCard': {
        const title = requireTitle(command.data.title)
        if (columnOf(state, command.data.cardId)) return []
        requireRoom(state, command.data.column)
        return { type: 'CardAdded', data: { ...command.data, title } }
      }
      case 'MoveCard': {
        const { cardId, column } = command.data
        const from = requireCard(state, cardId)
        if (from !== column) requireRoom(state, column)
        return { type: 'CardMoved', data: command.data }
      }
      case 'RenameCard': {
        requireCard(state, command.data.cardId)
        return { type: 'CardRenamed', data: { ...command.data, title: requireTitle(command.data.title) } }
      }
      case 'ArchiveCard':
        requireCard(state, command.data.cardId)
        return { type: 'CardArchived', data: command.data }
      case 'SetLimit': {
        const { column, limit } = command.data
        if (limit !== null && limit < state.columns[column].length) {
          throw new Error(`There are ${state.columns[column].length} cards in “${TITLES[column]}” already`)
        }
        return { type: 'LimitSet', data: command.data }
      }
    }
  },
}

export const TITLES: Readonly<Record<ColumnId, string>> = { todo: 'To do', doing: 'Doing', done: 'Done' }

/** The board as the page shows it: its own events, and how many notes each card has got. */
export type BoardPage = Readonly<{ board: Board; notes: Readonly<Record<string, number>> }>

export const boardPage: ProjectionDefinition<BoardPage, BoardEvent | NoteAdded> = {
  canHandle: ['CardAdded', 'CardMoved', 'CardRenamed', 'CardArchived', 'LimitSet', 'NoteAdded'],
  getDocumentId: ({ type, data, metadata }) =>
    type === 'NoteAdded' ? data.boardId : metadata.streamName.slice('board-'.length),
  initialState: () => ({ board: emptyBoard(), notes: {} }),
  evolve: ({ board, notes }, event) =>
    event.type === 'NoteAdded'
      ? { board, notes: { ...notes, [event.data.cardId]: (notes[event.data.cardId] ?? 0) + 1 } }
      : { board: evolveBoard(board, event), notes },
}

export type Notes = readonly Readonly<{ text: string; at: number }>[]

/** The notes of one card: one stream, one document. */
export const cardNotes: ProjectionDefinition<Notes, NoteAdded> = {
  canHandle: ['NoteAdded'],
  initialState: () => [],
  evolve: {
    NoteAdded: (notes, { data, metadata }) => [...notes, { text: data.text, at: metadata.recordedAt }],
  },
}

export const noteStream = (cardId: string): string => `card-${cardId}`

const cardsOf = (board: Board): Card[] => COLUMNS.flatMap(column => board.columns[column])

function withCards(board: Board, change: (cards: readonly Card[]) => readonly Card[]): Board {
  const { todo, doing, done } = board.columns
  return { ...board, columns: { todo: change(todo), doing: change(doing), done: change(done) } }
}

function withColumn(
  board: Board,
  column: ColumnId,
  change: (cards: readonly Card[]) => readonly Card[],
): Board {
  return { ...board, columns: { ...board.columns, [column]: change(board.columns[column]) } }
}

function requireTitle(title: string): string {
  const trimmed = title.trim()
  if (trimmed === '') throw new Error('A card needs a title')
  if (trimmed.length > 200) throw new Error('A title may have 200 characters')
  return trimmed
}

function requireCard(board: Board, cardId: string): ColumnId {
  const column = columnOf(board, cardId)
  if (!column) throw new Error('The card is not on the board any more')
  return column
}

function requireRoom(board: Board, column: ColumnId): void {
  const limit = board.limits[column]
  if (limit !== null && board.columns[column].length >= limit) {
    throw new Error(`“${TITLES[column]}” is full: its limit is ${limit}`)
  }
}
