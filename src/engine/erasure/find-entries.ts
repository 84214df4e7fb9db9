// Finds what is to be erased: every entry of an event, and every event of a subject.

import { textOf } from '../../log/bytes.ts'
import { isEncrypted } from '../../log/encrypted-event.ts'
import { KIND_EVENT } from '../../log/entry.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { StoredMetadata } from '../../log/event-batch.ts'
import { bytesOfEventId, eventIdOf, ID_BYTES } from '../../log/event-id.ts'
import { jsonSlice } from '../../log/json-column.ts'
import type { BlockStore } from '../block-store.ts'
import type { EventContents } from '../encryption/event-contents.ts'
import type { LogIndex } from '../log-index.ts'

/** Ascending: an event that was rebased stands in the log more than once. */
export function positionsOf(eventIds: readonly string[], index: LogIndex): GlobalPosition[] {
  const positions = new Set<GlobalPosition>()
  for (const eventId of eventIds) {
    const position = index.positionOfId(bytesOfEventId(eventId))
    if (position !== undefined) positions.add(position)
  }
  const wanted = new Set(eventIds)
  for (const [from, to] of index.superseded) {
    const ids = index.idColumn(from, to)
    for (let position = from; position <= to; position++) {
      const start = (position - from) * ID_BYTES
      if (wanted.has(eventIdOf(ids.subarray(start, start + ID_BYTES)))) positions.add(position)
    }
  }
  // What an amendment says is no event's content: where events stand, all replicas must know.
  for (const { position } of index.order.records) positions.delete(position)
  return [...positions].sort((a, b) => a - b)
}

/**
 * Ids of the events whose metadata has this value under this key, in order, each once. Reads the whole log. Of what is
 * encrypted, those that can be read.
 */
export async function idsOfSubject(
  key: string,
  value: string,
  { index, blocks, contents }: { index: LogIndex; blocks: BlockStore; contents: EventContents },
): Promise<string[]> {
  const found = new Set<string>()
  const written = JSON.stringify(value)
  for await (const block of blocks.run(1, index.head)) {
    // Most blocks have nothing of the subject: one look at the text says so.
    const text = textOf(block.metadata.bytes)
    if (!text.includes(written) && !text.includes('"encryption"')) continue
    for (let i = 0; i < block.count; i++) {
      if (block.kinds[i] !== KIND_EVENT) continue
      let stored = JSON.parse(textOf(jsonSlice(block.metadata, i))) as StoredMetadata
      if (isEncrypted(stored)) {
        stored = (await contents.contentOf({ ...block.entry(i), metadata: stored }))?.stored ?? {}
      }
      const { metadata } = stored
      if (metadata && (metadata as Record<string, unknown>)[key] === value)
        found.add(eventIdOf(block.idOf(i)))
    }
  }
  return [...found]
}
