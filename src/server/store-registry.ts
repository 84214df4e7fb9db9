// The open logs of a server, one for each store: opened on first use, shared by all requests, closed when idle.

import type { EventLog } from '../engine/event-log.ts'
import { openLog } from '../engine/open-log.ts'
import { textOf, utf8 } from '../log/bytes.ts'
import type { LogStorage } from '../storage/log-storage.ts'

/** A store of this server: its log, and the epoch that tells this log from any other of the same name. */
export type ServedStore = Readonly<{ log: EventLog; epoch: string }>

export type StoreRegistryOptions = Readonly<{
  openStorage: (storeId: string) => LogStorage | Promise<LogStorage>
  /** Stores that stay open while nobody uses them. */
  maxIdle: number
  onError: (error: unknown) => void
}>

type Slot = { readonly opening: Promise<ServedStore>; users: number }

export class StoreRegistry {
  readonly #options: StoreRegistryOptions
  /** In order of last use, the oldest first. */
  readonly #slots = new Map<string, Slot>()
  /** Stores that are being closed: one is opened again only when its storage is free. */
  readonly #closing = new Map<string, Promise<void>>()

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
  async hold(storeId: string): Promise<{ store: ServedStore; release: () => void }> {
    const slot = this.#slots.get(storeId) ?? this.#open(storeId)
    this.#slots.delete(storeId)
    this.#slots.set(storeId, slot)
    slot.users++
    try {
      const store = await slot.opening
      let isHeld = true
      const release = (): void => {
        if (!isHeld) return
        isHeld = false
        slot.users--
        this.#closeIdle()
      }
      return { store, release }
    } catch (error) {
      // The next request tries again.
      if (this.#slots.get(storeId) === slot) this.#slots.delete(storeId)
      throw error
    }
  }

  async close(): Promise<void> {
    for (const [storeId, slot] of this.#slots) this.#closeSlot(storeId, slot)
    await Promise.all(this.#closing.values())
  }

  #open(storeId: string): Slot {
    const free = this.#closing.get(storeId) ?? Promise.resolve()
    const opening = free.then(() => this.#openStore(storeId))
    return { opening, users: 0 }
  }

  async #openStore(storeId: string): Promise<ServedStore> {
    const storage = await this.#options.openStorage(storeId)
    // Gone for good, as after a restart of the database: whoever comes next opens it anew.
    storage.onLost(error => {
      this.#options.onError(error)
      this.#slots.delete(storeId)
    })
    const log = await openLog({
      storage,
      storeId,
      isAuthority: true,
      onBackgroundError: this.#options.onError,
    })
    return { log, epoch: await readEpoch(log) }
  }

  #closeIdle(): void {
    const idle = [...this.#slots].filter(([, { users }]) => users === 0)
    for (const [storeId, slot] of idle.slice(0, Math.max(0, idle.length - this.#options.maxIdle))) {
      this.#closeSlot(storeId, slot)
    }
  }

  #closeSlot(storeId: string, slot: Slot): void {
    this.#slots.delete(storeId)
    const closed = slot.opening
      .then(({ log }) => log.close())
      .catch(this.#options.onError)
      .finally(() => this.#closing.delete(storeId))
    this.#closing.set(storeId, closed)
  }
}

const EPOCH_KEY = 'server/epoch'

/** Read back after it was written: of two servers that start at once, both serve the one that stayed. */
async function readEpoch({ storage }: EventLog): Promise<string> {
  const stored = await storage.get(EPOCH_KEY)
  if (stored) return textOf(stored)
  await storage.put({ [EPOCH_KEY]: utf8(crypto.randomUUID()) })
  return textOf((await storage.get(EPOCH_KEY))!)
}
