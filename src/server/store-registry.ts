// The open logs of a server, one for each store: opened on first use, shared by all requests, closed when idle.

import { nobodySigns } from '../engine/checkpoint-book.ts'
import type { EventLog } from '../engine/event-log.ts'
import { openLog } from '../engine/open-log.ts'
import type { NoteSigner } from '../integrity/note-key.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { epochOf } from './epoch.ts'
import { HttpFailure } from './http-failure.ts'
import { logSignerOf, type ServerSigning } from './signing.ts'

export type ServedStore = {
  readonly log: EventLog
  /** As long as it is the same, the log is what was opened: {@link StoreRegistry.hold} opens another one. */
  readonly epoch: string
  /** Aborted when the log is closed: what outlives a request ends with it. */
  readonly signal: AbortSignal
  /**
   * Hint streams that are open, by what ends each when the log is closed. Not listeners of the signal: Node warns of a
   * leak from the eleventh.
   */
  readonly liveClients: Set<() => void>
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
    const release = once(() => this.#release(slot))
    try {
      if ((await epochOf(store.log)) === store.epoch) return { store, release }
    } catch (error) {
      release()
      throw error
    }
    // The database was restored: what was read of it is not what it holds.
    release()
    if (this.#slots.get(storeId) === slot) this.#close(storeId, slot)
    return this.hold(storeId)
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
    storage.onLost(error => {
      onError(error)
      const slot = this.#slots.get(storeId)
      // Whoever comes next opens it anew.
      if (slot?.closed === closed) this.#close(storeId, slot)
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
      const { signal } = closed
      const liveClients: ServedStore['liveClients'] = new Set()
      signal.addEventListener('abort', () => {
        for (const end of liveClients) end()
      })
      return { log, epoch, signal, liveClients, signer }
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

function once(run: () => void): () => void {
  let isDue = true
  return () => {
    if (isDue) run()
    isDue = false
  }
}
