// A raw append: judges what it expects of its streams, finds out whether it is a retry, links its events.

import { equalBytes, hexOf } from '../log/bytes.ts'
import type { OnConflict } from '../log/commit-note.ts'
import { InvalidEvent, StoreError, VersionConflict } from '../log/errors.ts'
import { type GlobalPosition, type Hash, type StreamVersion, SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import {
  checkName,
  type EventBatch,
  idOf,
  MAX_COMMIT_BYTES,
  metadataOf,
  payloadOf,
} from '../log/event-batch.ts'
import { eventIdOf } from '../log/event-id.ts'
import { meetsExpectation } from '../log/expected-version.ts'
import { KIND_EVENT, SALT_BYTES } from '../log/hash-chain.ts'
import type { AppendResult } from '../model/event-store.ts'
import type { Draft } from './draft.ts'
import type { EntryLookup } from './entry-lookup.ts'
import type { AppendRequest, EncodedAppend } from './event-log.ts'
import type { Job } from './writer.ts'

export type AppendParts = Readonly<{ lookup: EntryLookup; now: () => number }>

/** @throws {@link InvalidEvent} for a name, a repeated id or a size that no state of the log would take. */
export function appendJob(request: AppendRequest, parts: AppendParts): Job<readonly AppendResult[]> {
  checkRequest(request)
  return { isAlone: false, plan: draft => planAppend(request, draft, parts) }
}

async function planAppend(request: AppendRequest, draft: Draft, parts: AppendParts): Promise<AppendResult[]> {
  const { appends } = request
  for (const { streamName } of appends) await draft.head(streamName)
  const retried = await findRetry(appends, draft, parts.lookup)
  if (retried) return retried
  await checkExpectations(appends, draft)
  const results: AppendResult[] = []
  for (const append of appends) results.push(await linkAppend(append, draft, parts))
  if (results.some((_, i) => appends[i]!.batch.count > 0)) draft.commit({ onConflict: onConflictOf(request) })
  return results
}

/** An exact version says that the events were meant for one state of the stream only. */
function onConflictOf({ onConflict, appends }: AppendRequest): OnConflict {
  return (
    onConflict ?? (appends.some(one => typeof one.expectedStreamVersion === 'number') ? 'reject' : 'reappend')
  )
}

async function linkAppend(
  append: EncodedAppend,
  draft: Draft,
  { now, lookup }: AppendParts,
): Promise<AppendResult> {
  const { streamName, batch } = append
  const before = await draft.head(streamName)
  const recordedAt = now()
  const salts = crypto.getRandomValues(new Uint8Array(SALT_BYTES * Math.min(batch.count, SALTS_AT_ONCE)))
  for (let i = 0; i < batch.count; i++) {
    const salt = (i % SALTS_AT_ONCE) * SALT_BYTES
    if (i > 0 && salt === 0) crypto.getRandomValues(salts)
    const { type, schemaVersion } = batch.types[batch.typeOf[i]!]!
    draft.link(streamName, {
      kind: KIND_EVENT,
      recordedAt,
      eventId: idOf(batch, i),
      salt: salts.slice(salt, salt + SALT_BYTES),
      type,
      schemaVersion,
      payload: payloadOf(batch, i),
      metadata: metadataOf(batch, i),
    })
  }
  return resultAt(streamName, draft, lookup, { before: before.version, idempotent: false })
}

/** `getRandomValues` gives at most 64 KiB in one call. */
const SALTS_AT_ONCE = 4096

/** The result of an append that leaves the stream as the draft has it now. */
export async function resultAt(
  streamName: string,
  draft: Draft,
  lookup: EntryLookup,
  { before, idempotent }: { before: StreamVersion; idempotent: boolean },
): Promise<AppendResult> {
  const head = await draft.head(streamName)
  return {
    nextExpectedStreamVersion: head.version,
    lastEventGlobalPosition: draft.lastPositionOf(streamName) ?? lookup.lastPositionOf(streamName),
    createdNewStream: before === 0 && head.version > 0,
    idempotent,
    headHash: hexOf(head.hash) as Hash,
  }
}

async function checkExpectations(appends: readonly EncodedAppend[], draft: Draft): Promise<void> {
  const versions = new Map<string, StreamVersion>()
  const violations: VersionConflict['facts']['violations'][number][] = []
  for (const { streamName, expectedStreamVersion: expected, batch } of appends) {
    const actual = versions.get(streamName) ?? (await draft.head(streamName)).version
    if (!meetsExpectation(expected, actual)) violations.push({ streamName, expected, actual })
    versions.set(streamName, actual + batch.count)
  }
  if (violations.length > 0) throw new VersionConflict(violations)
}

/**
 * The first result again when all ids are recorded already, in this order, with this content, where the append
 * expected them. Null when none is.
 *
 * @throws {@link StoreError} `id-conflict` for anything in between.
 */
async function findRetry(
  appends: readonly EncodedAppend[],
  draft: Draft,
  lookup: EntryLookup,
): Promise<AppendResult[] | null> {
  const count = appends.reduce((sum, { batch }) => sum + batch.count, 0)
  const known = appends.map(({ batch }) =>
    Array.from({ length: batch.count }, (_, i) => draft.positionOfId(idOf(batch, i))),
  )
  const knownCount = known.flat().filter(position => position !== undefined).length
  if (count === 0 || knownCount === 0) return null
  const results: AppendResult[] = []
  for (const [n, append] of appends.entries()) {
    const positions = known[n]!
    if (append.batch.count > 0) results.push(await retryOf(append, positions, draft, lookup))
    else results.push(await resultAt(append.streamName, draft, lookup, { before: 1, idempotent: true }))
  }
  return results
}

async function retryOf(
  append: EncodedAppend,
  positions: readonly (GlobalPosition | undefined)[],
  draft: Draft,
  lookup: EntryLookup,
): Promise<AppendResult> {
  const { streamName, batch, expectedStreamVersion: expected } = append
  let last = { version: 0, hash: new Uint8Array() as Uint8Array, position: 0 }
  for (const [i, position] of positions.entries()) {
    const actual = (await draft.head(streamName)).version
    // Part of the batch is new: a wrong expectation says more than the ids do.
    if (position === undefined && !meetsExpectation(expected, actual)) {
      throw new VersionConflict([{ streamName, expected, actual }])
    }
    const entry = position === undefined ? undefined : await lookup.entryAt(position, draft)
    if (!entry || entry.streamName !== streamName)
      throw idConflict(append, i, 'recorded elsewhere or only in part')
    if (i > 0 && entry.streamVersion !== last.version + 1)
      throw idConflict(append, i, 'recorded in another order')
    if (
      !equalBytes(entry.payload, payloadOf(batch, i)) ||
      entry.type !== batch.types[batch.typeOf[i]!]!.type
    ) {
      throw idConflict(append, i, 'recorded with other content')
    }
    last = { version: entry.streamVersion, hash: entry.hash, position: position! }
  }
  const before = last.version - batch.count
  if (!meetsExpectation(expected, before)) {
    const actual = (await draft.head(streamName)).version
    throw new VersionConflict([{ streamName, expected, actual }])
  }
  return {
    nextExpectedStreamVersion: last.version,
    lastEventGlobalPosition: last.position,
    createdNewStream: before === 0,
    idempotent: true,
    headHash: hexOf(last.hash) as Hash,
  }
}

function idConflict({ streamName, batch }: EncodedAppend, i: number, problem: string): StoreError {
  const eventId = eventIdOf(idOf(batch, i))
  return new StoreError('id-conflict', `Event ${eventId}: ${problem}`, { eventId, streamName, problem })
}

function checkRequest({ appends }: AppendRequest): void {
  checkCommitSize(appends.map(({ batch }) => batch))
  const ids = new Set<string>()
  for (const [n, { streamName, batch }] of appends.entries()) {
    checkStreamName(streamName)
    if (appends.length === 1) continue
    // Within one batch the encoder has checked.
    for (let i = 0; i < batch.count; i++) {
      const id = eventIdOf(idOf(batch, i))
      if (ids.has(id)) throw new InvalidEvent(`appends[${n}].events[${i}].id`, 'the same id stands twice')
      ids.add(id)
    }
  }
}

/** @throws {@link InvalidEvent} for a commit that would not fit into one push. */
export function checkCommitSize(batches: readonly EventBatch[]): void {
  const bytes = batches.reduce(
    (sum, { payloads, metadata }) => sum + payloads.bytes.length + metadata.bytes.length,
    0,
  )
  if (bytes <= MAX_COMMIT_BYTES) return
  throw new InvalidEvent(
    'events',
    `${bytes} bytes at once, over the limit of ${MAX_COMMIT_BYTES}; append in parts`,
  )
}

/** @throws {@link InvalidEvent} for a name that an application cannot append to. */
export function checkStreamName(streamName: string): void {
  checkName(streamName, 'streamName')
  if (streamName.startsWith(SYSTEM_STREAM_PREFIX)) {
    throw new InvalidEvent('streamName', `names that start with ${SYSTEM_STREAM_PREFIX} are the store's own`)
  }
}
