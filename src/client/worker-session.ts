// One worker, from the handshake to its end: knows whether it lives.

import * as Comlink from 'comlink'
import { type ErrorFacts, StoreError } from '../log/errors.ts'
import { holdLifeLock, watchLifeLock } from '../protocol/life-lock.ts'
import { errorFromWire } from '../protocol/wire-error.ts'
import {
  type Connected,
  type Handshake,
  type PageApi,
  type PageValues,
  type Reply,
  readHandshake,
  WORKER_PROTOCOL,
  type WorkerApi,
} from '../protocol/worker-api.ts'

/** What a page needs of a worker. A `MessagePort` will do, for tests and for workers behind workers. */
export type WorkerEndpoint = Comlink.Endpoint & { terminate?: () => void; close?: () => void }

/** What pages share of a `SharedWorker`. */
export type SharedEndpoint = EventTarget & Readonly<{ port: WorkerEndpoint }>

export type SessionOptions = Readonly<{
  values: PageValues
  page: PageApi
  /** For the handshake and the opening of the store; begins again with each progress of an import. */
  timeoutMs: number
  /** Ends an import. */
  cancelled?: AbortSignal
  /** Whether the session ends the worker when it ends itself. */
  ownsWorker: boolean
}>

/** How long a worker may leave a ping unanswered before it counts as dead. */
const PROBE_MS = 5_000

/** @throws what the worker threw when it opened the store; `worker-died`, `worker-timeout`. */
export async function openSession(
  worker: WorkerEndpoint | SharedEndpoint,
  options: SessionOptions,
): Promise<WorkerSession> {
  const session = new WorkerSession(worker, options.ownsWorker)
  const startTimer = () =>
    setTimeout(() => session.end(unanswered(options.timeoutMs, session)), options.timeoutMs)
  let timer: ReturnType<typeof setTimeout> | null = startTimer()
  const importProgress: PageApi['importProgress'] = progress => {
    if (timer !== null) {
      clearTimeout(timer)
      timer = startTimer()
    }
    return options.page.importProgress(progress)
  }
  const cancel = () => void session.worker.cancelImport()
  options.cancelled?.addEventListener('abort', cancel, { signal: session.ended, once: true })
  try {
    await session.connect({ ...options, page: { ...options.page, importProgress } })
    return session
  } catch (error) {
    session.end(error)
    throw error
  } finally {
    options.cancelled?.removeEventListener('abort', cancel)
    clearTimeout(timer)
    timer = null
  }
}

export class WorkerSession {
  readonly worker: Comlink.Remote<WorkerApi>
  readonly startedAt = Date.now()
  readonly #endpoint: WorkerEndpoint
  /** It goes on when this page leaves it: it has to be told that, and whether the page lives. */
  readonly #isShared: boolean
  readonly #ownsWorker: boolean
  readonly #life = new AbortController()
  #isReady = false
  #connected: Connected | null = null
  #probe: ReturnType<typeof setTimeout> | undefined

  constructor(worker: WorkerEndpoint | SharedEndpoint, ownsWorker: boolean) {
    this.#isShared = 'port' in worker
    this.#endpoint = 'port' in worker ? worker.port : worker
    this.#ownsWorker = ownsWorker
    this.worker = proxyOf(this.#endpoint)
    this.#watchEvents(worker)
  }

  /** Aborts when the worker is gone, with the error as the reason. */
  get ended(): AbortSignal {
    return this.#life.signal
  }

  /** Its script runs. */
  get isReady(): boolean {
    return this.#isReady
  }

  get connected(): Connected {
    if (!this.#connected) throw new Error('not connected')
    return this.#connected
  }

  async connect({ values, page, cancelled }: SessionOptions): Promise<void> {
    const protocol = await this.#untilEnd(this.#ready())
    this.#isReady = true
    if (protocol !== WORKER_PROTOCOL) {
      throw mismatch(protocol, this.#isShared)
    }
    // From here on, the worker hears of it behind the call.
    if (cancelled?.aborted) throw new StoreError('aborted', 'The import was aborted')
    const pageLock = this.#isShared ? await holdLifeLock(this.ended) : null
    const connected = this.worker.connect(values, Comlink.proxy(page), pageLock)
    const reply = await this.#untilEnd<Reply<Connected>>(connected)
    if (!reply.ok) throw errorFromWire(reply.error)
    this.#connected = reply.value
    // The worker holds it: whoever is granted it knows that the worker is gone.
    watchLifeLock(reply.value.lifeLock, () => this.end(died('it was terminated')), this.ended)
  }

  /** Ends the session unless the worker answers a ping. */
  probe(): void {
    if (this.#probe || this.ended.aborted) return
    this.#probe = setTimeout(() => this.end(died('it does not answer', { isHung: true })), PROBE_MS)
    const alive = () => {
      clearTimeout(this.#probe)
      this.#probe = undefined
    }
    this.worker.ping().then(alive, alive)
  }

  /** Safe to call twice. */
  end(reason: unknown): void {
    if (this.ended.aborted) return
    clearTimeout(this.#probe)
    this.#life.abort(reason)
    if (!this.#ownsWorker) return
    this.#endpoint.terminate?.()
    this.#endpoint.close?.()
  }

  #watchEvents(worker: WorkerEndpoint | SharedEndpoint): void {
    const { signal } = this.#life
    const listen = (type: string, listener: (event: Event) => void) =>
      this.#endpoint.addEventListener(type, listener as EventListener, { signal })
    const onError = ((event: Event) => {
      const problem = 'message' in event && event.message ? String(event.message) : 'its script did not load'
      if (!this.#connected) return this.end(died(problem))
      // Some uncaught exception in the worker: most live on after it.
      this.probe()
    }) as EventListener
    worker.addEventListener('error', onError, { signal })
    listen('message', event => {
      const isLetGo = readHandshake((event as MessageEvent).data)?.streamdingo === 'let-go'
      if (isLetGo) this.end(died('it had no sign of life of this page'))
    })
    listen('messageerror', () => this.end(died('a message of it could not be read')))
    listen('close', () => this.end(died('its port was closed')))
  }

  /** Resolves with the worker's protocol version. */
  #ready(): Promise<number> {
    return new Promise(resolve => {
      const listener = ((event: MessageEvent) => {
        const handshake = readHandshake(event.data)
        if (handshake?.streamdingo !== 'ready') return
        this.#endpoint.removeEventListener('message', listener)
        resolve(handshake.protocol)
      }) as EventListener
      this.#endpoint.addEventListener('message', listener, { signal: this.ended })
      this.#endpoint.start?.()
      this.#endpoint.postMessage({ streamdingo: 'hello' } satisfies Handshake)
    })
  }

  #untilEnd<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.ended.aborted) reject(this.ended.reason)
      this.ended.addEventListener('abort', () => reject(this.ended.reason), { once: true })
      work.then(resolve, reject)
    })
  }
}

/**
 * When the last proxy of an endpoint is collected, Comlink tells the other side to stop serving: calls in flight are
 * never answered, and nobody else is served behind. So a proxy lives as long as its endpoint.
 */
const proxies = new WeakMap<WorkerEndpoint, Comlink.Remote<WorkerApi>>()

function proxyOf(endpoint: WorkerEndpoint): Comlink.Remote<WorkerApi> {
  const known = proxies.get(endpoint)
  if (known) return known
  const proxy = Comlink.wrap<WorkerApi>(endpoint)
  proxies.set(endpoint, proxy)
  return proxy
}

function mismatch(protocol: number, isShared: boolean): StoreError {
  const advice = isShared
    ? 'close all pages of the application and open one, and give each release a SharedWorker of its own, by script or name'
    : 'reload the page'
  return new StoreError('worker-mismatch', `Page and worker are of different versions: ${advice}`, {
    page: WORKER_PROTOCOL,
    worker: protocol,
  })
}

function died(problem: string, facts: ErrorFacts = {}): StoreError {
  return new StoreError('worker-died', `The worker ended: ${problem}`, { problem, ...facts })
}

function unanswered(timeoutMs: number, { isReady }: WorkerSession): StoreError {
  const facts = { timeoutMs, ...(!isReady && { isHung: true }) }
  return new StoreError('worker-timeout', `The worker was not ready within ${timeoutMs} ms`, facts)
}
