// What the worker answers the page: every method of the port, over the parts that the composition root gives.

import { type ProxyMethods, releaseProxy } from 'comlink'
import { exportStart } from '../src/engine/backup/export-log.ts'
import type { EventLog } from '../src/engine/event-log.ts'
import { whenConfirmed } from '../src/engine/event-progress.ts'
import { readQuarantine } from '../src/engine/recovery/quarantine.ts'
import { countTypes } from '../src/engine/replay/type-counts.ts'
import { StoreError } from '../src/log/errors.ts'
import type { Erasure } from '../src/model/erasure.ts'
import type { VerifyProgress } from '../src/model/event-store.ts'
import type { HashedSnapshot } from '../src/model/snapshot.ts'
import type {
  Connected,
  PageApi,
  PageValues,
  Reply,
  WorkerApi,
  WriteAnswers,
  WriteMessage,
} from '../src/protocol/worker-api.ts'
import { carryOutWrites } from './carry-out-writes.ts'
import { isWithin } from './is-within.ts'
import { createLatestSender } from './latest-sender.ts'
import { readLogPage, readStreamPage } from './page-reads.ts'
import type { PageWatchOptions } from './page-watch.ts'
import { replyOf } from './reply.ts'
import type { StoreHost, StoreParts } from './store-host.ts'

export type StoreServiceOptions = Readonly<{
  host: StoreHost
  /** Of the worker. */
  lifeLock: () => Promise<string | null>
  /** Calls `onGone` when the page is gone. Left out where a worker ends with its page. */
  watch?: (options: PageWatchOptions) => void
  /** The page was let go: it may come back at another port. */
  onLetGo?: () => void
}>

/** One page, from when it connects until it has left. Held: Comlink closes the port of a proxy that is collected. */
type Stay = Readonly<{
  page: PageApi
  parts: Promise<StoreParts>
  importing: AbortController
  life: AbortController
}>

export class StoreService implements WorkerApi {
  readonly #options: StoreServiceOptions
  readonly #verifying = new Map<number, AbortController>()
  /** What the page writes and was not answered yet. */
  readonly #writing = new Set<Promise<unknown>>()
  #parts: Promise<StoreParts> | null = null
  /** Of the page that connected last. */
  #stay: Stay | null = null

  constructor(options: StoreServiceOptions) {
    this.#options = options
  }

  connect(values: PageValues, page: PageApi, pageLock: string | null): Promise<Reply<Connected>> {
    return replyOf(async () => {
      const { host, lifeLock, watch } = this.#options
      if (this.#parts) throw new StoreError('invalid-argument', 'This worker serves a store already')
      const importing = new AbortController()
      const parts = host.enter(values, page, importing.signal)
      const stay: Stay = { page, parts, importing, life: new AbortController() }
      this.#parts = parts
      this.#stay = stay
      watch?.({ page, lock: pageLock, onGone: () => this.#letGo(stay), signal: stay.life.signal })
      try {
        const { sync, integrity } = await parts
        return {
          lifeLock: await lifeLock(),
          syncStatus: sync.status(),
          integrityStatus: integrity.status(),
        }
      } catch (error) {
        this.#parts = null
        stay.life.abort()
        throw error
      }
    })
  }

  /** The port is closed at the other end. */
  portClosed(): void {
    if (this.#stay) this.#letGo(this.#stay)
  }

  ping(): Promise<Reply<void>> {
    return replyOf(() => {})
  }

  write(message: WriteMessage): Promise<Reply<WriteAnswers>> {
    const page = this.#stay?.page
    const onAccepted: PageApi['accepted'] = async (...args) => page?.accepted(...args)
    return this.#written(({ log }) => carryOutWrites(message, log, onAccepted))
  }

  readStream(
    ...[streamName, options]: Parameters<WorkerApi['readStream']>
  ): ReturnType<WorkerApi['readStream']> {
    return this.#reply(({ log }) => readStreamPage(log, streamName, options))
  }

  readAll(...[options]: Parameters<WorkerApi['readAll']>): ReturnType<WorkerApi['readAll']> {
    return this.#reply(({ log }) => readLogPage(log, options))
  }

  streamVersion(streamName: string): Promise<Reply<number>> {
    return this.#reply(({ log }) => log.streamVersion(streamName))
  }

  amend(...[call]: Parameters<WorkerApi['amend']>): ReturnType<WorkerApi['amend']> {
    return this.#written(({ log }) => log.amend(call))
  }

  amendments(streamName: string): ReturnType<WorkerApi['amendments']> {
    return this.#reply(({ log }) => log.amendments(streamName))
  }

  snapshot(projection: string, documentId: string): Promise<Reply<HashedSnapshot<unknown> | null>> {
    return this.#reply(({ projector }) => projector.snapshot(projection, documentId))
  }

  documentAt(...args: Parameters<WorkerApi['documentAt']>): ReturnType<WorkerApi['documentAt']> {
    return this.#reply(({ projector }) => projector.at(...args))
  }

  explain(...args: Parameters<WorkerApi['explain']>): ReturnType<WorkerApi['explain']> {
    return this.#reply(({ projector }) => projector.explain(...args))
  }

  explainDecider(
    ...[decider, id]: Parameters<WorkerApi['explainDecider']>
  ): ReturnType<WorkerApi['explainDecider']> {
    return this.#reply(({ log }) => log.explainDecider(decider, id))
  }

  projectionStatus(name: string): ReturnType<WorkerApi['projectionStatus']> {
    return this.#reply(({ followers }) => followers.status(name))
  }

  whenProcessed(
    ...[name, position, waitMs]: Parameters<WorkerApi['whenProcessed']>
  ): ReturnType<WorkerApi['whenProcessed']> {
    return this.#reply(({ followers }) =>
      isWithin(waitMs, signal => followers.whenProcessed(name, position, signal)),
    )
  }

  resumeProjection(name: string): Promise<Reply<void>> {
    return this.#reply(({ followers }) => followers.resume(name))
  }

  skipEvent(name: string, eventId: string): Promise<Reply<void>> {
    return this.#reply(({ followers }) => followers.skip(name, eventId))
  }

  rebuildProjection(name: string): Promise<Reply<void>> {
    return this.#reply(({ followers }) => followers.rebuild(name))
  }

  replayReports(): ReturnType<WorkerApi['replayReports']> {
    return this.#reply(({ replays }) => replays.list())
  }

  typeCounts(): ReturnType<WorkerApi['typeCounts']> {
    return this.#reply(({ log }) => countTypes(log))
  }

  subscribe(...[call]: Parameters<WorkerApi['subscribe']>): ReturnType<WorkerApi['subscribe']> {
    return this.#reply(({ subscriptions }) => subscriptions.subscribe(call))
  }

  unsubscribe(subscriptionId: number): Promise<Reply<void>> {
    return this.#reply(({ subscriptions }) => subscriptions.unsubscribe(subscriptionId))
  }

  watchView(viewId: number, projection: string, documentId: string): Promise<Reply<void>> {
    return this.#reply(({ views }) => views.watch(viewId, projection, documentId))
  }

  unwatchView(viewId: number): Promise<Reply<void>> {
    return this.#reply(({ views }) => views.unwatch(viewId))
  }

  verify(...[callId, options]: Parameters<WorkerApi['verify']>): ReturnType<WorkerApi['verify']> {
    return this.#reply(async ({ log, integrity }) => {
      const cancelled = new AbortController()
      this.#verifying.set(callId, cancelled)
      let progress: VerifyProgress = { verified: 0, total: 0 }
      const tell = createLatestSender(
        async () => this.#stay?.page.progress(callId, progress),
        cancelled.signal,
      )
      const onProgress = (latest: VerifyProgress) => {
        progress = latest
        tell()
      }
      try {
        const report = await log.verify({ ...options, onProgress, signal: cancelled.signal })
        integrity.verified(report)
        return report
      } finally {
        this.#verifying.delete(callId)
      }
    })
  }

  cancel(callId: number): Promise<Reply<void>> {
    return replyOf(() => this.#verifying.get(callId)?.abort())
  }

  cancelImport(): Promise<Reply<void>> {
    return replyOf(() => this.#stay?.importing.abort())
  }

  proveInclusion(
    ...[eventId, treeSize]: Parameters<WorkerApi['proveInclusion']>
  ): ReturnType<WorkerApi['proveInclusion']> {
    return this.#reply(({ log }) => log.proofs.proveInclusion(eventId, treeSize))
  }

  proveConsistency(
    ...[size1, size2]: Parameters<WorkerApi['proveConsistency']>
  ): ReturnType<WorkerApi['proveConsistency']> {
    return this.#reply(({ log }) => log.proofs.proveConsistency(size1, size2))
  }

  checkpoint(): ReturnType<WorkerApi['checkpoint']> {
    return this.#reply(({ log }) => log.proofs.checkpoints.make())
  }

  exportProof(...args: Parameters<WorkerApi['exportProof']>): ReturnType<WorkerApi['exportProof']> {
    return this.#reply(({ log }) => log.proofs.exportProof(...args))
  }

  exportStart(): ReturnType<WorkerApi['exportStart']> {
    return this.#reply(({ log }) => exportStart(log))
  }

  exportPart(...args: Parameters<WorkerApi['exportPart']>): ReturnType<WorkerApi['exportPart']> {
    return this.#reply(({ log }) => log.exportPart(...args))
  }

  eraseEvent(
    ...[eventId, options]: Parameters<WorkerApi['eraseEvent']>
  ): ReturnType<WorkerApi['eraseEvent']> {
    return this.#erase(({ erasures }) => erasures.erase([eventId], options))
  }

  eraseSubject(...args: Parameters<WorkerApi['eraseSubject']>): ReturnType<WorkerApi['eraseSubject']> {
    return this.#erase(({ erasures }) => erasures.eraseSubject(...args))
  }

  erasures(): ReturnType<WorkerApi['erasures']> {
    return this.#reply(({ log }) => log.erasures.list())
  }

  addKey(...[keyId, key]: Parameters<WorkerApi['addKey']>): Promise<Reply<void>> {
    return this.#changeKeys(({ keys }) => keys.add(keyId, key))
  }

  destroyKey(keyId: string): Promise<Reply<void>> {
    return this.#changeKeys(({ keys }) => keys.destroy(keyId))
  }

  refreshKeys(): Promise<Reply<void>> {
    return this.#changeKeys(({ keys }) => keys.refresh())
  }

  listKeys(): ReturnType<WorkerApi['listKeys']> {
    return this.#reply(({ log }) => log.keys.list())
  }

  catchUp(): Promise<Reply<void>> {
    return this.#reply(({ log }) => log.catchUp())
  }

  setOnline(online: boolean): Promise<Reply<void>> {
    return this.#reply(({ sync }) => sync.setOnline(online))
  }

  networkChanged(): Promise<Reply<void>> {
    return this.#reply(({ sync }) => sync.networkChanged())
  }

  setToken(token: string): Promise<Reply<void>> {
    return this.#reply(({ sync }) => sync.setToken(token))
  }

  pokeSync(): Promise<Reply<void>> {
    return this.#reply(({ sync }) => sync.poke())
  }

  progressOf(eventIds: readonly string[]): ReturnType<WorkerApi['progressOf']> {
    return this.#reply(({ log, sync }) => log.progressOf(eventIds, sync.pushed()))
  }

  eventIdAt(position: number): Promise<Reply<string>> {
    return this.#reply(({ log }) => log.eventIdAt(position))
  }

  whenConfirmed(eventIds: readonly string[], waitMs: number): Promise<Reply<boolean>> {
    return this.#reply(({ log }) => isWithin(waitMs, signal => whenConfirmed(eventIds, log, signal)))
  }

  rejections(): ReturnType<WorkerApi['rejections']> {
    return this.#reply(({ log }) => log.rejections())
  }

  acknowledgeRejection(id: string): Promise<Reply<void>> {
    return this.#reply(async ({ log, sync }) => {
      await log.acknowledgeRejection(id)
      // It counts them.
      sync.poke()
    })
  }

  acknowledgeVerdict(id: string): Promise<Reply<void>> {
    return this.#reply(({ integrity }) => integrity.acknowledge(id))
  }

  quarantine(): ReturnType<WorkerApi['quarantine']> {
    return this.#reply(({ log }) => readQuarantine(log.storage))
  }

  close(): Promise<Reply<void>> {
    return this.#reply(async ({ leave }) => {
      const { life } = this.#stay!
      // Another page may connect behind this one.
      this.#parts = null
      this.#cancelVerifying()
      await Promise.all(this.#writing)
      await leave(false)
      life.abort()
    })
  }

  /** The page is gone: nothing of it is kept, and nobody waits for it. */
  #letGo({ page, parts, importing, life }: Stay): void {
    if (life.signal.aborted) return
    life.abort()
    this.#parts = null
    this.#stay = null
    importing.abort()
    this.#cancelVerifying()
    const release = () => (page as Partial<ProxyMethods>)[releaseProxy]?.()
    parts.then(({ leave }) => leave(true)).then(release, release)
    this.#options.onLetGo?.()
  }

  #cancelVerifying(): void {
    for (const cancelled of this.#verifying.values()) cancelled.abort()
  }

  #erase(work: (log: EventLog) => Promise<Erasure>): Promise<Reply<Erasure>> {
    return this.#written(async ({ log, readModels, sync }) => {
      const erasure = await work(log)
      // What was erased is gone from the rows, too, when the call is answered.
      await readModels?.process()
      // The server is to be told.
      sync.poke()
      return erasure
    })
  }

  /** As {@link #reply}, and answered before the page has left. */
  #written<T>(work: (parts: StoreParts) => T | Promise<T>): Promise<Reply<T>> {
    const reply = this.#reply(work)
    this.#writing.add(reply)
    void reply.then(() => this.#writing.delete(reply))
    return reply
  }

  #changeKeys(work: (log: EventLog) => Promise<void>): Promise<Reply<void>> {
    return this.#reply(async ({ log, readModels, sync }) => {
      await work(log)
      // What cannot be read any more is gone from the rows, too, when the call is answered.
      await readModels?.process()
      // It may have stopped for want of a key.
      sync.poke()
    })
  }

  #reply<T>(work: (parts: StoreParts) => T | Promise<T>): Promise<Reply<T>> {
    return replyOf(async () => {
      if (!this.#parts) throw new StoreError('store-closed', 'The worker has no open store')
      return work(await this.#parts)
    })
  }
}
