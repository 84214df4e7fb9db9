// What sync tells the application: where it stands, what waits, what was refused.

import type { ErrorFacts, StoreErrorCode } from '../log/errors.ts'
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

/** Events by the ids that they had and have. */
export type RejectedAmendment = Pick<RecordedAmendment, 'amendmentId' | 'streamName' | 'reason' | 'changes'>

/**
 * A pending commit that could not be taken up again behind what the server had, or what can be read of one that could not
 * be taken over when a damaged log was begun anew. Kept until acknowledged.
 */
export type Rejection = Readonly<{
  id: string
  /** The command that was refused when it was decided again, where there was one. */
  command: Readonly<{ decider: string; id: string; command: unknown }> | null
  /** What the commit was to change of what counts, if that is what it was for; the events it was to put in are `events`. */
  amendment: RejectedAmendment | null
  events: readonly Readonly<{ eventId: string; streamName: string; type: string; data: unknown }>[]
  reason: Readonly<{ code: StoreErrorCode; message: string }>
  rejectedAt: number
}>
