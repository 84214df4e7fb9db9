// Opens a store from the page: starts the worker, shakes hands, hands out the client.

import type { App } from '../model/app.ts'
import type { IntegrityStatus } from '../model/integrity-status.ts'
import type { SyncStatus } from '../model/sync-status.ts'
import { errorFromWire } from '../protocol/wire-error.ts'
import type { PageApi, PageValues } from '../protocol/worker-api.ts'
import { readAnchor, writeAnchor } from './anchors.ts'
import { Cell } from './readable.ts'
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
   * Freezes the states of views, here and in the worker: code that changes one in place, such as a handler that pushes
   * into an array of its state, then throws where it does. For development: `freeze: import.meta.env.DEV`.
   */
  freeze?: boolean
  /** How long the worker may take to answer a call, in milliseconds. Default 30,000. */
  callTimeoutMs?: number
}>

/**
 * Opens a store that a worker serves with `serveStore`. Given a function that makes the worker, a worker that dies
 * is replaced and what it had not answered is asked again; given a worker, calls then reject with `worker-died`.
 *
 * @throws `StorageFailed` or `LogDamaged` when the worker cannot open the store; `StoreError` `worker-died` or
 * `worker-timeout` when there is no worker to answer.
 */
export async function openStore<A extends App>(
  worker: WorkerSource,
  { storeId, sync, restore, freeze = false, callTimeoutMs = 30_000 }: OpenStoreOptions,
): Promise<StoreClient<A>> {
  const { renewToken, ...syncValues } = sync ?? {}
  const values: { -readonly [K in keyof PageValues]: PageValues[K] } = { storeId, ...syncValues }
  if (restore) values.restore = true
  if (freeze) values.freeze = true
  const syncStatus = new Cell<SyncStatus>(NOT_YET)
  const integrity = new Cell<IntegrityStatus>({ checkpoint: null, witnessed: null, verdicts: [] })
  const page: PageApi = {
    deliver: delivery => subscriptions.deliver(delivery),
    dropped: async (subscriptionId, error) => subscriptions.dropped(subscriptionId, error),
    showView: update => views.show(update),
    accepted: async (acceptId, results) => writes.accepted(acceptId, results),
    syncStatus: async status => {
      if (!isSame(status, syncStatus.getSnapshot())) syncStatus.set(status)
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
    storageLost: async error => link.storageLost(errorFromWire(error)),
  }
  // A worker that takes the place of another begins with the newest.
  const keepToken = (token: string) => {
    values.token = token
  }
  const link = new WorkerLink({ source: worker, values, page, callTimeoutMs })
  const views = new Views(link, freeze)
  const subscriptions = new Subscriptions(link)
  const verifications = new Verifications(link)
  const writes = new WriteQueue(link)
  const connected = await link.open()
  // Once: a worker that is replaced later opens what there is.
  delete values.restore
  syncStatus.set(connected.syncStatus)
  integrity.set(connected.integrityStatus)
  catchUpWhenShown(link)
  passOnNetwork(link)
  const feeds = { views, subscriptions, verifications, writes, syncStatus, integrity }
  return new WorkerStoreClient<A>({ storeId, link, keepToken, ...feeds })
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
