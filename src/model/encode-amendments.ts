// Amendments on their way to the log: events turned to bytes, and named by their ids from then on.

import { MAX_AMENDMENT_REASON, MAX_ORDER_CHANGES } from '../log/amendment.ts'
import { equalBytes } from '../log/bytes.ts'
import type { ConflictPolicy } from '../log/commit-note.ts'
import { StoreError } from '../log/errors.ts'
import { encodeEvents, idOf, type OwnBatch } from '../log/event-batch.ts'
import { bytesOfEventId, eventIdOf, isEventId, newEventId } from '../log/event-id.ts'
import { type ExpectedStreamVersion, isExpectedStreamVersion } from '../log/expected-version.ts'
import type { Amendment, AmendOptions, RecordedChange } from './amendment.ts'

export type EncodedAmendments = Readonly<{
  streamName: string
  changes: readonly RecordedChange[]
  /** The events that are put in. */
  batch: OwnBatch
  reason: string
  expectedStreamVersion: ExpectedStreamVersion
  onConflict?: ConflictPolicy
  /** UUID */
  amendmentId: string
}>

/** @throws `InvalidEvent` for an event that the log cannot carry; `StoreError` `invalid-argument`. */
export function encodeAmendments(
  streamName: string,
  amendments: readonly Amendment[],
  options: AmendOptions,
): EncodedAmendments {
  const { reason, onConflict, expectedStreamVersion = 'NO_CONCURRENCY_CHECK' } = options
  const { amendmentId = newEventId() } = options
  const count = amendments.length
  if (count === 0 || count > MAX_ORDER_CHANGES) {
    throw notUsable(`An amendment has 1 to ${MAX_ORDER_CHANGES} changes, not ${count}`)
  }
  // A server takes no text with halves of characters: it would never be sent.
  if (typeof reason !== 'string' || reason.length > MAX_AMENDMENT_REASON || !reason.isWellFormed()) {
    throw notUsable(`The reason must be a well-formed text of at most ${MAX_AMENDMENT_REASON} characters`)
  }
  if (!isExpectedStreamVersion(expectedStreamVersion)) {
    throw notUsable(`No such expected version: ${String(expectedStreamVersion)}`)
  }
  if (!isEventId(amendmentId)) throw notUsable('amendmentId: not a UUID')
  const batch = encodeEvents(amendments.flatMap(one => ('event' in one ? one.event : [])))
  if (hasId(batch, amendmentId)) throw notUsable('amendmentId: an event that is put in has it')
  let next = 0
  const newId = () => eventIdOf(idOf(batch, next++))
  const changes = amendments.map(one => namedBy(one, newId))
  const encoded = { streamName, changes, batch, reason, expectedStreamVersion, amendmentId }
  return onConflict ? { ...encoded, onConflict } : encoded
}

function hasId(batch: OwnBatch, id: string): boolean {
  const bytes = bytesOfEventId(id)
  return Array.from({ length: batch.count }, (_, i) => i).some(i => equalBytes(idOf(batch, i), bytes))
}

function namedBy(amendment: Amendment, newId: () => string): RecordedChange {
  switch (amendment.kind) {
    case 'insert':
      return { kind: 'insert', eventId: newId(), after: idOrNull(amendment.after) }
    case 'replace':
      return { kind: 'replace', eventId: idIn(amendment.eventId), by: newId() }
    case 'remove':
      return { kind: 'remove', eventId: idIn(amendment.eventId) }
    case 'move':
      return moveOf(idIn(amendment.eventId), idOrNull(amendment.after))
    default:
      throw notUsable('An amendment inserts, replaces, removes or moves an event')
  }
}

function moveOf(eventId: string, after: string | null): RecordedChange {
  if (eventId === after) throw notUsable(`Event ${eventId} cannot be moved behind itself`)
  return { kind: 'move', eventId, after }
}

const idOrNull = (id: string | null): string | null => (id === null ? null : idIn(id))

function idIn(id: string): string {
  if (isEventId(id)) return id.toLowerCase()
  throw notUsable(`${String(id)} is no event id`)
}

const notUsable = (problem: string): StoreError => new StoreError('invalid-argument', problem)
