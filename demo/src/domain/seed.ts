// A first visit finds a board with something on it. The ids are fixed, so two devices seed the same cards once.

import type { StoreClient } from 'streamdingo'
import type { DemoApp } from './app.ts'
import type { ColumnId } from './board.ts'

const CARDS: readonly (readonly [ColumnId, string])[] = [
  ['todo', 'Switch to offline and keep working'],
  ['todo', 'Open this board in a second window'],
  ['todo', 'Tamper with the log, then verify it'],
  ['doing', 'Drag me to another column'],
  ['done', 'Open the board'],
]

const seedId = (n: number): string => `5eed0000-0000-4000-8000-${String(n).padStart(12, '0')}`

/** Does nothing on a board that was seeded before, here or on another device. */
export async function seedBoard(store: StoreClient<DemoApp>, boardId: string): Promise<void> {
  if (await store.streamExists(`board-${boardId}`)) return
  for (const [n, [column, title]] of CARDS.entries()) {
    const command = { type: 'AddCard', data: { cardId: `seed-${n}`, title, column } } as const
    await store.execute('board', boardId, command, { commandId: seedId(n) })
  }
}
