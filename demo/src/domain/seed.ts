// A first visit finds a board with something on it, which is a tour of what can be tried.

import type { StoreClient } from 'streamdingo'
import type { DemoApp } from './app.ts'
import { boardStream, type ColumnId, type Label } from './board.ts'
import type { BoardCommand } from './board-decider.ts'

const CARDS: readonly (readonly [ColumnId, Label | null, string])[] = [
  ['todo', 'sand', 'Work offline, add a card, watch it wait'],
  ['todo', 'sky', 'Open a second device and edit there'],
  ['todo', 'rust', 'Forge an event, then check the history'],
  ['todo', null, 'Replay the history of this board'],
  ['doing', 'moss', 'Drag me to another column'],
  ['doing', null, 'Write a note on me'],
  ['done', null, 'Open the board'],
]

const COMMANDS: readonly BoardCommand[] = [
  ...CARDS.map(([column, , title], n) => addCard(column, title, n)),
  ...CARDS.flatMap(([, label], n) => (label ? labelCard(label, n) : [])),
  { type: 'SetLimit', data: { column: 'doing', limit: 3 } },
]

/** Does nothing on a board that was seeded before, here or on another device. */
export async function seedBoard(store: StoreClient<DemoApp>, boardId: string): Promise<void> {
  if (await store.streamExists(boardStream(boardId))) return
  // In one tick, so that they are written in one go.
  const written = COMMANDS.map((command, n) =>
    store.execute('board', boardId, command, { commandId: seedId(n) }),
  )
  await Promise.all(written)
}

/** Fixed, so that two devices that seed the same board before they meet make the same events. */
const seedId = (n: number): string => `5eed0000-0000-4000-8000-${String(n).padStart(12, '0')}`

function cardId(n: number): string {
  return `seed-${n + 1}`
}

function addCard(column: ColumnId, title: string, n: number): BoardCommand {
  return { type: 'AddCard', data: { cardId: cardId(n), title, column } }
}

function labelCard(label: Label, n: number): BoardCommand {
  return { type: 'LabelCard', data: { cardId: cardId(n), label } }
}
