// What sync tells the application: where it stands, what waits, what was refused.

import type { ErrorFacts, StoreErrorCode } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { RecordedAmendment } from './amendment.ts'

/** An error in the form that crosses ports: its class is rebuilt on the other side. */
export type PlainError = Readonly<{
  code: StoreErrorCode
  message: string
  facts: ErrorFacts
  recovery: string
}>

export type SyncPhase =
  /** No server is configured. */
  | 'off'
  /** Another tab of this profile syncs. */
  | 'follower'
  | 'pulling'
  | 'pushing'
  /** Everything is confirmed; waiting for hints. */
  | 'idle'
  /** The browser says that there is no network, or the application switched sync off. */
  | 'offline'
  /** The last try failed; the next is at `retryAt`. */
  | 'waiting'
  /** Stopped until the application acts: see `error`. */
  | 'stopped'

export type SyncStatus = Readonly<{
  phase: SyncPhase
  /** Events and amendments of this replica that the server has not confirmed. */
  pending: number
  /** When the oldest of them was recorded, in milliseconds since the Unix epoch; null for none, or not read yet. */
  oldestPendingAt: number | null
  /** Commits that were refused and wait for the application to acknowledge them. */
  rejected: number
  /** Place in the server's log up to which this replica has everything. */
  serverPosition: number
  /** Erasures that the server has not heard of: what they erased may still be there, and on other replicas. */
  unsentErasures: number
  /** Milliseconds since the Unix epoch, null before the first answer. */
  lastContactAt: number | null
  retryAt: number | null
  error: PlainError | null
}>

/**
 * How far an event, or an amendment, has come. Before that it was accepted: see `AppendOptions.onAccepted`.
 *
 * - `persisted`: it is in the database of this device, and pending.
 * - `pushed`: besides, the server has answered a push with it. Told from memory: after a restart it is `persisted` again.
 * - `confirmed`: it is in the server's log, and in its place here.
 * - `rejected`: the server had other events first. Its rejection says why, and is kept until it is acknowledged.
 * - `dropped`: it does not count any more, and there is no rejection: one was acknowledged, its command gave other events
 *   when it was decided again, or a merge left it out.
 */
export type EventProgress = 'persisted' | 'pushed' | 'confirmed' | 'rejected' | 'dropped'

export type WhenConfirmedOptions = Readonly<{
  /** Default: none. */
  timeoutMs?: number
  signal?: AbortSignal
}>

/** The server whose log has this epoch has answered pushes of all that was pending up to a position here. */
export type PushMark = Readonly<{ epoch: string; through: GlobalPosition }>

/** Events by the ids that they had and have. */
export type RejectedAmendment = Pick<RecordedAmendment, 'amendmentId' | 'streamName' | 'reason' | 'changes'>

/**
 * Why the server will never take a commit: its ids are recorded with other content, it is not what the protocol allows,
 * the token may not append to its streams, or it is larger than the server takes. `in-part`: it was never sent, since a
 * server that was restored has lost it, and of another author's commit only what is in `sync.streams` is here.
 */
export type ServerRefusal = 'id-reused' | 'invalid' | 'forbidden' | 'too-large' | 'in-part'

/**
 * A pending commit that could not be taken up again behind what the server had, or that the server refused for good, or
 * what can be read of one that could not be taken over when a damaged log was begun anew. Kept until acknowledged.
 */
export type Rejection = Readonly<{
  id: string
  /** The command that was refused when it was decided again, where there was one. */
  command: Readonly<{ decider: string; id: string; command: unknown }> | null
  /** What the commit was to change of what counts, if that is what it was for; the events it was to put in are `events`. */
  amendment: RejectedAmendment | null
  events: readonly Readonly<{ eventId: string; streamName: string; type: string; data: unknown }>[]
  /** With `refusal` where it was the server that refused: the code is `sync-refused` then. */
  reason: Readonly<{ code: StoreErrorCode; message: string; refusal?: ServerRefusal }>
  rejectedAt: number
}>
