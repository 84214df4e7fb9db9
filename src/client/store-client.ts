// The store as the page sees it: typed by the app.

import type { Event, GlobalPosition } from '../log/event.ts'
import type { ExpectedStreamVersion } from '../log/expected-version.ts'
import type { App, CommandOf, DecidersOf, MergeNameOf, ProjectionsOf, StateOf } from '../model/app.ts'
import type {
  AppendOptions,
  AppendResult,
  AppendToStreamsOptions,
  EventStore,
  ExportOptions,
  StreamAppend,
} from '../model/event-store.ts'
import type { IntegrityStatus, QuarantinedBlock } from '../model/integrity-status.ts'
import type { ReplayExplanation, ReplayReport } from '../model/replay-report.ts'
import type { HashedSnapshot } from '../model/snapshot.ts'
import type { StorageStatus } from '../model/storage-status.ts'
import type { EventProgress, Rejection, SyncStatus, WhenConfirmedOptions } from '../model/sync-status.ts'
import type { KeysControl } from './keys-control.ts'
import type { ProjectionControl } from './projection-control.ts'
import type { Readable } from './readable.ts'
import type { View } from './views.ts'
import type { StoreHealth } from './worker-link.ts'

export type ExecuteOptions = Readonly<{
  /** Default: whatever version the stream has when the command is decided. */
  expectedStreamVersion?: ExpectedStreamVersion
  /** How often to decide again when another writer was first. Default 10; 0 with an expected version. */
  retries?: number
  /** UUID of the attempt, to try again safely: the same one is answered with the result of the first. */
  commandId?: string
}>

export type ExecuteResult<S> = AppendResult & Readonly<{ state: S }>

/** Names of the deciders or projections of an app. */
export type NameIn<T> = keyof T & string

/** A store, opened by a page. Commands, documents and states have the types of the app that the worker serves. */
export interface StoreClient<A extends App> extends EventStore {
  readonly storeId: string
  /** Keys that events are encrypted with. */
  readonly keys: KeysControl

  appendToStream<E extends Event>(
    streamName: string,
    events: readonly E[],
    options?: AppendOptions<MergeNameOf<A>>,
  ): Promise<AppendResult>

  appendToStreams(
    appends: readonly StreamAppend[],
    options?: AppendToStreamsOptions<MergeNameOf<A>>,
  ): Promise<readonly AppendResult[]>

  /**
   * Has a decider of the app decide on a command, and appends what it returns. Decided again when another writer
   * was first.
   *
   * @throws `StoreError` `command-refused` with the decider's reason; `VersionConflict` when the retries are
   * used up; as `appendToStream`.
   */
  execute<N extends NameIn<DecidersOf<A>>>(
    decider: N,
    id: string,
    command: CommandOf<DecidersOf<A>[N]>,
    options?: ExecuteOptions,
  ): Promise<ExecuteResult<StateOf<DecidersOf<A>[N]>>>

  /** A live document. The same object for the same document, so that it may be asked for at each render. */
  view<N extends NameIn<ProjectionsOf<A>>>(
    projection: N,
    documentId: string,
  ): View<StateOf<ProjectionsOf<A>[N]>>

  projection<N extends NameIn<ProjectionsOf<A>>>(
    name: N,
  ): Readonly<{
    /** The document now, with the hash of its state; null without events. */
    get: (documentId: string) => Promise<HashedSnapshot<StateOf<ProjectionsOf<A>[N]>> | null>
    /**
     * What folding the document would take if nothing of it were in memory, as after the next start: how much, from
     * where, and why.
     */
    explain: (documentId: string) => Promise<ReplayExplanation>
  }> &
    ProjectionControl

  decider<N extends NameIn<DecidersOf<A>>>(
    name: N,
  ): Readonly<{
    /** As that of a projection, for the state that commands are decided on. */
    explain: (id: string) => Promise<ReplayExplanation>
  }>

  /** A read model that the worker serves: its rows are in the application's own database. */
  readModel(name: string): ProjectionControl

  /**
   * How many events of each type the store has, as they were recorded: what the build plugin needs to tell the cost of a
   * changed handler. Reads the whole log.
   */
  typeCounts(): Promise<Readonly<Record<string, number>>>

  /** What was folded from a snapshot or from the first event since the worker started, the latest 200, the last one last. */
  replayReports(): Promise<readonly ReplayReport[]>

  readonly sync: SyncControl

  /** Pending commits that the server's events made impossible, until they are acknowledged. */
  rejections(): Promise<readonly Rejection[]>
  acknowledgeRejection(id: string): Promise<void>

  /**
   * The whole log as one file: every entry with what this device keeps beside it, and a checkpoint over all of it, for a
   * backup. `npx streamdingo verify` checks it. Read as it is consumed; what is appended meanwhile is not in it.
   *
   * Reading fails with `LogDamaged` where something cannot be read.
   */
  export(options?: ExportOptions): ReadableStream<Uint8Array<ArrayBuffer>>

  /** What became of this replica's log: its last checkpoint, and what should not have happened to it. */
  integrity(): Readable<IntegrityStatus>
  acknowledgeVerdict(id: string): Promise<void>
  /** Stored blocks that could not be read whole when the log was begun anew: for a backup, or a report. */
  quarantine(): Promise<readonly QuarantinedBlock[]>

  /**
   * How much room there is, and whether the browser may evict what is stored. What was evicted is told by `integrity()` as
   * `wiped`.
   */
  storage(): Readable<StorageStatus>

  /** Whether the worker answers and the storage holds. */
  health(): Readable<StoreHealth>
}

/** Sync of this replica, whichever tab does the syncing. */
export type SyncControl = Readonly<{
  status: () => Readable<SyncStatus>
  /** `false` stops sync in all tabs of this store, until `true`. The browser's own word is heeded beside it. */
  setOnline: (online: boolean) => Promise<void>
  /** A fresh bearer token. Takes sync up again where the server had refused the last one. */
  setToken: (token: string) => Promise<void>
  /** Sync now instead of at the next hint or retry. */
  poke: () => Promise<void>
  /**
   * How far events have come, by their ids, in one call for thousands of them; null for an id that the log has not. Ask
   * again when the status changes.
   *
   * @throws `StoreError` `invalid-argument` for what is no id.
   */
  progressOf: (eventIds: readonly string[]) => Promise<readonly (EventProgress | null)[]>
  /**
   * Resolves when the server has all of these events: by their ids (a command's first one has its `commandId`), or the one
   * that was appended at a position, wherever a rebase has moved it since.
   *
   * @throws `StoreError` `event-dropped` as soon as one was rejected or does not count any more, `not-confirmed` when the
   * time is over, `unknown-event`, `aborted`.
   */
  whenConfirmed: (events: readonly string[] | GlobalPosition, options?: WhenConfirmedOptions) => Promise<void>
}>
