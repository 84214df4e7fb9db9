// The link to the worker over all workers it takes: calls, deadlines, restart. Its health is told, not hidden.

import type { Remote } from 'comlink'
import { isStoreError, StoreError } from '../log/errors.ts'
import type { Connected, PageApi, PageValues, WorkerApi } from '../protocol/worker-api.ts'
import { type Ask, type CallOptions, PendingCall } from './pending-call.ts'
import { Cell } from './readable.ts'
import {
  openSession,
  type SharedEndpoint,
  type WorkerEndpoint,
  type WorkerSession,
} from './worker-session.ts'

/**
 * A `Worker`, a `SharedWorker`, or how to make one. Only with the latter can one that died be replaced, and a page that was
 * frozen come back to a `SharedWorker` that has let it go. No page can end a `SharedWorker`: `hung` is how many this page
 * has left behind since they did not answer, and belongs into its `name`, so that the next is another one.
 */
export type WorkerSource =
  | WorkerEndpoint
  | SharedEndpoint
  | ((hung: number) => WorkerEndpoint | SharedEndpoint)

export type StoreHealth = Readonly<{
  /**
   * - `ready`: the worker answers.
   * - `restarting`: it died; a new one is on its way, and calls wait for it.
   * - `lost`: for good. No worker, or the storage ended on its own; see `error`, and open the store again.
   * - `closed`: by the application.
   */
  phase: 'ready' | 'restarting' | 'lost' | 'closed'
  /** How many workers died so far. */
  restarts: number
  /** Why it restarts or is lost. */
  error: Error | null
  /** False without Web Locks: a dead worker is then found by deadlines only, and every tab syncs for itself. */
  webLocks: boolean
}>

/** Something that lives in the worker and has to be set up again in a new one: a view, a subscription. */
export interface Attachment {
  establish(): void
  /** The link is lost for good. */
  drop(error: Error): void
}

export type LinkOptions = Readonly<{
  source: WorkerSource
  values: PageValues
  page: PageApi
  callTimeoutMs: number
}>

/** Workers that died in a row, without one that lived for a while, before the link gives up. */
const MAX_DEATHS = 5
const LIVED_MS = 30_000
const FIRST_DELAY_MS = 50
const MAX_DELAY_MS = 5_000

export class WorkerLink {
  readonly health = new Cell<StoreHealth>({ phase: 'ready', restarts: 0, error: null, webLocks: false })
  readonly #options: LinkOptions
  readonly #pending = new Set<PendingCall<unknown>>()
  readonly #attachments = new Set<Attachment>()
  #session: WorkerSession | null = null
  readonly #life = new AbortController()
  #deathsInARow = 0
  #hung = 0
  /** Why no call is taken any more. */
  #end: Error | null = null
  #closing: Promise<void> | null = null
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor(options: LinkOptions) {
    this.#options = options
  }

  /** A call that is not answered for so long is given up. */
  get callTimeoutMs(): number {
    return this.#options.callTimeoutMs
  }

  /** Aborts when the link is lost or closed. */
  get ended(): AbortSignal {
    return this.#life.signal
  }

  /**
   * @param cancelled ends an import
   * @throws what the worker threw when it opened the store.
   */
  async open(cancelled?: AbortSignal): Promise<Connected> {
    const session = await this.#openFirst(cancelled)
    this.#use(session)
    return session.connected
  }

  /** Of the workers that do not answer, one is left behind. */
  async #openFirst(cancelled?: AbortSignal): Promise<WorkerSession> {
    try {
      return await this.#openSession(cancelled)
    } catch (error) {
      if (typeof this.#options.source !== 'function' || !isHung(error)) throw error
      this.#hung++
      return this.#openSession(cancelled)
    }
  }

  /**
   * Asks the worker, and a new one if it dies before it answered: every call of the link is idempotent, writes by
   * the ids that the page gave them.
   *
   * @throws what the worker threw; `worker-timeout`; `worker-died` when no other worker could be asked, or that
   * one died, too; `store-closed`.
   */
  call<T>(ask: Ask<T>, options: CallOptions = {}): Promise<T> {
    if (this.#end) return Promise.reject(this.#end)
    const call = new PendingCall<T>(ask, options, {
      timeoutMs: this.#options.callTimeoutMs,
      onTimeout: () => this.#session?.probe(),
      onSettled: () => this.#pending.delete(call as PendingCall<unknown>),
    })
    this.#pending.add(call as PendingCall<unknown>)
    if (this.#session) call.askOf(this.#session.worker)
    return call.answer
  }

  /** Tells the worker something that may be lost with it. */
  tell(ask: (worker: Remote<WorkerApi>) => Promise<unknown>): void {
    if (this.#session) ask(this.#session.worker).catch(() => {})
  }

  /** Establishes now, and again in each new worker. */
  attach(attachment: Attachment): void {
    if (this.#end) {
      attachment.drop(this.#end)
      return
    }
    this.#attachments.add(attachment)
    if (this.#session) attachment.establish()
  }

  detach(attachment: Attachment): void {
    this.#attachments.delete(attachment)
  }

  /** The storage ended under the worker. It still answers, with errors; a new one would open another log. */
  storageLost(error: Error): void {
    if (this.#end) return
    this.#tellHealth({ phase: 'lost', error })
    this.#dropAttachments(error)
  }

  /** The worker answers what it was asked, and closes. It is ended if the link made it. */
  close(): Promise<void> {
    this.#closing ??= this.#closeWorker()
    return this.#closing
  }

  #openSession(cancelled?: AbortSignal): Promise<WorkerSession> {
    const { source, values, page, callTimeoutMs: timeoutMs } = this.#options
    const ownsWorker = typeof source === 'function'
    const endpoint = typeof source === 'function' ? source(this.#hung) : source
    return openSession(endpoint, { values, page, timeoutMs, ownsWorker, ...(cancelled && { cancelled }) })
  }

  #use(session: WorkerSession): void {
    if (this.#end) {
      session.end(this.#end)
      return
    }
    this.#session = session
    session.ended.addEventListener('abort', () => this.#onDeath(session), { once: true })
    this.#tellHealth({ phase: 'ready', error: null, webLocks: session.connected.lifeLock !== null })
    for (const call of this.#pending) call.askOf(session.worker)
    for (const attachment of [...this.#attachments]) attachment.establish()
  }

  #onDeath(session: WorkerSession): void {
    this.#session = null
    const error = session.ended.reason as Error
    for (const call of [...this.#pending]) {
      if (!this.#canRestart || !call.resend || call.asked > 1) call.reject(error)
    }
    if (this.#end) return
    if (Date.now() - session.startedAt > LIVED_MS) this.#deathsInARow = 0
    this.#afterDeath(error)
  }

  get #canRestart(): boolean {
    const isOver = this.#end !== null || this.health.getSnapshot().phase === 'lost'
    return typeof this.#options.source === 'function' && !isOver
  }

  #afterDeath(error: Error): void {
    if (isHung(error)) this.#hung++
    if (!this.#canRestart || ++this.#deathsInARow > MAX_DEATHS) {
      this.#finish('lost', error)
      return
    }
    this.#tellHealth({ phase: 'restarting', error, restarts: this.health.getSnapshot().restarts + 1 })
    const delayMs = Math.min(FIRST_DELAY_MS * 4 ** (this.#deathsInARow - 1), MAX_DELAY_MS)
    this.#retry = setTimeout(() => void this.#restart(), delayMs)
  }

  async #restart(): Promise<void> {
    try {
      this.#use(await this.#openSession())
    } catch (error) {
      if (!this.#end) this.#afterDeath(error as Error)
    }
  }

  async #closeWorker(): Promise<void> {
    const answered = this.#session ? this.call(worker => worker.close(), { resend: false }) : null
    const closed = new StoreError('store-closed', 'The store is closed')
    this.#end ??= closed
    this.#dropAttachments(closed)
    try {
      await answered
    } catch (error) {
      // A worker that is gone is closed: what it acknowledged is durable.
      if (!isStoreError(error, 'worker-died')) throw error
    } finally {
      this.#finish('closed', closed)
    }
  }

  #finish(phase: 'lost' | 'closed', error: Error): void {
    if (this.ended.aborted) return
    this.#end = error
    this.#life.abort(error)
    clearTimeout(this.#retry)
    this.#session?.end(error)
    for (const call of [...this.#pending]) call.reject(error)
    this.#dropAttachments(error)
    this.#tellHealth({ phase, error: phase === 'closed' ? null : error })
  }

  #dropAttachments(error: Error): void {
    for (const attachment of [...this.#attachments]) {
      this.#attachments.delete(attachment)
      attachment.drop(error)
    }
  }

  #tellHealth(change: Partial<StoreHealth>): void {
    this.health.set({ ...this.health.getSnapshot(), ...change })
  }
}

/** It may be there still, and a shared worker of the same name would be the same one. */
const isHung = (error: unknown): boolean => isStoreError(error) && error.facts['isHung'] === true
