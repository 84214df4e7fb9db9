// Long work: many events appended in batches, with progress.

import type { StoreClient } from 'streamdingo'
import type { DemoApp } from './domain/app.ts'
import { type NoteAdded, noteStream } from './domain/board.ts'

const BATCH = 500
/** Not a card of the board: its notes are there to be many. */
const CARD_ID = 'imported'

export async function importNotes(
  store: StoreClient<DemoApp>,
  boardId: string,
  count: number,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const events = Array.from(
      { length: Math.min(BATCH, count - done) },
      (_, i): NoteAdded => ({
        type: 'NoteAdded',
        data: { boardId, cardId: CARD_ID, text: `Note ${done + i + 1}` },
      }),
    )
    await store.appendToStream(noteStream(CARD_ID), events)
    onProgress(done + events.length, count)
  }
}
