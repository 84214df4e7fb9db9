// Watches over the room that the store has: asks the browser to keep it, looks how much is left, and tells of writes that
// found none. On the page, since not every browser lets a worker ask.

import { isStoreError } from '../log/errors.ts'
import type { StorageStatus } from '../model/storage-status.ts'
import { Cell } from './readable.ts'

/** What of `navigator.storage` is used. */
export type RoomKeeper = Pick<StorageManager, 'estimate' | 'persisted' | 'persist'>

export type StorageRoomOptions = Readonly<{
  /** Undefined where the browser has none, or not here: it is for secure contexts alone. */
  keeper: RoomKeeper | undefined
  /** Whether to ask the browser to keep what is stored. */
  asks: boolean
  /** Milliseconds, of a clock that only goes forwards. */
  now: () => number
}>

/** So long between two looks while something is written. */
export const LOOK_MS = 10_000
/** Less than a tenth is left, and less than this: of a large disk, a tenth is not little. */
const LITTLE_BYTES = 64 * 1024 * 1024

export class StorageRoom {
  readonly status: Cell<StorageStatus>
  readonly #options: StorageRoomOptions
  #isFull = false
  /** The browser was asked by this page, and what it said. */
  #asked: Promise<boolean> | null = null
  #isRefused = false
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(options: StorageRoomOptions) {
    this.#options = options
    const problem = options.keeper ? null : 'unknown'
    this.status = new Cell<StorageStatus>({
      persisted: null,
      usage: null,
      quota: null,
      isLow: false,
      problem,
    })
  }

  /** Never rejects: what the browser does not say is null. */
  async look(): Promise<void> {
    const { keeper, now } = this.#options
    this.#lookedAt = now()
    if (!keeper) return this.#tell({})
    const [persisted, estimate] = await Promise.all([
      answered(() => keeper.persisted()),
      answered(() => keeper.estimate()),
    ])
    const { usage = null, quota = null } = estimate ?? {}
    this.#tell({ persisted, usage, quota })
  }

  /** Something has come from the server: it takes room, too, but nobody was at the keyboard. */
  grew(): void {
    if (this.#options.now() - this.#lookedAt >= LOOK_MS) void this.look()
  }

  /** Passes a write on, and learns from what becomes of it. */
  watch<T>(write: Promise<T>): Promise<T> {
    write.then(
      () => this.#wrote(),
      error => this.failed(error),
    )
    return write
  }

  /** Of a write, here or by sync. Errors of another kind say nothing about room. */
  failed(error: unknown): void {
    if (!isStoreError(error, 'storage-failed') || error.facts['problem'] !== 'quota' || this.#isFull) return
    this.#isFull = true
    this.#tell({})
    void this.look()
  }

  /** The first write of a page that somebody uses is the moment to ask: now there is something to lose. */
  #wrote(): void {
    const wasFull = this.#isFull
    this.#isFull = false
    if (wasFull) this.#tell({})
    if (this.#options.asks) this.#asked ??= this.#ask()
    this.grew()
  }

  async #ask(): Promise<boolean> {
    const { keeper } = this.#options
    if (!keeper) return false
    const isKept = (await answered(() => keeper.persisted())) || (await answered(() => keeper.persist()))
    this.#isRefused = isKept === false
    await this.look()
    return isKept === true
  }

  #tell(change: Partial<Pick<StorageStatus, 'persisted' | 'usage' | 'quota'>>): void {
    const before = this.status.getSnapshot()
    const next = { ...before, ...change }
    const { usage, quota, persisted } = next
    const left = usage === null || quota === null ? Number.POSITIVE_INFINITY : quota - usage
    const isLow = this.#isFull || left < Math.min(LITTLE_BYTES, (quota ?? 0) / 10)
    const status: StorageStatus = { ...next, isLow, problem: this.#problem(persisted) }
    if (!isSame(status, before)) this.status.set(status)
  }

  #problem(persisted: boolean | null): StorageStatus['problem'] {
    if (this.#isFull) return 'full'
    if (!this.#options.keeper) return 'unknown'
    return this.#isRefused && persisted !== true ? 'may-be-evicted' : null
  }
}

function isSame(a: StorageStatus, b: StorageStatus): boolean {
  const keys = Object.keys(a) as (keyof StorageStatus)[]
  return keys.every(key => a[key] === b[key])
}

/** Null where the browser refuses to say, as in some private windows, or has not got the method. */
async function answered<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask()
  } catch {
    return null
  }
}
