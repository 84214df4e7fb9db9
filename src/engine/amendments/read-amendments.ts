// The amendments of a stream, as an application is told of them.

import { type OrderChange, readAmendment } from '../../log/amendment.ts'
import { type Entry, KIND_AMENDMENT } from '../../log/entry.ts'
import type { StreamVersion } from '../../log/event.ts'
import { eventIdOf } from '../../log/event-id.ts'
import { jsonSlice } from '../../log/json-column.ts'
import type { RecordedAmendment, RecordedChange } from '../../model/amendment.ts'
import type { RejectedAmendment } from '../../model/sync-status.ts'
import type { BlockStore } from '../block-store.ts'
import type { LogIndex } from '../log-index.ts'

/** Oldest first. */
export async function readAmendments(
  streamName: string,
  index: LogIndex,
  blocks: BlockStore,
): Promise<RecordedAmendment[]> {
  // All of it as it is now: a rebase may come while blocks are read.
  const positions = index.positionsOf(streamName, 1, index.versionOf(streamName))
  const idOf = async (version: StreamVersion): Promise<string> => {
    const position = positions[version - 1]!
    const block = await blocks.holding(position)
    return eventIdOf(block.idOf(position - block.firstPosition))
  }
  const amendments: RecordedAmendment[] = []
  for (const { position, version } of index.order.countingOf(streamName)) {
    const block = await blocks.holding(position)
    const i = position - block.firstPosition
    const content = readAmendment(jsonSlice(block.payloads, i), version)
    if (!content) continue
    amendments.push({
      amendmentId: eventIdOf(block.idOf(i)),
      streamName,
      streamVersion: version,
      globalPosition: position,
      recordedAt: block.recordedAt[i]!,
      reason: content.reason,
      status: position <= index.cursor.confirmedThrough ? 'confirmed' : 'pending',
      changes: await named(content.changes, idOf),
    })
  }
  return amendments
}

/** What a commit changes of what counts, by ids; null for one that amends nothing. */
export async function amendmentIn(
  entries: readonly Entry[],
  idOf: (streamName: string, version: StreamVersion) => Promise<string>,
): Promise<RejectedAmendment | null> {
  const entry = entries.find(({ kind }) => kind === KIND_AMENDMENT)
  const content = entry && readAmendment(entry.payload, entry.streamVersion)
  if (!content) return null
  const { streamName, eventId } = entry
  const changes = await named(content.changes, version => idOf(streamName, version))
  return { amendmentId: eventIdOf(eventId), streamName, reason: content.reason, changes }
}

/** By the ids of events, as they were given. */
async function named(
  changes: readonly OrderChange[],
  idOf: (version: StreamVersion) => Promise<string>,
): Promise<RecordedChange[]> {
  const result: RecordedChange[] = []
  for (const change of changes) {
    const eventId = await idOf(change.version)
    if (change.kind === 'replace') result.push({ kind: 'replace', eventId, by: await idOf(change.by) })
    else if (change.kind === 'remove') result.push({ kind: 'remove', eventId })
    else
      result.push({ kind: change.kind, eventId, after: change.after === 0 ? null : await idOf(change.after) })
  }
  return result
}
