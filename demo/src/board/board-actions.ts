// What a person can do with the board, as commands: each is refused with a notice, or done and said aloud.

import type { Board, Card, ColumnId, Label } from '../domain/board.ts'
import { COLUMNS, columnOf, TITLES } from '../domain/board.ts'
import type { BoardCommand } from '../domain/board-decider.ts'
import type { Parts } from '../parts.ts'

export type Direction = 'left' | 'right' | 'up' | 'down'

export class BoardActions {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Resolves with false when it was refused, which has then been said. */
  async execute(command: BoardCommand): Promise<boolean> {
    const { store, replica, notices } = this.#parts
    try {
      await store.execute('board', replica.boardId, command)
      return true
    } catch (error) {
      notices.error(error)
      return false
    }
  }

  add(column: ColumnId, title: string): Promise<boolean> {
    return this.execute({ type: 'AddCard', data: { cardId: crypto.randomUUID(), title, column } })
  }

  rename({ id: cardId }: Card, title: string): Promise<boolean> {
    return this.execute({ type: 'RenameCard', data: { cardId, title } })
  }

  label({ id: cardId }: Card, label: Label | null): Promise<boolean> {
    return this.execute({ type: 'LabelCard', data: { cardId, label } })
  }

  limit(column: ColumnId, limit: number | null): Promise<boolean> {
    return this.execute({ type: 'SetLimit', data: { column, limit } })
  }

  async move({ id: cardId, title }: Card, column: ColumnId, index: number): Promise<boolean> {
    const isMoved = await this.execute({ type: 'MoveCard', data: { cardId, column, index } })
    if (isMoved) this.#parts.notices.say(`“${title}” moved to ${TITLES[column]}, place ${index + 1}`)
    return isMoved
  }

  async archive(card: Card): Promise<void> {
    const place = placeOf(this.#board(), card.id)
    const isDone = await this.execute({ type: 'ArchiveCard', data: { cardId: card.id } })
    if (!isDone || !place) return
    const undo = { type: 'RestoreCard', data: { cardId: card.id, ...place } } as const
    const actions = [{ label: 'Undo', run: () => void this.execute(undo) }]
    this.#parts.notices.show({ kind: 'news', text: `“${card.title}” was archived`, actions })
  }

  /** Where a step in this direction leads; null at the edge. */
  target(cardId: string, direction: Direction): { column: ColumnId; index: number } | null {
    const board = this.#board()
    const place = placeOf(board, cardId)
    if (!board || !place) return null
    const { column, index } = place
    if (direction === 'up') return index > 0 ? { column, index: index - 1 } : null
    if (direction === 'down') {
      return index < board.columns[column].length - 1 ? { column, index: index + 1 } : null
    }
    const next = COLUMNS[COLUMNS.indexOf(column) + (direction === 'left' ? -1 : 1)]
    return next ? { column: next, index: Math.min(index, board.columns[next].length) } : null
  }

  async step(card: Card, direction: Direction): Promise<boolean> {
    const target = this.target(card.id, direction)
    return target !== null && this.move(card, target.column, target.index)
  }

  #board(): Board | undefined {
    return this.#parts.page.getSnapshot()?.state.board
  }
}

function placeOf(board: Board | undefined, cardId: string): { column: ColumnId; index: number } | null {
  const column = board && columnOf(board, cardId)
  if (!board || !column) return null
  return { column, index: board.columns[column].findIndex(({ id }) => id === cardId) }
}
