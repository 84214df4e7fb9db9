// One tab of a store leads at a time, by a Web Lock. Without Web Locks every tab does.

export type LeadershipOptions = Readonly<{
  /** Of the lock: never one that all applications of an origin share. */
  name: string
  /** Leads until the signal aborts. Resolves when that is over. */
  lead: (signal: AbortSignal) => Promise<void>
  /** Ends leading, or waiting for it. */
  signal: AbortSignal
}>

export class Leadership {
  readonly #options: LeadershipOptions
  #waiting = new AbortController()
  #isStealing = false

  constructor(options: LeadershipOptions) {
    this.#options = options
  }

  /** Waits for the lead, leads, and waits again if another tab takes it. Resolves when all is over. */
  async run(): Promise<void> {
    const { lead, signal } = this.#options
    const locks = globalThis.navigator?.locks
    let canLock = locks !== undefined
    while (canLock && !signal.aborted) canLock = await this.#leadOnce(locks)
    if (!canLock && !signal.aborted) await lead(signal)
  }

  /**
   * Takes the lead from a tab that has it and does not lead, as one that is frozen. Should it thaw, both lead for a
   * moment, which costs work and nothing else: every write is a compare-and-set.
   */
  steal(): void {
    this.#isStealing = true
    this.#waiting.abort()
    this.#waiting = new AbortController()
  }

  /** False where the origin may not use locks. */
  async #leadOnce(locks: LockManager): Promise<boolean> {
    const { name, lead, signal } = this.#options
    const tenure = new AbortController()
    const how = this.#isStealing
      ? { steal: true }
      : { signal: AbortSignal.any([signal, this.#waiting.signal]) }
    this.#isStealing = false
    try {
      await locks.request(name, how, () => lead(AbortSignal.any([signal, tenure.signal])))
      return true
    } catch (error) {
      // Aborted while it waited, or stolen by another tab.
      return error instanceof Error && error.name === 'AbortError'
    } finally {
      tenure.abort()
    }
  }
}
