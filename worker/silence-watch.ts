// Notices that the tab that leads says nothing any more, as one that is frozen, and bounds how often it is stolen from.

import type { SyncTimings } from './sync-timings.ts'

export type SilenceWatchOptions = Readonly<{
  /** Of the leader's lock. */
  name: string
  timings: SyncTimings
  /** The same tab has held the lead for the whole of the silence. */
  onSilent: () => void
  signal: AbortSignal
}>

/**
 * Who leads is known by the lock and not by what tabs say: a tab that took the lead and froze before it said so is given as
 * long as any other. So, however many wait, a lead is stolen once in a silence, save by two in the same moment.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions
  #timer: ReturnType<typeof setTimeout> | undefined
  #leader: string | null = null
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(options: SilenceWatchOptions) {
    this.#options = options
    options.signal.addEventListener('abort', () => this.stop(), { once: true })
  }

  /** The leader gave a sign of life, or there is another one: the silence begins anew. */
  heard(): void {
    this.#begin()
    const { heartbeatMs } = this.#options.timings
    if (performance.now() - this.#lookedAt < heartbeatMs) return
    this.#lookedAt = performance.now()
    void this.#look()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #begin(): void {
    clearTimeout(this.#timer)
    const { signal, timings } = this.#options
    if (signal.aborted) return
    // Some more by chance, so that not all tabs steal at once.
    const waitMs = timings.silenceMs * (1 + Math.random() / 2)
    this.#timer = setTimeout(() => void this.#end(), waitMs)
  }

  async #end(): Promise<void> {
    const timer = this.#timer
    const before = this.#leader
    await this.#look()
    if (this.#timer !== timer) return
    // Whoever has taken the lead meanwhile has as long to say something.
    this.#begin()
    if (this.#leader === before) this.#options.onSilent()
  }

  async #look(): Promise<void> {
    try {
      const { held } = await navigator.locks.query()
      this.#leader = held?.find(({ name }) => name === this.#options.name)?.clientId ?? null
    } catch {
      // Where nobody may ask, time alone tells.
    }
  }
}
