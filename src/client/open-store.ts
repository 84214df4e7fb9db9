// Opens a store from the page: starts the worker, shakes hands, hands out the client.

import { StoreError } from '../log/errors.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import type { App } from '../model/app.ts'
import type { ImportProgress } from '../model/import.ts'
import type { IntegrityStatus } from '../model/integrity-status.ts'
import type { SyncStatus } from '../model/sync-status.ts'
import { errorFromWire } from '../protocol/wire-error.ts'
import type { PageApi, PageValues } from '../protocol/worker-api.ts'
import { readAnchor, writeAnchor } from './anchors.ts'
import { Cell, callSafely } from './readable.ts'
import { StorageRoom } from './storage-room.ts'
import type { StoreClient } from './store-client.ts'
import { Subscriptions } from './subscriptions.ts'
import { Verifications } from './verifications.ts'
import { Views } from './views.ts'
import { WorkerLink, type WorkerSource } from './worker-link.ts'
import { WorkerStoreClient } from './worker-store-client.ts'
import { WriteQueue } from './write-queue.ts'

export type OpenStoreOptions = Readonly<{
  /** Which store of the application: part of the chain, so replicas that sync must use the same one. */
  storeId: string
  sync?: Readonly<{
    /** Handed to the worker's `sync` and `storage` options, as is the token. */
    url?: string
    token?: string
    /**
     * Which streams of the store this device holds: patterns, each a whole name or the beginning of names with a `*` at
     * its end, such as `['cart-*', 'settings']`. Left out: all. With another choice than before, the one before stays until
     * all of it is confirmed and the server answers; then what matches is pulled anew.
     */
    streams?: readonly StreamPattern[]
    /**
     * Asked for a token when there is none, and when the server refuses the last one: once for all who wait, in the tab
     * that syncs, and again after a while where it throws. Null stops sync until `store.sync.setToken`, so whoever has
     * to ask a person first returns null. What is pending waits meanwhile.
     */
    renewToken?: () => string | null | Promise<string | null>
  }>
  /**
   * For a store that fails with `log-damaged`: begins its log anew. Pending commits that can be read whole stay, under the
   * same ids; what can be read of others is told by `store.rejections()`; what cannot be read is set aside
   * (`store.quarantine()`); what the server has confirmed comes again with sync. Without a server, everything is
   * pending. Other tabs must open the store again.
   */
  restore?: boolean
  /**
   * Opens the store with the log of a file that `store.export()` gave, of this store on this or another device. The
   * whole file is verified before anything is written. What was pending stays so, under the same ids.
   */
  importFrom?: ImportOptions
  /**
   * Asks the browser, once a page and behind its first write, not to evict what is stored (`navigator.storage.persist()`).
   * Chromium and Safari decide by themselves, Firefox asks the user. Default true.
   */
  persistStorage?: boolean
  /**
   * Freezes the states of views, here and in the worker: code that changes one in place, such as a handler that pushes
   * into an array of its state, then throws where it does. For development: `freeze: import.meta.env.DEV`.
   */
  freeze?: boolean
  /** How long the worker may take to answer a call, in milliseconds. Default 30,000. */
  callTimeoutMs?: number
}>

export type ImportOptions = Readonly<{
  /** A `File` that was picked, or any other blob. */
  file: Blob
  /**
   * Puts it in the place of events that the store has. What of them is pending is lost, what the server has comes again.
   * Default false: then a store with events refuses, and the error says how many are pending.
   */
  replace?: boolean
  onProgress?: (progress: ImportProgress) => void
  /** Ends it, unless the file has taken its place already: then the store opens. */
  signal?: AbortSignal
}>

/**
 * Opens a store that a worker serves with `serveStore`. Given a function that makes the worker, a worker that dies
 * is replaced and what it had not answered is asked again; given a worker, calls then reject with `worker-died`.
 *
 * With a `SharedWorker`, pages share one open store. Not every browser has it, and pages with a worker of their own get
 * along with them:
 *
 * ```ts
 * const url = new URL('./store-worker.ts', import.meta.url)
 * openStore(
 *   hung =>
 *     'SharedWorker' in globalThis
 *       ? new SharedWorker(url, { type: 'module', name: `store-${RELEASE}-${hung}` })
 *       : new Worker(url, { type: 'module' }),
 *   { storeId },
 * )
 * ```
 *
 * @throws `StorageFailed` or `LogDamaged` when the worker cannot open the store; `StoreError` `worker-died` or
 * `worker-timeout` when there is no worker to answer; `worker-mismatch` for a worker of another release, or a shared one in
 * which another page has this store open in another way; `import-refused` with the `problem` of a file that is not taken in,
 * `aborted`.
 */
export async function openStore<A extends App>(
  worker: WorkerSource,
  {
    storeId,
    sync,
    restore,
    importFrom,
    persistStorage = true,
    freeze = false,
    callTimeoutMs = 30_000,
  }: OpenStoreOptions,
): Promise<StoreClient<A>> {
  const { renewToken, ...syncValues } = sync ?? {}
  const values: { -readonly [K in keyof PageValues]: PageValues[K] } = { storeId, ...syncValues }
  if (restore) values.restore = true
  if (importFrom) values.importFrom = checkedImport(importFrom, restore)
  if (freeze) values.freeze = true
  const syncStatus = new Cell<SyncStatus>(NOT_YET)
  const integrity = new Cell<IntegrityStatus>({ checkpoint: null, witnessed: null, verdicts: [] })
  const page: PageApi = {
    ping: async () => {},
    deliver: delivery => subscriptions.deliver(delivery),
    dropped: async (subscriptionId, error) => subscriptions.dropped(subscriptionId, error),
    showView: update => views.show(update),
    accepted: async (acceptId, results) => writes.accepted(acceptId, results),
    syncStatus: async status => {
      if (isSame(status, syncStatus.getSnapshot())) return
      syncStatus.set(status)
      if (status.error) room.failed(errorFromWire(status.error))
      room.grew()
    },
    integrityStatus: async status => {
      if (!isSame(status, integrity.getSnapshot())) integrity.set(status)
    },
    async freshToken() {
      const token = (await renewToken?.()) ?? null
      if (token !== null) keepToken(token)
      return token
    },
    readAnchor,
    writeAnchor,
    progress: async (callId, progress) => verifications.progress(callId, progress),
    importProgress: async progress => callSafely(() => importFrom?.onProgress?.(progress)),
    storageLost: async error => link.storageLost(errorFromWire(error)),
  }
  // A worker that takes the place of another begins with the newest.
  const keepToken = (token: string) => {
    values.token = token
  }
  const room = new StorageRoom({
    keeper: globalThis.navigator?.storage,
    asks: persistStorage,
    now: () => performance.now(),
  })
  const link = new WorkerLink({ source: worker, values, page, callTimeoutMs })
  const views = new Views(link, freeze)
  const subscriptions = new Subscriptions(link)
  const verifications = new Verifications(link)
  const writes = new WriteQueue(link)
  const connected = await link.open(importFrom?.signal)
  // Once: a worker that is replaced later opens what there is.
  delete values.restore
  delete values.importFrom
  syncStatus.set(connected.syncStatus)
  integrity.set(connected.integrityStatus)
  void room.look()
  catchUpWhenShown(link)
  passOnNetwork(link)
  const feeds = { views, subscriptions, verifications, writes, syncStatus, integrity, room }
  return new WorkerStoreClient<A>({ storeId, link, keepToken, ...feeds })
}

/** @throws `StoreError` `invalid-argument`, `aborted`: before a worker is started. */
function checkedImport({ file, replace = false, signal }: ImportOptions, restore?: boolean) {
  if (restore) throw new StoreError('invalid-argument', 'A log is restored or imported, not both')
  if (!(file instanceof Blob)) throw new StoreError('invalid-argument', 'importFrom.file must be a Blob')
  if (signal?.aborted) throw new StoreError('aborted', 'The import was aborted')
  return { file, replace }
}

const NOT_YET: SyncStatus = {
  phase: 'off',
  pending: 0,
  oldestPendingAt: null,
  rejected: 0,
  serverPosition: 0,
  unsentErasures: 0,
  lastContactAt: null,
  retryAt: null,
  error: null,
}

/** A status comes again as a sign of life, which is no change. */
function isSame<T>(a: T, b: T): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Hints of other tabs do not reach a page that was frozen. */
function catchUpWhenShown(link: WorkerLink): void {
  if (typeof document === 'undefined') return
  const catchUp = () => {
    if (!document.hidden) link.tell(worker => worker.catchUp())
  }
  document.addEventListener('visibilitychange', catchUp, { signal: link.ended })
  addEventListener('pageshow', catchUp, { signal: link.ended })
}

/** Chromium fires no such events in workers (https://crbug.com/114475): a store that was opened offline would stay so. */
function passOnNetwork(link: WorkerLink): void {
  if (typeof document === 'undefined') return
  const tell = () => link.tell(worker => worker.networkChanged())
  for (const type of ['online', 'offline']) addEventListener(type, tell, { signal: link.ended })
}
