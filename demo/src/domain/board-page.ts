// The board as the page shows it, folded from all streams: its own, and those of the cards' notes.

import type { ProjectionDefinition } from 'streamdingo'
import { type Board, type BoardEvent, boardStream, emptyBoard, evolveBoard } from './board.ts'
import type { NoteAdded } from './notes.ts'

export type BoardPage = Readonly<{
  board: Board
  /** How many notes a card has, by its id. */
  notes: Readonly<Record<string, number>>
}>

const BOARD_STREAMS = boardStream('')

export const boardPage: ProjectionDefinition<BoardPage, BoardEvent | NoteAdded> = {
  canHandle: [
    'CardAdded',
    'CardMoved',
    'CardRenamed',
    'CardLabelled',
    'CardArchived',
    'CardRestored',
    'LimitSet',
    'NoteAdded',
  ],
  getDocumentId: ({ type, data, metadata }) =>
    type === 'NoteAdded' ? data.boardId : metadata.streamName.slice(BOARD_STREAMS.length),
  initialState: () => ({ board: emptyBoard(), notes: {} }),
  evolve: (page, event) =>
    event.type === 'NoteAdded'
      ? { ...page, notes: { ...page.notes, [event.data.cardId]: (page.notes[event.data.cardId] ?? 0) + 1 } }
      : { ...page, board: evolveBoard(page.board, event) },
}
