// The typed API of a store: the same on the page, in the worker and on the server.

import type { OnConflict } from '../log/commit-note.ts'
import type { Event, GlobalPosition, Hash, RecordedEvent, StreamVersion } from '../log/event.ts'
import type { ExpectedStreamVersion } from '../log/expected-version.ts'
import type { ConsistencyProof, InclusionProof, LogCheckpoint } from '../log/proofs.ts'
import type { Amendment, AmendOptions, RecordedAmendment } from './amendment.ts'
import type { Evolve } from './app.ts'
import type { EraseOptions, Erasure } from './erasure.ts'

export type AppendOptions<M extends string = string> = Readonly<{
  /** Default `NO_CONCURRENCY_CHECK`. */
  expectedStreamVersion?: ExpectedStreamVersion
  /**
   * What sync does with this append when the server has other events for its stream: append it again behind
   * them; reject it, visibly; or what a merge of the app, by its name, makes of both. Default `reappend`; `reject` for an
   * exact expected version.
   */
  onConflict?: OnConflict<M>
  /**
   * Called when the events are judged and linked, before they are durable: the place they will have, unless the
   * storage fails or another tab is first. Then it is called again, or the append rejects.
   */
  onAccepted?: (result: AppendResult) => void
}>

export type AppendToStreamsOptions<M extends string = string> = Pick<AppendOptions<M>, 'onConflict'> &
  Readonly<{
    /** As {@link AppendOptions.onAccepted}, with the results of all streams. */
    onAccepted?: (results: readonly AppendResult[]) => void
  }>

/** One stream of an atomic append. Without events the stream is only checked. */
export type StreamAppend<E extends Event = Event> = Readonly<{
  streamName: string
  events: readonly E[]
  expectedStreamVersion?: ExpectedStreamVersion
}>

export type AppendResult = Readonly<{
  nextExpectedStreamVersion: StreamVersion
  /** Position of the stream's last event of this append; of its last event at all when nothing was written. */
  lastEventGlobalPosition: GlobalPosition
  createdNewStream: boolean
  /** True when these event ids were recorded before and nothing was written. */
  idempotent: boolean
  /** Hash of the stream's last event. Its genesis hash when the stream is empty. */
  headHash: Hash
}>

/**
 * `effective`: as the events count, amendments heard; it is what is folded. `recorded`: as they were appended. They are the
 * same for a stream that was never amended.
 */
export type ReadOrder = 'effective' | 'recorded'

/**
 * Versions and positions name places. In effective order, an event that was put in or moved is read at the place of the
 * event that it stands behind, or replaces; its own version and position are those that it was recorded at.
 */
export type ReadStreamOptions = Readonly<{
  /** First stream version to read, in either direction inclusive. Default: the first; backwards: the last. */
  from?: StreamVersion
  /** Last stream version to read, inclusive. */
  to?: StreamVersion
  maxCount?: number
  direction?: 'forwards' | 'backwards'
  /** Default `effective`. */
  order?: ReadOrder
}>

/** See {@link ReadStreamOptions}. */
export type ReadAllOptions = Readonly<{
  /** First position to read, inclusive. */
  from?: GlobalPosition
  /** Last position to read, inclusive. */
  to?: GlobalPosition
  maxCount?: number
  direction?: 'forwards' | 'backwards'
  /** Default `effective`. */
  order?: ReadOrder
}>

export type ReadStreamResult<E extends Event = Event> = Readonly<{
  streamExists: boolean
  /** The stream's version now, whatever part of it was read. */
  currentStreamVersion: StreamVersion
  events: readonly RecordedEvent<E>[]
}>

export type SubscribeOptions = Readonly<{
  /** Only events of this stream, which need not exist yet. */
  streamName?: string
  /** Where to begin: everything, only what comes, or behind a position. Default `start`. */
  from?: 'start' | 'end' | GlobalPosition
  /** Called each time the subscription has reached the end of the log. */
  onCaughtUp?: () => void
  /** Called when it was caught up and more came than it could take at once. */
  onFellBehind?: () => void
  /** Called once when the subscription ends otherwise than by its owner: the handler threw, or a read failed. */
  onDropped?: (reason: Error) => void
  signal?: AbortSignal
}>

export type Subscription = Readonly<{
  /** Position up to which every event was handled or passed by. */
  position: () => GlobalPosition
  /** Safe to call twice. Resolves when no handler runs any more; called from within one, at once. */
  unsubscribe: () => Promise<void>
}>

/**
 * - `open`: what can be said without reading the log: that it reaches as far as it did, that its last block is as it was
 *   written, and that the tree kept beside it has the root of the last checkpoint, which is signed.
 * - `tree`: every block is as it was written, and the tree over the hashes it stores has that root.
 * - `full`: besides, every hash is that of its entry, recomputed, and every entry links to the one before.
 */
export type VerifyLevel = 'open' | 'tree' | 'full'

export type VerifyOptions = Readonly<{
  /** Default `full`. */
  level?: VerifyLevel
  /**
   * Go on where the last verification of this level was when it was aborted. What it had seen is not read again: to
   * be used when little time lies between.
   */
  resume?: boolean
  onProgress?: (progress: VerifyProgress) => void
  signal?: AbortSignal
}>

export type VerifyProgress = Readonly<{ verified: number; total: number }>

/** What a verification can look at. */
export type VerifyCheck =
  /** The log reaches as far as it is known to. */
  | 'end'
  /** Blocks match their digests: the last one at level `open`, else all. */
  | 'blocks'
  /** The roots of tiles that are kept beside the log are those of its hashes. */
  | 'tree'
  /** Every entry's hash, recomputed from its content. */
  | 'entries'
  /** Every entry links to the one before in its stream. */
  | 'links'
  /** No event is without its content but those that are listed as erased, and none of those has it. */
  | 'erasures'
  /** The log begins with what its last checkpoint says: as many entries, with this root. */
  | 'checkpoint'
  /** The last checkpoint bears a signature of the key that this device signs with. */
  | 'signature'

type VerifyScope = Readonly<{
  level: VerifyLevel
  checked: readonly VerifyCheck[]
  /** What was left out: by the level, or because there is no checkpoint, or no signature on it. */
  unchecked: readonly VerifyCheck[]
}>

/** Where the bytes of an entry are that do not hold. */
export type BytePlace = Readonly<{
  /** The block, by its positions. */
  firstPosition: GlobalPosition
  lastPosition: GlobalPosition
  /** Bytes of it, the end excluded: the entry's data where that can be told, or else all of the block. */
  start: number
  end: number
}>

/** What {@link EventStore.verify} found. `at` is the first position that does not hold. */
export type VerifyReport =
  | (VerifyScope &
      Readonly<{
        ok: true
        /** Of the application, among the entries that were looked at. */
        events: number
        headPosition: GlobalPosition
        /** RFC 6962 root over the whole log. */
        rootHash: Hash
      }>)
  | (VerifyScope &
      Readonly<{
        ok: false
        at: GlobalPosition
        problem: VerifyProblem
        /** In words, with what was expected and what was found. */
        detail: string
        /** The event at that position, where its block can be read. */
        eventId: string | null
        place: BytePlace | null
        /** Entries that hold, before `at`. */
        verified: number
      }>)

export type ExportOptions = Readonly<{
  /** Told behind each part. */
  onProgress?: (progress: ExportProgress) => void
}>

/** In entries of the log. */
export type ExportProgress = Readonly<{ exported: number; total: number }>

export type ExportProofOptions = Readonly<{
  /** False leaves out what is in the event: its data, tags and metadata. Default true. */
  content?: boolean
}>

export type VerifyProblem =
  | 'hash-mismatch'
  | 'broken-link'
  | 'gap'
  | 'truncated'
  | 'unreadable'
  | 'tree-mismatch'
  | 'erasure-mismatch'
  | 'checkpoint-mismatch'
  | 'bad-signature'

export interface EventStore {
  /**
   * Appends events to one stream, all or none. Resolves when they are durable. A page takes in more than a few
   * hundred events in slices: leave them as they are until then.
   *
   * The same event ids again are idempotent: nothing is written, the result is the first one's.
   *
   * @throws `VersionConflict` when the stream is not at the expected version; `InvalidEvent` with the path of a
   * value that the log cannot carry; `StoreError` `id-conflict` when some of the ids are recorded already with
   * other content or elsewhere, `unknown-merge`; `StorageFailed`.
   */
  appendToStream<E extends Event>(
    streamName: string,
    events: readonly E[],
    options?: AppendOptions,
  ): Promise<AppendResult>

  /**
   * Appends to several streams, all or none, in the order given. A stream may be named more than once.
   *
   * @throws as {@link appendToStream}; a `VersionConflict` lists every violated expectation.
   */
  appendToStreams(
    appends: readonly StreamAppend[],
    options?: AppendToStreamsOptions,
  ): Promise<readonly AppendResult[]>

  readStream<E extends Event>(streamName: string, options?: ReadStreamOptions): Promise<ReadStreamResult<E>>

  /** All events of all streams in order of position, read as the caller iterates. */
  readAll<E extends Event>(options?: ReadAllOptions): AsyncIterable<RecordedEvent<E>>

  streamExists(streamName: string): Promise<boolean>

  /** Folds a stream where the caller is. For live state use a projection: it folds in the worker. */
  aggregateStream<S, E extends Event>(
    streamName: string,
    fold: Readonly<{ evolve: Evolve<S, E>; initialState: () => S }>,
  ): Promise<Readonly<{ state: S; currentStreamVersion: StreamVersion; streamExists: boolean }>>

  /**
   * Calls `onEvent` for each event as it was recorded, in order of position, one at a time, first those there are, then
   * those that come. At least once: an event that sync rebased comes again, with the same id, at its new position.
   * An `onEvent` that throws or rejects ends the subscription; see {@link SubscribeOptions.onDropped}.
   */
  subscribe<E extends Event>(
    onEvent: (event: RecordedEvent<E>) => void | Promise<void>,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  /**
   * Amends a stream by appending to it: from then on its events count in another order, with some put in, replaced or
   * left out, for reads and folds on every replica. What was recorded stays as it is. All changes, in the order given,
   * or none; a later one may name events of an earlier one.
   *
   * The same `amendmentId` again is idempotent.
   *
   * @throws `VersionConflict`; `StoreError` `unknown-event` for an event that does not count in this stream,
   * `invalid-argument` for no change, more than 10,000, or a reason that is too long; as {@link appendToStream} for the
   * events put in.
   */
  amendStream(
    streamName: string,
    amendments: readonly Amendment[],
    options: AmendOptions,
  ): Promise<AppendResult>

  /** The amendments of a stream that count, oldest first. */
  amendments(streamName: string): Promise<readonly RecordedAmendment[]>

  /**
   * Takes out what is in an event: data, tags and metadata, out of the log, snapshots and whatever else is stored, here
   * and, with the next sync, on the server and every other replica. That it was there, its type, its stream and its time
   * stay, and so do all proofs. From then on it is left out of reads, subscriptions and folds. Resolves when it is gone
   * here.
   *
   * @throws `StoreError` `unknown-event` for an id that the log has not, `invalid-argument` for a reason of more than
   * 1,024 characters; `LogDamaged`.
   */
  eraseEvent(eventId: string, options?: EraseOptions): Promise<Erasure>

  /**
   * As {@link eraseEvent}, all events whose metadata has `value` under `key`, such as `('customerId', 'c-17')`: those
   * that the log has now. Reads the whole log.
   */
  eraseSubject(key: string, value: string, options?: EraseOptions): Promise<Erasure>

  /** What was erased in this store, by whichever replica, oldest first. */
  erasures(): Promise<readonly Erasure[]>

  /**
   * Reads the log from its storage and says whether it is what was written: by default with every hash recomputed and
   * every link followed. The report says what was looked at, and what was not.
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>

  /**
   * Proves to an outsider that the event stands in the log, by the Merkle tree (RFC 6962) over the log's first
   * `treeSize` entries: all of them where it is left out. `streamdingo/integrity` checks it, as does any other
   * implementation.
   *
   * @throws `StoreError` `unknown-event` for an id that the log has not; `invalid-argument` for a tree that does not
   * hold the event, or is larger than the log; `LogDamaged`.
   */
  proveInclusion(eventId: string, treeSize?: number): Promise<InclusionProof>

  /**
   * Proves that the log of `size1` entries is the beginning of that of `size2`, of today's where it is left out: that
   * nothing in it was changed since.
   *
   * @throws `StoreError` `invalid-argument` unless 1 <= size1 <= size2 <= entries of the log; `LogDamaged`.
   */
  proveConsistency(size1: number, size2?: number): Promise<ConsistencyProof>

  /**
   * What the log is now, in words that can be signed, kept and compared: its size and its Merkle root. The same again
   * while nothing is appended. Look at its `signing`: where nobody can sign, it says why.
   *
   * @throws `LogDamaged` when the log does not go on from its last checkpoint: something in it was changed or cut off.
   */
  checkpoint(): Promise<LogCheckpoint>

  /**
   * A proof as a text that anybody can check offline: the event, its place in the log, and a signed checkpoint of the
   * log above it (c2sp.org/tlog-proof). `verifyExportedProof` of `streamdingo/integrity` checks it.
   *
   * @throws `StoreError` `unknown-event`; `not-signed` where this device cannot sign; `LogDamaged`.
   */
  exportProof(eventId: string, options?: ExportProofOptions): Promise<string>

  close(): Promise<void>
}
