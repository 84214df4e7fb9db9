// Amends a stream: records the events that are put in, and behind them what says where they stand.

import { AMENDMENT_TYPE, amendmentBytes, newEventsIn, readAmendment } from '../../log/amendment.ts'
import { hexOf } from '../../log/bytes.ts'
import { isOnConflict } from '../../log/commit-note.ts'
import { type Entry, KIND_AMENDMENT } from '../../log/entry.ts'
import type { UnplacedEntry } from '../../log/entry-run.ts'
import { StoreError, VersionConflict } from '../../log/errors.ts'
import type { GlobalPosition, Hash } from '../../log/event.ts'
import { idOf } from '../../log/event-batch.ts'
import { bytesOfEventId, eventIdOf } from '../../log/event-id.ts'
import { meetsExpectation } from '../../log/expected-version.ts'
import type { RecordedChange } from '../../model/amendment.ts'
import type { AppendResult } from '../../model/event-store.ts'
import { checkCommitSize, checkStreamName, noSuchPolicy, resultAt, stampFor } from '../append-job.ts'
import { type Draft, ownEntry } from '../draft.ts'
import type { EventContents } from '../encryption/event-contents.ts'
import type { AmendRequest } from '../event-log.ts'
import type { HeldStreams } from '../held-streams.ts'
import type { Job } from '../writer.ts'
import { type OrderParts, versionedChanges } from './drafted-order.ts'

export type AmendParts = OrderParts &
  Readonly<{ now: () => number; held: HeldStreams; contents: EventContents }>

export function amendJob(request: AmendRequest, parts: AmendParts): Job<AppendResult> {
  // Alone: who is planned behind it folds what is written.
  return { isAlone: true, plan: draft => planAmendment(request, draft, parts) }
}

/** @throws as `EventStore.amendStream` */
async function planAmendment(request: AmendRequest, draft: Draft, parts: AmendParts): Promise<AppendResult> {
  const { streamName, batch: given, expectedStreamVersion: expected, onConflict } = request
  checkStreamName(streamName)
  parts.held.mustHold(streamName)
  const batch = await parts.contents.cipher.encrypt(streamName, given)
  checkCommitSize([batch])
  if (onConflict !== undefined && (typeof onConflict === 'object' || !isOnConflict(onConflict)))
    throw noSuchPolicy(onConflict)
  const { version: before } = await draft.head(streamName)
  const earlier = await earlierResult(request, draft, parts)
  if (earlier) return earlier
  if (!meetsExpectation(expected, before))
    throw new VersionConflict([{ streamName, expected, actual: before }])
  const recordedAt = parts.now()
  for (let i = 0; i < batch.count; i++) mustBeNew(idOf(batch, i), streamName, draft)
  if (batch.count > 0) draft.link(streamName, batch, stampFor(batch, recordedAt))
  const { reason, changes, amendmentId } = request
  const eventId = bytesOfEventId(amendmentId)
  await linkAmendment({ streamName, eventId, recordedAt, reason, changes }, draft, parts)
  draft.commit({ onConflict: onConflict ?? (typeof expected === 'number' ? 'reject' : 'reappend') })
  return resultAt(streamName, draft, parts.lookup, { before, idempotent: false })
}

/** Stages an amendment behind the events that it puts in. @throws `StoreError` `unknown-event` */
export async function linkAmendment(
  amendment: Readonly<{ streamName: string; reason: string; changes: readonly RecordedChange[] }> &
    Pick<UnplacedEntry, 'eventId' | 'recordedAt'>,
  draft: Draft,
  parts: OrderParts,
): Promise<void> {
  const { streamName, eventId, recordedAt, reason, changes } = amendment
  const versioned = await versionedChanges(changes, streamName, draft, parts)
  const payload = amendmentBytes({ reason, changes: versioned })
  const own = ownEntry(KIND_AMENDMENT, { type: AMENDMENT_TYPE, payload, recordedAt })
  draft.linkEntry(streamName, { ...own, eventId })
}

async function earlierResult(
  { amendmentId, streamName }: AmendRequest,
  draft: Draft,
  { lookup }: AmendParts,
): Promise<AppendResult | null> {
  const position = draft.positionOfId(bytesOfEventId(amendmentId))
  if (position === undefined) return null
  const entry = await lookup.entryAt(position, draft)
  if (entry.kind === KIND_AMENDMENT && entry.streamName === streamName) return resultOf(entry, position)
  throw idConflict(amendmentId, streamName, 'an amendment has the id of something else')
}

/** What the attempt came to that recorded it. */
function resultOf({ streamVersion, payload, hash }: Entry, position: GlobalPosition): AppendResult {
  const { changes } = readAmendment(payload, streamVersion)!
  return {
    nextExpectedStreamVersion: streamVersion,
    lastEventGlobalPosition: position,
    createdNewStream: streamVersion === newEventsIn(changes) + 1,
    idempotent: true,
    headHash: hexOf(hash) as Hash,
  }
}

function mustBeNew(id: Uint8Array, streamName: string, draft: Draft): void {
  if (draft.positionOfId(id) === undefined) return
  throw idConflict(eventIdOf(id), streamName, 'recorded already: move it instead')
}

const idConflict = (eventId: string, streamName: string, problem: string): StoreError =>
  new StoreError('id-conflict', `Event ${eventId}: ${problem}`, { eventId, streamName, problem })
