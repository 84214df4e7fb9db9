// The store as the page sees it, every call answered by the worker.

import { isStoreError, StoreError } from '../log/errors.ts'
import type { Event, RecordedEvent } from '../log/event.ts'
import { checkName } from '../log/event-batch.ts'
import { newEventId } from '../log/event-id.ts'
import { isExpectedStreamVersion } from '../log/expected-version.ts'
import { jsonTextOf } from '../log/json-text.ts'
import type { ConsistencyProof, InclusionProof, LogCheckpoint } from '../log/proofs.ts'
import type { Amendment, AmendOptions, RecordedAmendment } from '../model/amendment.ts'
import type { App, CommandOf, DecidersOf, Evolve, ProjectionsOf, StateOf } from '../model/app.ts'
import { encodeAmendments } from '../model/encode-amendments.ts'
import type { EraseOptions, Erasure } from '../model/erasure.ts'
import type {
  AppendOptions,
  AppendResult,
  AppendToStreamsOptions,
  ExportOptions,
  ExportProofOptions,
  ReadAllOptions,
  ReadStreamOptions,
  ReadStreamResult,
  StreamAppend,
  SubscribeOptions,
  Subscription,
  VerifyOptions,
  VerifyReport,
} from '../model/event-store.ts'
import { evolveState } from '../model/evolve.ts'
import type { IntegrityStatus, QuarantinedBlock } from '../model/integrity-status.ts'
import type { ReplayReport } from '../model/replay-report.ts'
import type { HashedSnapshot } from '../model/snapshot.ts'
import type { StorageStatus } from '../model/storage-status.ts'
import type { Rejection, SyncStatus } from '../model/sync-status.ts'
import type { ExecuteCall } from '../protocol/worker-api.ts'
import { type KeysControl, keysControlOf } from './keys-control.ts'
import { exportStream } from './log-export.ts'
import { readAllPages, readWholeStream } from './paged-reads.ts'
import { type ProjectionControl, projectionControlOf } from './projection-control.ts'
import type { Readable } from './readable.ts'
import type { StorageRoom } from './storage-room.ts'
import type { ExecuteOptions, ExecuteResult, NameIn, StoreClient, SyncControl } from './store-client.ts'
import type { EventHandler, Subscriptions } from './subscriptions.ts'
import { syncControlOf } from './sync-control.ts'
import type { Verifications } from './verifications.ts'
import type { View, Views } from './views.ts'
import { withIds } from './with-ids.ts'
import type { StoreHealth, WorkerLink } from './worker-link.ts'
import type { WriteQueue } from './write-queue.ts'

type ClientParts = Readonly<{
  storeId: string
  link: WorkerLink
  /** For a worker that takes the place of this one. */
  keepToken: (token: string) => void
  views: Views
  subscriptions: Subscriptions
  verifications: Verifications
  writes: WriteQueue
  syncStatus: Readable<SyncStatus>
  integrity: Readable<IntegrityStatus>
  room: StorageRoom
}>

/** The casts to `A` rest on the worker's serving the app that the page names as its type. */
export class WorkerStoreClient<A extends App> implements StoreClient<A> {
  readonly storeId: string
  readonly sync: SyncControl
  readonly keys: KeysControl
  readonly #parts: ClientParts
  readonly #link: WorkerLink
  readonly #writes: WriteQueue

  constructor(parts: ClientParts) {
    const { storeId, link, syncStatus, keepToken } = parts
    this.#parts = parts
    this.#link = link
    this.#writes = parts.writes
    this.storeId = storeId
    this.keys = keysControlOf(link)
    this.sync = syncControlOf(link, { status: syncStatus, keepToken })
  }

  async appendToStream<E extends Event>(
    streamName: string,
    events: readonly E[],
    { expectedStreamVersion, onAccepted, ...options }: AppendOptions = {},
  ): Promise<AppendResult> {
    const append = {
      streamName,
      events,
      ...(expectedStreamVersion !== undefined && { expectedStreamVersion }),
    }
    const [result] = await this.appendToStreams([append], {
      ...options,
      ...(onAccepted && { onAccepted: ([accepted]) => onAccepted(accepted!) }),
    })
    return result!
  }

  async appendToStreams(
    appends: readonly StreamAppend[],
    options: AppendToStreamsOptions = {},
  ): Promise<readonly AppendResult[]> {
    if (appends.length === 0) return []
    for (const append of appends) checkAppend(append)
    return this.#parts.room.watch(this.#writes.append(appends, options))
  }

  async execute<N extends NameIn<DecidersOf<A>>>(
    decider: N,
    id: string,
    command: CommandOf<DecidersOf<A>[N]>,
    { commandId = newEventId(), ...options }: ExecuteOptions = {},
  ): Promise<ExecuteResult<StateOf<DecidersOf<A>[N]>>> {
    const call: ExecuteCall = {
      type: 'execute',
      decider,
      id,
      command: jsonTextOf(command, 'command'),
      commandId,
      ...options,
    }
    const answer = await this.#parts.room.watch(this.#writes.execute(call))
    return answer as ExecuteResult<StateOf<DecidersOf<A>[N]>>
  }

  async readStream<E extends Event>(
    streamName: string,
    options: ReadStreamOptions = {},
  ): Promise<ReadStreamResult<E>> {
    return (await readWholeStream(this.#link, streamName, options)) as ReadStreamResult<E>
  }

  readAll<E extends Event>(options: ReadAllOptions = {}): AsyncIterable<RecordedEvent<E>> {
    return readAllPages(this.#link, options) as AsyncIterable<RecordedEvent<E>>
  }

  async streamExists(streamName: string): Promise<boolean> {
    return (await this.#link.call(worker => worker.streamVersion(streamName))) > 0
  }

  async aggregateStream<S, E extends Event>(
    streamName: string,
    { evolve, initialState }: Readonly<{ evolve: Evolve<S, E>; initialState: () => S }>,
  ): Promise<Readonly<{ state: S; currentStreamVersion: number; streamExists: boolean }>> {
    const { events, ...stream } = await this.readStream<E>(streamName)
    const state = events.reduce((folded, event) => evolveState(evolve, folded, event), initialState())
    return { state, ...stream }
  }

  subscribe<E extends Event>(
    onEvent: (event: RecordedEvent<E>) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#parts.subscriptions.subscribe(onEvent as EventHandler, options)
  }

  view<N extends NameIn<ProjectionsOf<A>>>(
    projection: N,
    documentId: string,
  ): View<StateOf<ProjectionsOf<A>[N]>> {
    return this.#parts.views.view(projection, documentId) as View<StateOf<ProjectionsOf<A>[N]>>
  }

  projection<N extends NameIn<ProjectionsOf<A>>>(name: N) {
    return {
      ...projectionControlOf(this.#link, name),
      get: async (documentId: string) => {
        const snapshot = await this.#link.call(worker => worker.snapshot(name, documentId))
        return snapshot as HashedSnapshot<StateOf<ProjectionsOf<A>[N]>> | null
      },
      explain: (documentId: string) => this.#link.call(worker => worker.explain(name, documentId)),
    }
  }

  decider<N extends NameIn<DecidersOf<A>>>(name: N) {
    return { explain: (id: string) => this.#link.call(worker => worker.explainDecider(name, id)) }
  }

  readModel(name: string): ProjectionControl {
    return projectionControlOf(this.#link, name)
  }

  replayReports(): Promise<readonly ReplayReport[]> {
    return this.#link.call(worker => worker.replayReports())
  }

  typeCounts(): Promise<Readonly<Record<string, number>>> {
    return this.#link.call(worker => worker.typeCounts())
  }

  verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    return this.#parts.verifications.verify(options)
  }

  proveInclusion(eventId: string, treeSize?: number): Promise<InclusionProof> {
    return this.#link.call(worker => worker.proveInclusion(eventId, treeSize))
  }

  proveConsistency(size1: number, size2?: number): Promise<ConsistencyProof> {
    return this.#link.call(worker => worker.proveConsistency(size1, size2))
  }

  checkpoint(): Promise<LogCheckpoint> {
    return this.#link.call(worker => worker.checkpoint())
  }

  exportProof(eventId: string, options: ExportProofOptions = {}): Promise<string> {
    return this.#link.call(worker => worker.exportProof(eventId, options))
  }

  async amendStream(
    streamName: string,
    amendments: readonly Amendment[],
    options: AmendOptions,
  ): Promise<AppendResult> {
    const encoded = encodeAmendments(streamName, amendments, options)
    try {
      return await this.#parts.room.watch(this.#link.call(worker => worker.amend(encoded)))
    } catch (error) {
      const isAnswered = !isStoreError(error, 'worker-died') && !isStoreError(error, 'worker-timeout')
      throw isAnswered ? error : withIds(error, { amendmentId: encoded.amendmentId })
    }
  }

  amendments(streamName: string): Promise<readonly RecordedAmendment[]> {
    return this.#link.call(worker => worker.amendments(streamName))
  }

  eraseEvent(eventId: string, options: EraseOptions = {}): Promise<Erasure> {
    return this.#link.call(worker => worker.eraseEvent(eventId, options))
  }

  eraseSubject(key: string, value: string, options: EraseOptions = {}): Promise<Erasure> {
    return this.#link.call(worker => worker.eraseSubject(key, value, options))
  }

  erasures(): Promise<readonly Erasure[]> {
    return this.#link.call(worker => worker.erasures())
  }

  export(options: ExportOptions = {}): ReadableStream<Uint8Array<ArrayBuffer>> {
    return exportStream(this.#link, options)
  }

  rejections(): Promise<readonly Rejection[]> {
    return this.#link.call(worker => worker.rejections())
  }

  acknowledgeRejection(id: string): Promise<void> {
    return this.#link.call(worker => worker.acknowledgeRejection(id))
  }

  integrity(): Readable<IntegrityStatus> {
    return this.#parts.integrity
  }

  acknowledgeVerdict(id: string): Promise<void> {
    return this.#link.call(worker => worker.acknowledgeVerdict(id))
  }

  quarantine(): Promise<readonly QuarantinedBlock[]> {
    return this.#link.call(worker => worker.quarantine())
  }

  storage(): Readable<StorageStatus> {
    return this.#parts.room.status
  }

  health(): Readable<StoreHealth> {
    return this.#link.health
  }

  /** Writes that were asked for before are answered before; then the worker closes the log. */
  async close(): Promise<void> {
    await this.#writes.close()
    await this.#link.close()
  }
}

/** @throws `InvalidEvent`, `StoreError` `invalid-argument`: before anything is sent. */
function checkAppend({ streamName, expectedStreamVersion }: StreamAppend): void {
  checkName(streamName, 'streamName')
  if (expectedStreamVersion === undefined || isExpectedStreamVersion(expectedStreamVersion)) return
  const problem = `There is no expected version ${String(expectedStreamVersion)}`
  throw new StoreError('invalid-argument', problem, { streamName, expectedStreamVersion })
}
