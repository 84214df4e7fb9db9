// Long work: many events appended in batches, with progress.

import type { StoreClient } from 'streamdingo'
import type { DemoApp } from './app.ts'
import { type NoteAdded, noteStream } from './notes.ts'

const BATCH = 500
/** Not a card of the board: its notes are there to be many. */
const CARD_ID = 'bulk'

export type ManyNotesOptions = Readonly<{
  onProgress: (done: number, total: number) => void
  /** Batches that were appended before stay. */
  signal: AbortSignal
}>

export async function addManyNotes(
  store: StoreClient<DemoApp>,
  boardId: string,
  total: number,
  { onProgress, signal }: ManyNotesOptions,
): Promise<void> {
  onProgress(0, total)
  for (let done = 0; done < total && !signal.aborted; done += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, total - done) }, (_, i) => done + i + 1)
    const events = numbers.map(
      (n): NoteAdded => ({ type: 'NoteAdded', data: { boardId, cardId: CARD_ID, text: `Note ${n}` } }),
    )
    await store.appendToStream(noteStream(CARD_ID), events)
    onProgress(done + events.length, total)
  }
}
