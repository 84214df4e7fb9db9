// What may be done with a board, and what is refused. A command that sync has to decide again meets the same rules.

import type { Command, DeciderDefinition } from 'streamdingo'
import {
  type Board,
  type BoardEvent,
  boardStream,
  type ColumnId,
  columnOf,
  emptyBoard,
  evolveBoard,
  findCard,
  type Label,
  TITLES,
} from './board.ts'

export type BoardCommand =
  | Command<'AddCard', { cardId: string; title: string; column: ColumnId }>
  | Command<'MoveCard', { cardId: string; column: ColumnId; index: number }>
  | Command<'RenameCard', { cardId: string; title: string }>
  | Command<'LabelCard', { cardId: string; label: Label | null }>
  | Command<'ArchiveCard', { cardId: string }>
  | Command<'RestoreCard', { cardId: string; column: ColumnId; index: number }>
  | Command<'SetLimit', { column: ColumnId; limit: number | null }>

export const MAX_TITLE_LENGTH = 200

export const boardDecider: DeciderDefinition<Board, BoardCommand, BoardEvent> = {
  streamName: boardStream,
  initialState: emptyBoard,
  evolve: evolveBoard,
  decide,
}

function decide({ type, data }: BoardCommand, board: Board): BoardEvent | [] {
  switch (type) {
    case 'AddCard':
      if (findCard(board, data.cardId)) return []
      requireRoom(board, data.column)
      return { type: 'CardAdded', data: { ...data, title: requireTitle(data.title) } }
    case 'MoveCard':
      if (requireOnBoard(board, data.cardId) !== data.column) requireRoom(board, data.column)
      return { type: 'CardMoved', data }
    case 'RenameCard':
      requireOnBoard(board, data.cardId)
      return { type: 'CardRenamed', data: { ...data, title: requireTitle(data.title) } }
    case 'LabelCard':
      requireOnBoard(board, data.cardId)
      return { type: 'CardLabelled', data }
    case 'ArchiveCard':
      requireOnBoard(board, data.cardId)
      return { type: 'CardArchived', data }
    case 'RestoreCard':
      if (columnOf(board, data.cardId)) return []
      requireRoom(board, data.column)
      return { type: 'CardRestored', data }
    case 'SetLimit':
      requireLimit(board, data.column, data.limit)
      return { type: 'LimitSet', data }
  }
}

function requireTitle(title: string): string {
  const trimmed = title.trim()
  if (trimmed === '') throw new Error('A card needs a title')
  if (trimmed.length > MAX_TITLE_LENGTH) {
    throw new Error(`A title may have ${MAX_TITLE_LENGTH} characters, not ${trimmed.length}`)
  }
  return trimmed
}

function requireOnBoard(board: Board, cardId: string): ColumnId {
  const column = columnOf(board, cardId)
  if (column) return column
  const archived = findCard(board, cardId)
  throw new Error(archived ? `“${archived.title}” was archived` : 'There is no such card')
}

function requireRoom(board: Board, column: ColumnId): void {
  const limit = board.limits[column]
  if (limit !== null && board.columns[column].length >= limit) {
    throw new Error(`“${TITLES[column]}” is full: its limit is ${limit}`)
  }
}

function requireLimit(board: Board, column: ColumnId, limit: number | null): void {
  const count = board.columns[column].length
  if (limit !== null && limit < count) {
    throw new Error(`“${TITLES[column]}” holds ${count} cards already, so its limit cannot be ${limit}`)
  }
}
