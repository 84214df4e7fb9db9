// Events and commands in words for people.

import type { Event } from 'streamdingo'
import { type Board, type BoardEvent, findCard, TITLES } from './domain/board.ts'
import type { BoardCommand } from './domain/board-decider.ts'
import type { NoteAdded } from './domain/notes.ts'

export type DemoEvent = BoardEvent | NoteAdded

/** What a command wanted, to follow “Could not be kept:”. */
export function commandInWords({ type, data }: BoardCommand, board: Board | undefined): string {
  switch (type) {
    case 'AddCard':
      return `add “${data.title}” to ${TITLES[data.column]}`
    case 'MoveCard':
      return `move ${cardInWords(board, data.cardId)} to ${TITLES[data.column]}`
    case 'RenameCard':
      return `rename ${cardInWords(board, data.cardId)} to “${data.title}”`
    case 'LabelCard':
      return `label ${cardInWords(board, data.cardId)}`
    case 'ArchiveCard':
      return `archive ${cardInWords(board, data.cardId)}`
    case 'RestoreCard':
      return `bring back ${cardInWords(board, data.cardId)}`
    case 'SetLimit':
      return `limit ${TITLES[data.column]} to ${data.limit ?? 'any number'}`
  }
}

/** What an event is about, to follow its type. */
export function eventInWords(
  { type, data }: Pick<DemoEvent, 'type' | 'data'>,
  board: Board | undefined,
): string {
  const event = { type, data } as DemoEvent
  switch (event.type) {
    case 'CardAdded':
      return `“${event.data.title}” in ${TITLES[event.data.column]}`
    case 'CardMoved':
    case 'CardRestored':
      return `${cardInWords(board, event.data.cardId)} to ${TITLES[event.data.column]}`
    case 'CardRenamed':
      return `to “${event.data.title}”`
    case 'CardLabelled':
      return `${cardInWords(board, event.data.cardId)} ${event.data.label ?? 'without a label'}`
    case 'CardArchived':
      return cardInWords(board, event.data.cardId)
    case 'LimitSet':
      return `${TITLES[event.data.column]}: ${event.data.limit ?? 'no limit'}`
    case 'NoteAdded':
      return `“${event.data.text}”`
  }
}

/** The words a person wrote in an event, and the property they stand in. */
export function writtenText({ data }: Event): Readonly<{ key: 'title' | 'text'; text: string }> | null {
  const { title, text } = data as { title?: string; text?: string }
  if (title !== undefined) return { key: 'title', text: title }
  return text === undefined ? null : { key: 'text', text }
}

function cardInWords(board: Board | undefined, cardId: string): string {
  const title = board && findCard(board, cardId)?.title
  return title === undefined ? 'a card' : `“${title}”`
}
