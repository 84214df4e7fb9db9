// A raw append: judges what it expects of its streams, finds out whether it is a retry, links its events.

import { equalBytes, hexOf } from '../log/bytes.ts'
import { isOnConflict, type OnConflict } from '../log/commit-note.ts'
import { KIND_ERASED, KIND_EVENT, SALT_BYTES } from '../log/entry.ts'
import type { RunStamp } from '../log/entry-run.ts'
import { InvalidEvent, StoreError, VersionConflict } from '../log/errors.ts'
import { type GlobalPosition, type Hash, type StreamVersion, SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import { checkName, type EventBatch, idOf, MAX_COMMIT_BYTES, payloadOf } from '../log/event-batch.ts'
import { eventIdOf, ID_BYTES } from '../log/event-id.ts'
import { meetsExpectation } from '../log/expected-version.ts'
import { jsonLength } from '../log/json-column.ts'
import { fillRandom } from '../log/random-bytes.ts'
import type { AppendResult } from '../model/event-store.ts'
import type { AnyMerge } from '../model/merge.ts'
import type { Draft } from './draft.ts'
import type { EventContents } from './encryption/event-contents.ts'
import type { EntryLookup } from './entry-lookup.ts'
import { EventIdTable } from './event-id-table.ts'
import type { AppendOutcome, AppendRequest, EncodedAppend } from './event-log.ts'
import type { HeldStreams } from './held-streams.ts'
import type { DraftHead } from './staged-run.ts'
import type { Job } from './writer.ts'

export type AppendParts = Readonly<{
  lookup: EntryLookup
  /** By name. */
  merges: Readonly<Record<string, AnyMerge>>
  held: HeldStreams
  contents: EventContents
  now: () => number
}>

/** As it is to be stored, and, where that is encrypted, as it was given. */
type StoredAppend = EncodedAppend & Readonly<{ plain?: EventBatch }>
type StoredRequest = Omit<AppendRequest, 'appends'> & Readonly<{ appends: readonly StoredAppend[] }>

/**
 * Appends that are judged one by one, each by what those before it leave, and written together. A request that is
 * refused, for a name, a repeated id or a size that no state of the log would take, or by the state it is in, leaves
 * nothing behind.
 */
export function appendJob(
  requests: readonly AppendRequest[],
  parts: AppendParts,
): Job<readonly AppendOutcome[]> {
  const { cipher } = parts.contents
  // Begun at once, and waited for in turn: what was asked for behind it must not come before it.
  const stored = cipher.encrypts ? Promise.all(requests.map(request => encryptRequest(request, parts))) : null
  return {
    isAlone: false,
    plan: async draft => planAppends(stored ? await stored : requests, draft, parts),
    onPlanned(outcomes) {
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') requests[i]!.onAccepted?.(outcome.value)
      }
    },
  }
}

/** Or why it cannot be. */
async function encryptRequest(
  request: AppendRequest,
  { contents }: AppendParts,
): Promise<StoredRequest | Readonly<{ reason: unknown }>> {
  try {
    const appends = request.appends.map(async (append): Promise<StoredAppend> => {
      const batch = await contents.cipher.encrypt(append.streamName, append.batch)
      return batch === append.batch ? append : { ...append, batch, plain: append.batch }
    })
    return { ...request, appends: await Promise.all(appends) }
  } catch (reason) {
    return { reason }
  }
}

/** What an append comes to, but for what its hashes say. */
type Planned = Readonly<{ head: DraftHead; before: StreamVersion; position: GlobalPosition }>

async function planAppends(
  requests: readonly (StoredRequest | Readonly<{ reason: unknown }>)[],
  draft: Draft,
  parts: AppendParts,
): Promise<AppendOutcome[]> {
  const plans: (readonly Planned[] | AppendOutcome)[] = []
  for (const request of requests) {
    try {
      if ('reason' in request) throw request.reason
      checkRequest(request, parts)
      const { appends } = request
      // Awaited only where it must be: of thousands of appends, most find what they need.
      for (const { streamName } of appends) if (!draft.knowsHead(streamName)) await draft.head(streamName)
      if (appends.some(({ batch }) => knowsAny(batch, draft))) {
        plans.push({ status: 'fulfilled', value: await resultOfRetry(appends, draft, parts) })
      } else plans.push(planAppend(request, draft, parts))
    } catch (reason) {
      draft.discardStaged()
      plans.push({ status: 'rejected', reason })
    }
  }
  // Only now are hashes asked for, which are made all together.
  return plans.map(plan => ('status' in plan ? plan : { status: 'fulfilled', value: plan.map(resultOfPlan) }))
}

function planAppend(request: StoredRequest, draft: Draft, parts: AppendParts): Planned[] {
  const { appends } = request
  checkExpectations(appends, draft)
  const planned = appends.map(append => linkAppend(append, draft, parts))
  if (appends.some(({ batch }) => batch.count > 0)) draft.commit({ onConflict: onConflictOf(request) })
  return planned
}

/** An exact version says that the events were meant for one state of the stream only. */
function onConflictOf({ onConflict, appends }: AppendRequest): OnConflict {
  if (typeof onConflict === 'object') return { merge: onConflict.merge }
  return (
    onConflict ?? (appends.some(one => typeof one.expectedStreamVersion === 'number') ? 'reject' : 'reappend')
  )
}

function linkAppend(
  { streamName, batch }: EncodedAppend,
  draft: Draft,
  { now, lookup }: Pick<AppendParts, 'now' | 'lookup'>,
): Planned {
  const before = draft.knownHead(streamName).version
  if (batch.count > 0) draft.link(streamName, batch, stampFor(batch, now()))
  return { head: draft.knownHead(streamName), before, position: lastPositionOf(streamName, draft, lookup) }
}

/** What the log adds to events of the application. */
export function stampFor(batch: EventBatch, recordedAt: number): RunStamp {
  const salts = new Uint8Array(SALT_BYTES * batch.count)
  fillRandom(salts)
  return { kind: KIND_EVENT, recordedAt, salts }
}

/** The result of an append that leaves the stream as the draft has it now; its head must be known to the draft. */
export function resultAt(
  streamName: string,
  draft: Draft,
  lookup: EntryLookup,
  { before, idempotent }: { before: StreamVersion; idempotent: boolean },
): AppendResult {
  const head = draft.knownHead(streamName)
  const position = lastPositionOf(streamName, draft, lookup)
  return { ...resultOfPlan({ head, before, position }), idempotent }
}

function resultOfPlan({ head, before, position }: Planned): AppendResult {
  return {
    nextExpectedStreamVersion: head.version,
    lastEventGlobalPosition: position,
    createdNewStream: before === 0 && head.version > 0,
    idempotent: false,
    headHash: hexOf(head.hash) as Hash,
  }
}

function lastPositionOf(streamName: string, draft: Draft, lookup: EntryLookup): GlobalPosition {
  return draft.lastPositionOf(streamName) ?? lookup.lastPositionOf(streamName)
}

function checkExpectations(appends: readonly EncodedAppend[], draft: Draft): void {
  const versions = new Map<string, StreamVersion>()
  const violations: VersionConflict['facts']['violations'][number][] = []
  for (const { streamName, expectedStreamVersion: expected, batch } of appends) {
    const actual = versions.get(streamName) ?? draft.knownHead(streamName).version
    if (!meetsExpectation(expected, actual)) violations.push({ streamName, expected, actual })
    versions.set(streamName, actual + batch.count)
  }
  if (violations.length > 0) throw new VersionConflict(violations)
}

/**
 * The first result again when all ids are recorded already, in this order, with this content, where the append
 * expected them.
 *
 * @throws {@link StoreError} `id-conflict` when only some are.
 */
async function resultOfRetry(
  appends: readonly StoredAppend[],
  draft: Draft,
  parts: AppendParts,
): Promise<AppendResult[]> {
  const known = appends.map(({ batch }) =>
    Array.from({ length: batch.count }, (_, i) => draft.positionOfId(batch.ids, i * ID_BYTES)),
  )
  const results: AppendResult[] = []
  for (const [n, append] of appends.entries()) {
    const positions = known[n]!
    if (append.batch.count > 0) results.push(await retryOf(append, positions, draft, parts))
    else results.push(resultAt(append.streamName, draft, parts.lookup, { before: 1, idempotent: true }))
  }
  return results
}

function knowsAny({ ids }: EventBatch, draft: Draft): boolean {
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    if (draft.positionOfId(ids, at) !== undefined) return true
  }
  return false
}

async function retryOf(
  append: StoredAppend,
  positions: readonly (GlobalPosition | undefined)[],
  draft: Draft,
  { lookup, contents }: AppendParts,
): Promise<AppendResult> {
  const { streamName, batch, plain = batch, expectedStreamVersion: expected } = append
  let last = { version: 0, hash: new Uint8Array() as Uint8Array, position: 0 }
  for (const [i, position] of positions.entries()) {
    const actual = draft.knownHead(streamName).version
    // Part of the batch is new: a wrong expectation says more than the ids do.
    if (position === undefined && !meetsExpectation(expected, actual)) {
      throw new VersionConflict([{ streamName, expected, actual }])
    }
    const entry = position === undefined ? undefined : await lookup.entryAt(position, draft)
    if (!entry || entry.streamName !== streamName)
      throw idConflict(append, i, 'recorded elsewhere or only in part')
    if (i > 0 && entry.streamVersion !== last.version + 1)
      throw idConflict(append, i, 'recorded in another order')
    // What an erased event said, nobody can compare with.
    const payload = payloadOf(plain, i)
    const isSame =
      entry.kind === KIND_ERASED ||
      ((await contents.hasPayload(entry, payload)) ?? equalBytes(entry.payload, payload))
    if (!isSame || entry.type !== batch.types[batch.typeOf[i]!]!.type) {
      throw idConflict(append, i, 'recorded with other content')
    }
    last = { version: entry.streamVersion, hash: entry.hash, position: position! }
  }
  const before = last.version - batch.count
  if (!meetsExpectation(expected, before)) {
    const actual = draft.knownHead(streamName).version
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

function checkRequest({ appends, onConflict }: AppendRequest, { merges, held }: AppendParts): void {
  // What cannot be read back from the commit's note must never be written there.
  if (onConflict !== undefined && !isOnConflict(onConflict)) throw noSuchPolicy(onConflict)
  if (typeof onConflict === 'object') mergeOf(merges, onConflict.merge)
  checkCommitSize(appends.map(({ batch }) => batch))
  for (const { streamName } of appends) {
    checkStreamName(streamName)
    held.mustHold(streamName)
  }
  // Within one batch the encoder has checked.
  if (appends.length > 1) checkIdsAcross(appends)
}

export const noSuchPolicy = (onConflict: unknown): StoreError =>
  new StoreError('invalid-argument', 'onConflict is none of those there are', { onConflict })

/** @throws `StoreError` `unknown-merge` */
export function mergeOf(merges: AppendParts['merges'], name: string): AnyMerge {
  const merge = Object.hasOwn(merges, name) ? merges[name] : undefined
  if (merge) return merge
  throw new StoreError('unknown-merge', `The app has no merge "${name}"`, { merge: name })
}

function checkIdsAcross(appends: readonly EncodedAppend[]): void {
  const ids = new EventIdTable()
  for (const [n, { batch }] of appends.entries()) {
    for (let i = 0; n > 0 && i < batch.count; i++) {
      if (ids.positionOf(batch.ids, i * ID_BYTES) === undefined) continue
      throw new InvalidEvent(`appends[${n}].events[${i}].id`, 'the same id stands twice')
    }
    ids.add(batch.ids)
  }
}

/** @throws {@link InvalidEvent} for a commit that would not fit into one push. */
export function checkCommitSize(batches: readonly EventBatch[]): void {
  const bytes = batches.reduce(
    (sum, { payloads, metadata }) => sum + jsonLength(payloads) + jsonLength(metadata),
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
