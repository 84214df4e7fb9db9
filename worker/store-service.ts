// What the worker answers the page: every method of the port, over the parts that the composition root gives.

import { exportStart } from '../src/engine/backup/export-log.ts'
import type { EventLog } from '../src/engine/event-log.ts'
import { whenConfirmed } from '../src/engine/event-progress.ts'
import { readQuarantine } from '../src/engine/recovery/quarantine.ts'
import type { Followers } from '../src/engine/replay/followers.ts'
import type { Projector } from '../src/engine/replay/projector.ts'
import type { ReadModels } from '../src/engine/replay/read-models.ts'
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
import type { IntegrityWatch } from './integrity-watch.ts'
import { isWithin } from './is-within.ts'
import { createLatestSender } from './latest-sender.ts'
import { holdLifeLock } from './life-lock.ts'
import { readLogPage, readStreamPage } from './page-reads.ts'
import type { ReplayReports } from './replay-reports.ts'
import { replyOf } from './reply.ts'
import type { SubscriptionFeeds } from './subscription-feeds.ts'
import type { SyncSwitch } from './sync-role.ts'
import type { ViewFeeds } from './view-feeds.ts'

/** An open store with all that stands on it. */
export type StoreParts = Readonly<{
  log: EventLog
  projector: Pick<Projector, 'snapshot' | 'at' | 'explain'>
  followers: Followers
  readModels: Pick<ReadModels, 'process'> | null
  replays: ReplayReports
  views: ViewFeeds
  subscriptions: SubscriptionFeeds
  sync: SyncSwitch
  integrity: IntegrityWatch
  close: () => Promise<void>
}>

/** @param signal ends an import */
export type OpenParts = (values: PageValues, page: PageApi, signal: AbortSignal) => Promise<StoreParts>

export class StoreService implements WorkerApi {
  readonly #openParts: OpenParts
  readonly #verifying = new Map<number, AbortController>()
  #lifeLock: Promise<string | null> | null = null
  #page: PageApi | null = null
  #importing: AbortController | null = null
  #parts: Promise<StoreParts> | null = null

  constructor(openParts: OpenParts) {
    this.#openParts = openParts
  }

  connect(values: PageValues, page: PageApi): Promise<Reply<Connected>> {
    return replyOf(async () => {
      if (this.#parts) throw new StoreError('invalid-argument', 'This worker serves a store already')
      this.#lifeLock ??= holdLifeLock()
      // Held: Comlink closes the port of a proxy that is collected.
      this.#page = page
      this.#importing = new AbortController()
      this.#parts = this.#openParts(values, page, this.#importing.signal)
      try {
        const { sync, integrity } = await this.#parts
        return {
          lifeLock: await this.#lifeLock,
          syncStatus: sync.status(),
          integrityStatus: integrity.status(),
        }
      } catch (error) {
        this.#parts = null
        throw error
      }
    })
  }

  ping(): Promise<Reply<void>> {
    return replyOf(() => {})
  }

  write(message: WriteMessage): Promise<Reply<WriteAnswers>> {
    const page = this.#page
    const onAccepted: PageApi['accepted'] = async (...args) => page?.accepted(...args)
    return this.#reply(({ log }) => carryOutWrites(message, log, onAccepted))
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
    return this.#reply(({ log }) => log.amend(call))
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
      const tell = createLatestSender(async () => this.#page?.progress(callId, progress), cancelled.signal)
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
    return replyOf(() => this.#importing?.abort())
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
    return this.#reply(async ({ close }) => {
      // Another page may connect behind this one.
      this.#parts = null
      for (const cancelled of this.#verifying.values()) cancelled.abort()
      await close()
      this.#page = null
    })
  }

  #erase(work: (log: EventLog) => Promise<Erasure>): Promise<Reply<Erasure>> {
    return this.#reply(async ({ log, readModels, sync }) => {
      const erasure = await work(log)
      // What was erased is gone from the rows, too, when the call is answered.
      await readModels?.process()
      // The server is to be told.
      sync.poke()
      return erasure
    })
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
