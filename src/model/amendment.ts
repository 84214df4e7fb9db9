// History is amended by appending: what was recorded stays, and what is folded is another order.

import type { ConflictPolicy } from '../log/commit-note.ts'
import type { Event, EventStatus, GlobalPosition, StreamVersion } from '../log/event.ts'
import type { ExpectedStreamVersion } from '../log/expected-version.ts'

/** A change to the effective order of a stream. Events are named by their ids; `after` null is the beginning. */
export type Amendment<E extends Event = Event> =
  | Readonly<{ kind: 'insert'; after: string | null; event: E }>
  /** The event takes the place of the other one, which is left out. */
  | Readonly<{ kind: 'replace'; eventId: string; event: E }>
  | Readonly<{ kind: 'remove'; eventId: string }>
  | Readonly<{ kind: 'move'; eventId: string; after: string | null }>

export type AmendOptions = Readonly<{
  /** Of the recorded stream, as for an append. Default `NO_CONCURRENCY_CHECK`. */
  expectedStreamVersion?: ExpectedStreamVersion
  /** Why, at most 1,024 characters: it is recorded for good, so nothing personal belongs in it. */
  reason: string
  /**
   * What sync does when the server has other events for the stream: amend it behind them, if all events that are named
   * still count, or reject the amendment, visibly. Default `reappend`; `reject` for an exact expected version.
   */
  onConflict?: ConflictPolicy
  /** UUID of the attempt, to try again safely. */
  amendmentId?: string
}>

/** Events by their ids, as in {@link Amendment}. */
export type RecordedChange =
  | Readonly<{ kind: 'insert' | 'move'; eventId: string; after: string | null }>
  | Readonly<{ kind: 'replace'; eventId: string; by: string }>
  | Readonly<{ kind: 'remove'; eventId: string }>

/** An amendment that counts, as it stands in the log. */
export type RecordedAmendment = Readonly<{
  amendmentId: string
  streamName: string
  streamVersion: StreamVersion
  globalPosition: GlobalPosition
  /** Milliseconds since the Unix epoch, by the clock of the replica that amended. */
  recordedAt: number
  reason: string
  status: EventStatus
  changes: readonly RecordedChange[]
}>
