// The open logs of a server, one for each store: opened on first use, shared by all requests, closed when idle.

import { nobodySigns } from '../engine/checkpoint-book.ts'
import type { EventLog } from '../engine/event-log.ts'
import { openLog } from '../engine/open-log.ts'
import type { NoteSigner } from '../integrity/note-key.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { epochOf } from './epoch.ts'
import type { Exchange } from './exchange.ts'
import { HttpFailure } from './http-failure.ts'
import { closeStore, initialStoreState, type StoreState } from './server-state.ts'
import { logSignerOf, type ServerSigning } from './signing.ts'

export type ServedStore = {
  readonly log: EventLog
  /** What its exchanges share. */
  state: StoreState
  /** Streams of hints that are open: they end with the log. */
  readonly live: Set<Exchange>
  /** Its database holds another log now: whoever comes next opens that one. */
  readonly leave: () => void
  /** Who signs its checkpoints; null where nobody does. */
  readonly signer: NoteSigner | null
}

/** `release` may be called twice. */
export type HeldStore = Readonly<{ store: ServedStore; release: () => void }>

export type StoreRegistryOptions = Readonly<{
  openStorage: (storeId: string) => LogStorage | Promise<LogStorage>
  /** Stores that stay open while nobody uses them. */
  maxIdle: number
  signing: ServerSigning | undefined
  limits: StoreState['limits']
  /** Told what goes wrong beside a request. */
  onError: (error: unknown, storeId: string) => void
}>

type Slot = { readonly opening: Promise<ServedStore>; readonly closed: AbortController; users: number }

export class StoreRegistry {
  readonly #options: StoreRegistryOptions
  /** In order of last use, the oldest first. */
  readonly #slots = new Map<string, Slot>()
  /** Stores that are being closed: one is opened again only when its storage is free. */
  readonly #closing = new Map<string, Promise<void>>()
  #isClosed = false

  constructor(options: StoreRegistryOptions) {
    this.#options = options
  }

  /** Runs `work` on a store, which stays open until it is done. */
  async use<T>(storeId: string, work: (store: ServedStore) => Promise<T>): Promise<T> {
    const { store, release } = await this.hold(storeId)
    try {
      return await work(store)
    } finally {
      release()
    }
  }

  /** Keeps a store open until `release` is called. */
  async hold(storeId: string): Promise<HeldStore> {
    if (this.#isClosed) throw new HttpFailure(503, 'unavailable', 'The server is closing')
    const slot = this.#slots.get(storeId) ?? this.#open(storeId)
    this.#slots.delete(storeId)
    this.#slots.set(storeId, slot)
    slot.users++
    const store = await this.#opened(storeId, slot)
    return { store, release: once(() => this.#release(slot)) }
  }

  async #opened(storeId: string, slot: Slot): Promise<ServedStore> {
    try {
      return await slot.opening
    } catch (error) {
      // The next request tries again.
      if (this.#slots.get(storeId) === slot) this.#slots.delete(storeId)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const [storeId, slot] of this.#slots) this.#close(storeId, slot)
    await Promise.all(this.#closing.values())
  }

  #open(storeId: string): Slot {
    const closed = new AbortController()
    const free = this.#closing.get(storeId) ?? Promise.resolve()
    const opening = free.then(() => this.#openStore(storeId, closed))
    return { opening, closed, users: 0 }
  }

  async #openStore(storeId: string, closed: AbortController): Promise<ServedStore> {
    const onError = (error: unknown): void => this.#options.onError(error, storeId)
    const storage = await this.#options.openStorage(storeId)
    // Whoever comes next opens it anew.
    const close = (): void => {
      const slot = this.#slots.get(storeId)
      if (slot?.closed === closed) this.#close(storeId, slot)
    }
    storage.onLost(error => {
      onError(error)
      close()
    })
    const { signing } = this.#options
    let signer: NoteSigner | null = null
    const log = await openLog({
      storage,
      storeId,
      isAuthority: true,
      signing: async () => (signer ? { status: 'signed', signer } : nobodySigns(storeId)),
      onBackgroundError: onError,
    })
    try {
      // Before anybody asks: two requests that ask at once must not make two.
      const epoch = await epochOf(log)
      signer = signing ? await logSignerOf(signing, storeId, epoch) : null
      const state = initialStoreState(epoch, this.#options.limits)
      const store: ServedStore = { log, state, live: new Set(), leave: close, signer }
      if (closed.signal.aborted) closeFor(store)
      closed.signal.addEventListener('abort', () => closeFor(store))
      return store
    } catch (error) {
      await log.close()
      throw error
    }
  }

  #release(slot: Slot): void {
    slot.users--
    const idle = [...this.#slots].filter(([, { users }]) => users === 0)
    const excess = Math.max(0, idle.length - this.#options.maxIdle)
    for (const [storeId, oldest] of idle.slice(0, excess)) this.#close(storeId, oldest)
  }

  #close(storeId: string, slot: Slot): void {
    this.#slots.delete(storeId)
    slot.closed.abort()
    const closing = this.#closeLog(storeId, slot).finally(() => {
      if (this.#closing.get(storeId) === closing) this.#closing.delete(storeId)
    })
    this.#closing.set(storeId, closing)
  }

  async #closeLog(storeId: string, { opening }: Slot): Promise<void> {
    const store = await opening.catch(() => null)
    await store?.log.close().catch(error => this.#options.onError(error, storeId))
  }
}

function closeFor(store: ServedStore): void {
  store.state = closeStore(store.state)
  for (const exchange of store.live) exchange.dispatch({ type: 'closed' })
}

function once(run: () => void): () => void {
  let isDue = true
  return () => {
    if (isDue) run()
    isDue = false
  }
}
