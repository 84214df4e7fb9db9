// What goes into the server's state machine and what comes out of it: plain values, so that a run can be written down.

import type { AdmitOutcome } from '../engine/event-log.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import type { Hint, PushReceipt } from '../protocol/sync-messages.ts'
import type { HttpStatus } from './http-failure.ts'

/** What the log says of itself. All of it is durable. */
export type LogStanding = Readonly<{
  head: number
  /** Records in its list of erasures. */
  erasures: number
}>

/** What somebody asks who was let in. What is sent or given out is no part of it: commits are but counted. */
export type Question =
  | Readonly<{ type: 'head' }>
  | Readonly<{ type: 'pull'; after: number; maxBytes: number; streams?: readonly StreamPattern[] }>
  | Readonly<{ type: 'prefix'; size: number }>
  /** `epoch` is that of the log that it is meant for, `forbidden` the first commit to a stream that is closed to its author. */
  | Readonly<{ type: 'push'; epoch: string; commits: number; forbidden: ForbiddenCommit | null }>
  | Readonly<{ type: 'erase'; epoch: string }>
  | Readonly<{ type: 'erasures'; after: number }>
  /** `expiresAt` is when the credentials end; null for never. */
  | Readonly<{ type: 'hints'; storeId: string; expiresAt: number | null }>
  /** A read or a write of its own, such as a tile: it needs no more than the right log. */
  | Readonly<{ type: 'other' }>

export type ForbiddenCommit = Readonly<{ at: number; streamName: string }>

/** What is known of credentials that are looked at again: null where they are not valid, `unknown` where nobody can tell now. */
export type AccessNow =
  | Readonly<{ storeId: string; read: boolean; expiresAt: number | null }>
  | null
  | 'unknown'

/** `standing` is of the moment when the input was made. */
export type ServerInput =
  | Readonly<{ type: 'asked' }>
  | Readonly<{ type: 'looked'; epoch: string; standing: LogStanding }>
  | Readonly<{ type: 'pageRead'; next: number }>
  /** What was accepted is durable. */
  | Readonly<{ type: 'admitted'; outcome: AdmitOutcome }>
  /** Nothing of it is left. */
  | Readonly<{ type: 'erased' }>
  | Readonly<{ type: 'listed' }>
  | Readonly<{ type: 'confirmed'; epoch: string; standing: LogStanding }>
  /** What was to be done could not be. */
  | Readonly<{ type: 'failed' }>
  /** The client has read what was sent to it, and takes more. */
  | Readonly<{ type: 'reads'; standing: LogStanding }>
  | Readonly<{ type: 'grew'; standing: LogStanding }>
  | Readonly<{ type: 'timer' }>
  | Readonly<{ type: 'accessKnown'; access: AccessNow }>
  | Readonly<{ type: 'left' }>
  /** The log is closed, or will be at once. */
  | Readonly<{ type: 'closed' }>

/** Why a stream is ended by the server: the credentials are not valid any more, or give no right to read this store. */
export type EndReason = 'unauthenticated' | 'forbidden'

export type Answer =
  | Readonly<{ type: 'head'; epoch: string; position: number }>
  | Readonly<{ type: 'page'; epoch: string; after: number; next: number; head: number; erasures: number }>
  | Readonly<{ type: 'prefix'; epoch: string; size: number }>
  | Readonly<{ type: 'receipt'; status: 200 | 403 | 409 | 422; receipt: Omit<PushReceipt, 'checkpoint'> }>
  | Readonly<{ type: 'erased'; epoch: string; count: number }>
  | Readonly<{ type: 'erasures'; epoch: string; after: number; count: number }>
  /** A stream, which begins. */
  | Readonly<{ type: 'hints' }>
  /** The log is the right one. */
  | Readonly<{ type: 'other' }>
  | Refused
  /** The log is another one now: to be asked once more of that one. */
  | Readonly<{ type: 'again' }>
  /** Something failed, and whoever does the work knows what. */
  | Readonly<{ type: 'failed' }>

export type Refused = Readonly<{
  type: 'refused'
  status: HttpStatus
  code: string
  message: string
  facts: Readonly<Record<string, unknown>>
}>

/** Done to the log, and answered by one input each: `looked`, `pageRead`, `admitted`, `erased`, …, or `failed`. */
export type Work =
  /** Takes in what other servers on the database wrote, and then reads the epoch. */
  | Readonly<{ type: 'look' }>
  | Readonly<{ type: 'readPage'; after: number; maxBytes: number; streams?: readonly StreamPattern[] }>
  /** So many commits, from the first, up to the one that does not fit. */
  | Readonly<{ type: 'admit'; commits: number }>
  /** Of so many commits that were accepted, erases what the list of erasures names. */
  | Readonly<{ type: 'eraseListed'; commits: number }>
  | Readonly<{ type: 'erase' }>
  | Readonly<{ type: 'listErasures'; after: number }>
  /** Signature, and root if it is wanted, of the first `size` entries, where that is not null; and then reads the epoch. */
  | Readonly<{ type: 'confirm'; size: number | null; withRoot: boolean }>

export type StreamEffect =
  | Readonly<{ type: 'hint'; hint: Hint }>
  | Readonly<{ type: 'beat' }>
  /** Takes the place of the timer before. */
  | Readonly<{ type: 'schedule'; delayMs: number }>
  | Readonly<{ type: 'cancelTimer' }>
  /** Asks whose the stream is: answered by `accessKnown`. */
  | Readonly<{ type: 'checkAccess' }>
  /** The last of a stream. A reason is told to the client, `closed` is not. */
  | Readonly<{ type: 'end'; reason: EndReason | 'closed' }>

export type ServerEffect =
  | Work
  | StreamEffect
  | Readonly<{ type: 'answer'; answer: Answer }>
  /** The database holds another log: whoever comes next needs it opened anew. */
  | Readonly<{ type: 'reopen' }>
