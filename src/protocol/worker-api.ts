// The link between page and worker: what is asked, what is answered, and the handshake before the first call.

import type { OnConflict } from '../log/commit-note.ts'
import type { GlobalPosition, RecordedEvent, StreamVersion } from '../log/event.ts'
import type { OwnBatch } from '../log/event-batch.ts'
import type { ExpectedStreamVersion } from '../log/expected-version.ts'
import type { ConsistencyProof, InclusionProof, LogCheckpoint } from '../log/proofs.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import type { RecordedAmendment } from '../model/amendment.ts'
import type { EncodedAmendments } from '../model/encode-amendments.ts'
import type { KeyStatus } from '../model/encryption.ts'
import type { EraseOptions, Erasure } from '../model/erasure.ts'
import type {
  AppendResult,
  ExportProofOptions,
  ReadAllOptions,
  ReadStreamOptions,
  ReadStreamResult,
  SubscribeOptions,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
} from '../model/event-store.ts'
import type { ImportProgress } from '../model/import.ts'
import type { IntegrityStatus, QuarantinedBlock } from '../model/integrity-status.ts'
import type { Moment } from '../model/moment.ts'
import type { ProjectionStatus } from '../model/projection-status.ts'
import type { ReplayExplanation, ReplayReport } from '../model/replay-report.ts'
import type { HashedSnapshot, Snapshot } from '../model/snapshot.ts'
import type { EventProgress, Rejection, SyncStatus } from '../model/sync-status.ts'
import type { PackedResults } from './packed-results.ts'
import type { StatePatch } from './state-patch.ts'
import type { WireError } from './wire-error.ts'

/** Page and worker must agree on it: a cached worker script can be older than the page. */
export const WORKER_PROTOCOL = 11

/** Every call is answered with one of these; a call that rejects is a bug or a broken link. */
export type Reply<T> = Readonly<{ ok: true; value: T }> | Readonly<{ ok: false; error: WireError }>

/** Values that the page gives and the worker file may use: plain data. */
export type PageValues = Readonly<{
  storeId: string
  /** Where the sync server is. */
  url?: string
  /** Bearer token for the sync server. */
  token?: string
  /** Which streams of the store are synced; all where it is left out. */
  streams?: readonly StreamPattern[]
  /** Begin the log anew with what can be read of what is pending. */
  restore?: boolean
  /** Put the log of this file in the place of what is stored; without `replace` only where there are no events. */
  importFrom?: Readonly<{ file: Blob; replace: boolean }>
  /** Freeze states, so that who changes one in place finds out. */
  freeze?: boolean
}>

/** A part of an exported log, and the position of the last entry in it. */
export type LogFilePart = Readonly<{ bytes: Uint8Array<ArrayBuffer>; through: GlobalPosition }>

export type Connected = Readonly<{
  /** Name of a Web Lock that the worker holds as long as it lives; null where there are no Web Locks. */
  lifeLock: string | null
  syncStatus: SyncStatus
  integrityStatus: IntegrityStatus
}>

/** Takes the next `count` events of the message's batch. */
export type WireAppend = Readonly<{
  streamName: string
  expectedStreamVersion: ExpectedStreamVersion
  count: number
}>

export type AppendCall = Readonly<{
  type: 'append'
  appends: readonly WireAppend[]
  onConflict?: OnConflict
  /** Where the page wants to be told as soon as the events are judged: by `PageApi.accepted`. */
  acceptId?: number
}>

export type ExecuteCall = Readonly<{
  type: 'execute'
  decider: string
  id: string
  /** JSON text of the command. */
  command: string
  /** UUID of the attempt: the same one again is answered with the result of the first. */
  commandId: string
  expectedStreamVersion?: ExpectedStreamVersion
  retries?: number
}>

export type WriteCall = AppendCall | ExecuteCall

/** All writes of one tick. The events of all its appends stand in one batch, in order. */
export type WriteMessage = Readonly<{ calls: readonly WriteCall[]; batch: OwnBatch }>

export type ExecuteAnswer = AppendResult & Readonly<{ state: unknown }>

/** Each call is answered by itself. The results of appends stand apart, packed, in order of those that went well. */
export type WriteAnswers = Readonly<{
  answers: readonly (Reply<ExecuteAnswer> | AppendDone)[]
  results: PackedResults
}>

/** How many results an append has. */
export type AppendDone = number

/** Part of a read; where the stream was amended between two pages, they differ in when its order `changedAt`. */
export type StreamPage = ReadStreamResult & PageEnd & Readonly<{ changedAt: GlobalPosition }>
export type LogPage = Readonly<{ events: readonly RecordedEvent[] }> & PageEnd
/**
 * `more` says that the worker stopped because the page was full. `through`: version or position of the last place that was
 * read, all of it.
 */
export type PageEnd = Readonly<{ more: boolean; through: number }>

export type SubscribeCall = Readonly<{ subscriptionId: number }> &
  Pick<SubscribeOptions, 'streamName' | 'from'>

/** Events of a subscription in order, and what the subscription told behind the last of them. */
export type Delivery = Readonly<{
  subscriptionId: number
  events: readonly RecordedEvent[]
  notice: 'caught-up' | 'fell-behind' | null
  /** Position up to which every event is in this delivery or an earlier one, or was passed by. */
  position: GlobalPosition
}>

export type ViewUpdate = Readonly<{
  viewId: number
  /** Undefined where none could be had: what was shown before stays. */
  snapshot: Snapshot<unknown> | null | undefined
  /** In the place of the snapshot's state: what is different from the state that was shown before; null for nothing. */
  patch?: StatePatch | null
  /** Why there is no snapshot, or why it stands before an event that a handler failed on. */
  error: WireError | null
}>

/** Offered by the worker. */
export interface WorkerApi {
  /**
   * Must be the first call. Opens the store, or joins the pages that have it open in a shared worker.
   *
   * @param pageLock name of a Web Lock that the page holds as long as it is connected; null where it holds none
   */
  connect(values: PageValues, page: PageApi, pageLock: string | null): Promise<Reply<Connected>>
  ping(): Promise<Reply<void>>

  /** All writes of one tick of the page, taken in order. Each is answered by itself. */
  write(message: WriteMessage): Promise<Reply<WriteAnswers>>
  readStream(streamName: string, options: ReadStreamOptions): Promise<Reply<StreamPage>>
  readAll(options: ReadAllOptions): Promise<Reply<LogPage>>
  streamVersion(streamName: string): Promise<Reply<StreamVersion>>
  amend(call: EncodedAmendments): Promise<Reply<AppendResult>>
  amendments(streamName: string): Promise<Reply<readonly RecordedAmendment[]>>
  snapshot(projection: string, documentId: string): Promise<Reply<HashedSnapshot<unknown> | null>>

  documentAt(
    projection: string,
    documentId: string,
    moment: Moment,
  ): Promise<Reply<HashedSnapshot<unknown> | null>>
  explain(projection: string, documentId: string): Promise<Reply<ReplayExplanation>>
  explainDecider(decider: string, id: string): Promise<Reply<ReplayExplanation>>

  /** Of projections and of read models. */
  projectionStatus(name: string): Promise<Reply<ProjectionStatus>>
  /** False where it has not come so far within `waitMs`: to be asked again. */
  whenProcessed(name: string, position: GlobalPosition, waitMs: number): Promise<Reply<boolean>>
  resumeProjection(name: string): Promise<Reply<void>>
  skipEvent(name: string, eventId: string): Promise<Reply<void>>
  rebuildProjection(name: string): Promise<Reply<void>>

  /** The latest of this worker, the last one last. */
  replayReports(): Promise<Reply<readonly ReplayReport[]>>

  typeCounts(): Promise<Reply<Readonly<Record<string, number>>>>

  /** Answered with the position that the subscription starts behind. */
  subscribe(call: SubscribeCall): Promise<Reply<GlobalPosition>>
  unsubscribe(subscriptionId: number): Promise<Reply<void>>
  watchView(viewId: number, projection: string, documentId: string): Promise<Reply<void>>
  unwatchView(viewId: number): Promise<Reply<void>>

  /** Told of by `PageApi.progress`. */
  verify(callId: number, options: Pick<VerifyOptions, 'level' | 'resume'>): Promise<Reply<VerifyReport>>
  cancel(callId: number): Promise<Reply<void>>
  /** Ends an import that `connect` is about, unless it is done. */
  cancelImport(): Promise<Reply<void>>
  proveInclusion(eventId: string, treeSize: number | undefined): Promise<Reply<InclusionProof>>
  proveConsistency(size1: number, size2: number | undefined): Promise<Reply<ConsistencyProof>>
  checkpoint(): Promise<Reply<LogCheckpoint>>
  exportProof(eventId: string, options: ExportProofOptions): Promise<Reply<string>>

  /** How the file of the log as it is now begins, and how many entries it will have. */
  exportStart(): Promise<Reply<Readonly<{ bytes: Uint8Array<ArrayBuffer>; size: number }>>>
  /** The next bytes of a file of `size` entries, behind those of the first `after`; the file ends with the last of them. */
  exportPart(after: GlobalPosition, size: number): Promise<Reply<LogFilePart>>

  eraseEvent(eventId: string, options: EraseOptions): Promise<Reply<Erasure>>
  eraseSubject(key: string, value: string, options: EraseOptions): Promise<Reply<Erasure>>
  erasures(): Promise<Reply<readonly Erasure[]>>

  /** Answered when all is folded again that can be read now. */
  addKey(keyId: string, key: Uint8Array<ArrayBuffer> | CryptoKey): Promise<Reply<void>>
  destroyKey(keyId: string): Promise<Reply<void>>
  refreshKeys(): Promise<Reply<void>>
  listKeys(): Promise<Reply<readonly KeyStatus[]>>

  /** Reads what other tabs wrote: hints to a page that slept may have been lost. */
  catchUp(): Promise<Reply<void>>
  setOnline(online: boolean): Promise<Reply<void>>
  /** The network came or went: not every browser tells its workers. */
  networkChanged(): Promise<Reply<void>>
  setToken(token: string): Promise<Reply<void>>
  pokeSync(): Promise<Reply<void>>
  progressOf(eventIds: readonly string[]): Promise<Reply<readonly (EventProgress | null)[]>>
  eventIdAt(position: GlobalPosition): Promise<Reply<string>>
  /** False where not all are confirmed within `waitMs`: to be asked again. */
  whenConfirmed(eventIds: readonly string[], waitMs: number): Promise<Reply<boolean>>
  rejections(): Promise<Reply<readonly Rejection[]>>
  acknowledgeRejection(id: string): Promise<Reply<void>>
  acknowledgeVerdict(id: string): Promise<Reply<void>>
  quarantine(): Promise<Reply<readonly QuarantinedBlock[]>>

  /** Resolves when nothing is written any more. */
  close(): Promise<Reply<void>>
}

/** Offered by the page. The worker sends the next of a kind only when the last one was answered. */
export interface PageApi {
  /** A sign of life: a page that is frozen gives none. */
  ping(): Promise<void>
  /** Answered when every handler has run. `stop`: the page wants no more of this subscription. */
  deliver(delivery: Delivery): Promise<'continue' | 'stop'>
  /** The subscription ended in the worker. */
  dropped(subscriptionId: number, error: WireError): Promise<void>
  /** Answered in the frame in which the snapshot is shown. `whole`: there is no state that the patch is of. */
  showView(update: ViewUpdate): Promise<'continue' | 'whole' | 'stop'>
  /** The events of an append with this id are judged and linked, but not yet durable. */
  accepted(acceptId: number, results: readonly AppendResult[]): Promise<void>
  syncStatus(status: SyncStatus): Promise<void>
  integrityStatus(status: IntegrityStatus): Promise<void>
  /** A token to go on with: there is none, or the server refused the last one. Null when the page has no other. */
  freshToken(): Promise<string | null>
  /** Short texts that the page keeps for a worker that can keep nothing outside IndexedDB itself. */
  readAnchor(name: string): Promise<string | null>
  writeAnchor(name: string, text: string): Promise<void>
  progress(callId: number, progress: VerifyProgress): Promise<void>
  /** Of an import, while the worker connects. */
  importProgress(progress: ImportProgress): Promise<void>
  /** The storage ended on its own: the database was deleted, or another tab upgrades it. */
  storageLost(error: WireError): Promise<void>
}

/**
 * Posted outside Comlink. The worker says `ready` when it starts to serve, and in answer to each `hello`: whichever
 * side comes second is heard. `let-go` is the last that a page hears of a shared worker that had no sign of life of it: it
 * may connect again.
 */
export type Handshake =
  | Readonly<{ streamdingo: 'hello' | 'let-go' }>
  | Readonly<{ streamdingo: 'ready'; protocol: number }>

/** Null for any other message on the same port. */
export function readHandshake(data: unknown): Handshake | null {
  if (typeof data !== 'object' || data === null || !('streamdingo' in data)) return null
  if (data.streamdingo === 'hello' || data.streamdingo === 'let-go') return { streamdingo: data.streamdingo }
  if (data.streamdingo !== 'ready' || !('protocol' in data) || typeof data.protocol !== 'number') return null
  return { streamdingo: 'ready', protocol: data.protocol }
}
