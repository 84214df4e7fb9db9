// What goes into the sync state machine and what comes out of it: plain values, so that a run can be written down.

import type { RefusedCommit } from '../engine/event-log.ts'
import type { PushReceipt } from '../protocol/sync-messages.ts'
import type { SyncFailure } from './sync-failure.ts'

/** What the log says of itself. */
export type Standing = Readonly<{
  /** '' before the first contact. */
  epoch: string
  /** Place in the server's log up to which this replica has everything. */
  position: number
  /** Events that the server has not confirmed. */
  pending: number
  /** Commits that wait for the application to acknowledge their rejection. */
  rejected: number
  /** Records of the server's list of erasures that are here, and of the list here that the server has to be told of. */
  erasures: Readonly<{ taken: number; unsent: number }>
  /** It holds other streams of the server's log than are wanted. */
  isOtherPart?: boolean
}>

/** A commit by the hash of its last entry. */
export type PushedCommit = RefusedCommit['hash']

/** `first` is null where nothing was. */
export type Sent = Readonly<{ commits: number; bytes: number; first: PushedCommit | null }>

export type SyncInput =
  | Readonly<{ type: 'started'; standing: Standing }>
  | Readonly<{ type: 'stopped' }>
  | Readonly<{ type: 'online' }>
  | Readonly<{ type: 'offline' }>
  /** The application wants a try now: it has a new token, or somebody pressed a button. */
  | Readonly<{ type: 'poked' }>
  | Readonly<{ type: 'logChanged'; standing: Standing }>
  | Readonly<{ type: 'timer' }>
  | Readonly<{ type: 'hint'; position: number; epoch: string; erasures: number }>
  | Readonly<{ type: 'hintsOpened' }>
  | Readonly<{ type: 'hintsClosed' }>
  /** The server ended them: the token does not hold any more. */
  | Readonly<{ type: 'hintsRefused' }>
  /** A page is in the log. `head` is the end of the server's log when it answered, `maxPushBytes` what the server says of itself. */
  | Readonly<{ type: 'pullDone'; standing: Standing; head: number; maxPushBytes: number | null }>
  | Readonly<{ type: 'pullFailed'; failure: SyncFailure }>
  /** `standing` may have moved: a receipt that says where the commits stand is as good as a page of them. */
  | Readonly<{ type: 'pushDone'; receipt: PushReceipt; refused: PushedCommit | null; standing: Standing }>
  | Readonly<{ type: 'pushFailed'; failure: SyncFailure; sent: Sent }>
  /** The push found nothing to send, and sent nothing. */
  | Readonly<{ type: 'pushEmpty'; standing: Standing }>
  | Readonly<{ type: 'eraseDone'; standing: Standing }>
  | Readonly<{ type: 'eraseFailed'; failure: SyncFailure }>
  /** The log knows what of the server's it has. */
  | Readonly<{ type: 'rejoinDone'; standing: Standing }>
  | Readonly<{ type: 'rejoinFailed'; failure: SyncFailure }>
  /** It is not pending any more. */
  | Readonly<{ type: 'setAsideDone'; standing: Standing }>
  | Readonly<{ type: 'setAsideFailed'; failure: SyncFailure }>
  /** The first page of it is in the log, unless something was appended meanwhile. */
  | Readonly<{ type: 'resubscribeDone'; standing: Standing }>
  | Readonly<{ type: 'resubscribeFailed'; failure: SyncFailure }>

/** All but the last five are answered by one `…Done`, `…Failed` or `pushEmpty` each, aborted ones too. */
export type SyncEffect =
  | Readonly<{ type: 'pull'; after: number; epoch: string }>
  | Readonly<{ type: 'push'; epoch: string; maxBytes: number }>
  /** Tells the server of one erasure. */
  | Readonly<{ type: 'erase'; epoch: string }>
  /** Finds out how far the server's log is the one that is known here, and goes back to there. */
  | Readonly<{ type: 'rejoin' }>
  /** Asks nobody: takes out of the pending tail what the server refuses for good. */
  | Readonly<{ type: 'setAside'; commit: RefusedCommit }>
  /** Gets a page of the streams that are wanted now, and leaves for it what was confirmed of those before. */
  | Readonly<{ type: 'resubscribe' }>
  | Readonly<{ type: 'abortRequest' }>
  /** Takes the place of the timer before. */
  | Readonly<{ type: 'schedule'; delayMs: number }>
  | Readonly<{ type: 'cancelTimer' }>
  /** Keeps the stream of hints open, opening it again as needed, until `closeHints`. */
  | Readonly<{ type: 'openHints' }>
  | Readonly<{ type: 'closeHints' }>

/** The two things a pure function cannot know: the time in milliseconds, and a random number in [0, 1). */
export type Moment = Readonly<{ now: number; chance: number }>
