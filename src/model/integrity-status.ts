// What the store found out about its own log, and what it did: for the application to show.

import type { GlobalPosition } from '../log/event.ts'
import type { LogCheckpoint } from '../log/proofs.ts'

export type Finding =
  /** The database is empty, and had events. */
  | 'wiped'
  /** The database ends before events that it had. */
  | 'truncated'
  /** The database holds another event where the log ended once: it was rolled back, and went on from there. */
  | 'head-mismatch'
  /** Entries could not be read, or did not have the hashes that they were recorded with. */
  | 'damaged'
  /** Roots that are kept of parts of the Merkle tree were not those of the log's entries. */
  | 'tree-damaged'
  /** A snapshot was not what had been written, did not bear this device's seal, or was of another history. */
  | 'snapshot-damaged'
  /** The witness has signed more of this log than there is: it was rolled back, by a backup of the device perhaps. */
  | 'behind-witness'
  /** The log does not go on from what the witness has signed: it was copied, and both copies went on. */
  | 'forked'
  /** The server has signed a log that is not the one it gave out, or with another key than before. */
  | 'server-inconsistent'
  /** A projection's handlers came to another state when the same events were folded a second time. */
  | 'not-deterministic'

export type RecoveryAction =
  /** The server had the same entries, by their hashes: they stand in their places again. */
  | 'healed'
  /** Done as soon as the server can be asked for the entries. */
  | 'waits-for-server'
  /** Nobody else has these entries: what can be read goes on, and `openStore({ restore: true })` begins anew with it. */
  | 'needs-restore'
  /** Made anew of the log. */
  | 'rebuilt'
  /** What the server has confirmed comes again with the next sync. */
  | 'fetched-again'
  /** The log was begun anew with pending commits that are whole; what can be read of others is told as rejected. */
  | 'restored'
  /** There is no server to ask: the log goes on with what is left. */
  | 'went-on'
  /** From now on this device signs under another name, so that nobody takes its log for the one before. */
  | 'new-identity'
  /** Nothing of the server is taken in any more until the application acts. */
  | 'sync-stopped'
  /** The projection goes on, but its states are not to be trusted, and none is kept as a snapshot. */
  | 'untrusted'

/** Something that should not have happened to this replica's log. Kept until the application acknowledges it. */
export type Verdict = Readonly<{
  id: string
  finding: Finding
  action: RecoveryAction
  /** The first position that is concerned. */
  at: GlobalPosition
  /** What may be lost, as far as is known: it can be more by what was appended in the last second before. */
  atRisk: Readonly<{
    events: number
    /** How many of them the server had not confirmed: those are gone for good. */
    unsynced: number
    /** What they said, as JSON; of a block that cannot be read, all of it. Null where nobody knows any more. */
    bytes: number | null
  }>
  /** In words, with what was expected and what was found. */
  detail: string
  /** Milliseconds since the Unix epoch. */
  foundAt: number
}>

export type IntegrityStatus = Readonly<{
  /** The last one of this replica's log; null before the first. Its `signing` says whether it is signed. */
  checkpoint: LogCheckpoint | null
  /** The last one that the server has countersigned as a witness, as a signed note; null before the first. */
  witnessed: Readonly<{ size: number; text: string }> | null
  /** Oldest first, until they are acknowledged. */
  verdicts: readonly Verdict[]
}>

/** A block that could not be read whole when the log was begun anew, or has a part of such a commit, as it was stored. */
export type QuarantinedBlock = Readonly<{
  /** The positions that it had. */
  firstPosition: GlobalPosition
  lastPosition: GlobalPosition
  bytes: Uint8Array<ArrayBuffer>
  /** Milliseconds since the Unix epoch. */
  setAsideAt: number
}>
