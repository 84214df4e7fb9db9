// What an open log offers to those who build on it: replay, sync, server, worker.

import type { StateSeal } from '../integrity/state-seal.ts'
import type { CommitNote, OnConflict } from '../log/commit-note.ts'
import type { Entry } from '../log/entry.ts'
import type { GlobalPosition, Hash, RecordedEvent, StreamVersion } from '../log/event.ts'
import type { EventBatch } from '../log/event-batch.ts'
import type { ExpectedStreamVersion } from '../log/expected-version.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { SkippedEntries } from '../log/skipped-entries.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import type { RecordedAmendment } from '../model/amendment.ts'
import type { EncodedAmendments } from '../model/encode-amendments.ts'
import type {
  AppendResult,
  ReadAllOptions,
  ReadStreamOptions,
  VerifyOptions,
  VerifyReport,
} from '../model/event-store.ts'
import type { Verdict } from '../model/integrity-status.ts'
import type { ReplayExplanation } from '../model/replay-report.ts'
import type { EventProgress, PushMark, Rejection, ServerRefusal } from '../model/sync-status.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { EffectiveOrder } from './amendments/effective-order.ts'
import type { exportPart } from './backup/export-log.ts'
import type { PrefixSource } from './common-prefix.ts'
import type { LogKeys } from './encryption/log-keys.ts'
import type { Erasures } from './erasure/erasures.ts'
import type { LogProofs } from './log-proofs.ts'
import type { Healing } from './recovery/healing.ts'
import type { TodaysEvents } from './todays-events.ts'

/** An atomic append of checked, encoded events. */
export type AppendRequest = Readonly<{
  appends: readonly EncodedAppend[]
  onConflict?: OnConflict
  /** Told when the events are judged and linked, but not yet durable; again when another writer was first. */
  onAccepted?: (results: readonly AppendResult[]) => void
}>

/** What became of one of many requests. */
export type AppendOutcome = PromiseSettledResult<readonly AppendResult[]>

export type EncodedAppend = Readonly<{
  streamName: string
  expectedStreamVersion: ExpectedStreamVersion
  batch: EventBatch
}>

/** The events that are put in stand in the batch, in the order of the amendments. */
export type AmendRequest = Omit<EncodedAmendments, 'batch'> & Readonly<{ batch: EventBatch }>

export type ExecuteRequest = Readonly<{
  decider: string
  id: string
  command: unknown
  expectedStreamVersion?: ExpectedStreamVersion
  /** How often to decide again when another writer was first. Default 10; 0 with an explicit version. */
  retries?: number
  /** UUID of the attempt: the same one again gives the same events or the result of the first. */
  commandId: string
}>

export type ExecuteResult = AppendResult & Readonly<{ state: unknown }>

/** Where this replica stands against the server's log. */
export type SyncCursor = Readonly<{
  /** The server's log is another one when its epoch changed; '' before the first contact. */
  epoch: string
  /** Place in the server's log up to which this replica has everything. */
  serverPosition: number
  /** Position here through which every effective entry is confirmed. */
  confirmedThrough: GlobalPosition
  /** Of the streams that match, and of no others; all where it is left out. */
  streams?: readonly StreamPattern[]
}>

/** The log grew, was confirmed, or not any more, lost what was erased, was healed, or all of it. Told after the index knows it, in order. */
export type LogChange = Readonly<{
  /** Positions in (after, head] are new. */
  after: GlobalPosition
  head: GlobalPosition
  /** Entries from this position to `after` are no longer effective, but for the system's own. */
  supersededFrom: GlobalPosition | null
  /** At places from this one on other events count. */
  amendedFrom: GlobalPosition | null
  /** Entries from this position on were confirmed, and are pending again: the server has lost them. */
  unconfirmedFrom: GlobalPosition | null
  /** Some entries from this position on were erased, or can be read now that could not, or not any more. */
  erasedFrom: GlobalPosition | null
  /** Some entries from this position on could not be read, or were forged, and are again what they were. */
  healedFrom: GlobalPosition | null
  cursor: SyncCursor
}>

/** Whole commits of the server's log, or what of them is in the streams that match, in its order, behind `after`. */
export type RemotePage = Readonly<{
  epoch: string
  after: number
  commits: readonly (readonly Entry[])[]
  /** Place in the server's log behind the last commit. */
  next: number
  streams?: readonly StreamPattern[]
  /** In order. */
  skipped?: readonly SkippedEntries[]
  /** Which of the commits, counted from 0, have entries in other streams as well. */
  cut?: readonly number[]
}>

/** What a replica pulls. `next` is `after` at the end of the log. */
export type CommitPage = Pick<RemotePage, 'commits' | 'next'> &
  Readonly<{ skipped: readonly SkippedEntries[]; cut: readonly number[] }>

export type ApplyOutcome = Readonly<{ confirmed: number; rebased: number; rejected: readonly Rejection[] }>

export type PendingCommit = Readonly<{
  entries: readonly Entry[]
  note: CommitNote | null
  bytes: number
  lastPosition: GlobalPosition
}>

/** A pending commit that the server will not take, by the hash of its last entry. */
export type RefusedCommit = Readonly<{ hash: Hash; refusal: ServerRefusal; message: string }>

/** What of this replica is in a log that took the place of the server's: `unconfirmed` events are not. */
export type RejoinOutcome = Readonly<{ serverPosition: number; unconfirmed: number }>

/** What became of commits that another replica sent. `accepted` counts from the first one. */
export type AdmitOutcome = Readonly<{
  accepted: number
  /** The accepted commits stand together right behind this position; null when some were recorded before. */
  after: GlobalPosition | null
  /** Position of the last accepted entry, or of the log's end when nothing new was written. */
  head: GlobalPosition
  refusal: Readonly<{ reason: AdmitRefusal; detail: string }> | null
}>

/** `stale`: the author has to pull first. `id-reused`: known id, other content. `invalid`: hash or link wrong. */
export type AdmitRefusal = 'stale' | 'id-reused' | 'invalid'

export type StreamHead = Readonly<{ version: StreamVersion; position: GlobalPosition; hash: Hash }>

export interface EventLog {
  readonly storeId: string
  readonly hash: HashProvider
  /** For side-table values: snapshots, cursors. Blocks are the log's alone. */
  readonly storage: Pick<LogStorage, 'get' | 'list' | 'keys' | 'put' | 'swap'>

  /** What is read, as the application of today knows it. Reads of the log itself give what was recorded. */
  readonly today: TodaysEvents
  /** What the log can show to others. */
  readonly proofs: LogProofs
  /** What was erased in the log, and the way to erase more. */
  readonly erasures: Erasures
  /** What there is to decrypt with, and the way to change that. */
  readonly keys: Pick<LogKeys, 'add' | 'destroy' | 'refresh' | 'list'>
  /** The way to put back what was lost. */
  readonly healing: Healing

  /** Seals what is derived from the log and kept beside it; null where this device has no key for that. */
  seal(): Promise<StateSeal | null>

  head(): GlobalPosition
  cursor(): SyncCursor
  /** How many effective events are behind the cursor. */
  pendingCount(): number
  /** When the oldest of them was recorded; null for none. */
  oldestPendingAt(): Promise<number | null>
  /**
   * How far events have come, by what the log knows and by what the tab that syncs has told of its pushes; null for ids
   * that the log has not.
   */
  progressOf(eventIds: readonly string[], pushed: PushMark | null): Promise<readonly (EventProgress | null)[]>
  /** @throws `StoreError` `unknown-event` for a position that the log has not. */
  eventIdAt(position: GlobalPosition): Promise<string>
  /** What all entries say, as it was recorded: data and metadata as JSON. */
  contentBytes(): number

  append(request: AppendRequest): Promise<readonly AppendResult[]>
  /**
   * The same for many, each judged by itself behind those before it, at less cost: they are hashed and written
   * together. Rejects when nothing could be written.
   */
  appendMany(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]>
  execute(request: ExecuteRequest): Promise<ExecuteResult>
  /** See `EventStore.amendStream`. */
  amend(request: AmendRequest): Promise<AppendResult>
  amendments(streamName: string): Promise<readonly RecordedAmendment[]>
  /**
   * What a fold of a decider's stream would do that has nothing in memory.
   *
   * @throws `StoreError` `unknown-decider`
   */
  explainDecider(decider: string, id: string): Promise<ReplayExplanation>
  /** Server side: takes commits of another replica as they are, in order, up to the first that does not fit. */
  admit(commits: readonly (readonly Entry[])[]): Promise<AdmitOutcome>

  /**
   * Client side: the only way events of the server enter. Atomic. Confirms what of the pending tail the page
   * holds; where the server has other events first, supersedes the tail and takes it up again behind them.
   *
   * @throws `StoreError` `sync-protocol` when the page does not fit the chain; nothing was written.
   */
  applyRemote(page: RemotePage): Promise<ApplyOutcome>
  /**
   * RFC 6962 root of the server's log as it is behind a page, by what this replica has of it; null for a page that is
   * not the next one. To be held against what the server signs, before the page is applied.
   */
  serverRootBehind(page: RemotePage): Promise<Uint8Array | null>
  /** The oldest pending commits, whole, up to `maxBytes` but at least one if there is any. */
  pendingCommits(maxBytes: number): Promise<readonly PendingCommit[]>
  /** Effective commits behind a position, for a replica that pulls: all, or what of them is in streams that match. */
  readCommits(
    after: GlobalPosition,
    maxBytes: number,
    streams?: readonly StreamPattern[],
  ): Promise<CommitPage>
  /**
   * Takes a commit that the server refuses out of the pending tail, as a rejection, and takes up again what stands
   * behind it. Atomic. Gives what was rejected: nothing where the commit is not pending any more.
   */
  setAside(refused: RefusedCommit): Promise<readonly Rejection[]>
  /**
   * For a server whose log is another one than before: finds out how far it is the same as what was confirmed here, and
   * notes that what is behind that is pending again. Null where the server did not answer to the end, or another tab was
   * first.
   */
  rejoin(prefixOf: PrefixSource): Promise<RejoinOutcome | null>
  /**
   * Leaves what was confirmed of one choice of streams, to be pulled anew for another. False, and nothing is done, where
   * something is pending.
   */
  resubscribe(streams: readonly StreamPattern[] | undefined): Promise<boolean>
  rejections(): Promise<readonly Rejection[]>
  acknowledgeRejection(id: string): Promise<void>

  /** Version 0 and the genesis hash for a stream without events. */
  streamHead(streamName: string): Promise<StreamHead>
  /** Effective events of a stream, a block or a few read for each array; what counts at one place comes in one array. */
  readStream(streamName: string, options?: ReadStreamOptions): AsyncIterable<readonly RecordedEvent[]>
  /** Effective events of all streams, one array for each block read; those of the system left out. */
  readAll(options?: ReadAllOptions): AsyncIterable<readonly RecordedEvent[]>
  streamVersion(streamName: string): StreamVersion
  /** False for an entry that a rebase superseded, a system entry, and a position past the head. */
  isEffective(position: GlobalPosition): boolean
  /** What amendments make of the log. */
  readonly order: EffectiveOrder

  /** Reads what others wrote since. Called on a hint from another tab, and before a read that must be current. */
  catchUp(): Promise<void>
  onChange(listener: (change: LogChange) => void, signal?: AbortSignal): void
  /** Tells of each read that met a block that is not what was written: again and again, until it is healed. */
  onDamaged(listener: (position: GlobalPosition) => void, signal?: AbortSignal): void
  /** Told by another tab that entries from a position on were put back. */
  healed(from: GlobalPosition): void

  /** Writes down what was found out about the log: as an entry of its own, and until it is acknowledged. */
  recordVerdict(verdict: Verdict): Promise<void>

  verify(options?: VerifyOptions): Promise<VerifyReport>
  /** See export-log.ts. */
  exportPart(after: GlobalPosition, size: number): ReturnType<typeof exportPart>
  close(): Promise<void>
}
