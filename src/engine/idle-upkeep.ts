// When what is stored is put in order: once nothing was appended for a while, until something is.

export type IdleUpkeepOptions = Readonly<{
  /** How long nothing must have been appended, in milliseconds. Default 1,000. */
  idleMs?: number
  /**
   * Runs `work` unless another tab, worker or process does the like on this log. By default it always runs: that is
   * safe with any number of them, but costs each as much.
   */
  runAlone?: (work: () => Promise<void>) => Promise<void>
}>

export class IdleUpkeep {
  readonly #work: (signal: AbortSignal) => Promise<void>
  readonly #options: IdleUpkeepOptions
  readonly #onFailed: (error: unknown) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #round = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #isClosed = false

  /**
   * @param work one round; to end soon when the signal is aborted
   * @param onFailed told of a round that failed; the next one tries again
   */
  constructor(
    work: (signal: AbortSignal) => Promise<void>,
    options: IdleUpkeepOptions,
    onFailed: (error: unknown) => void,
  ) {
    this.#work = work
    this.#options = options
    this.#onFailed = onFailed
  }

  /** The log has changed: ends a round that runs, and waits anew. */
  touch(): void {
    if (this.#isClosed) return
    clearTimeout(this.#timer)
    this.#round.abort()
    this.#timer = setTimeout(() => this.#begin(), this.#options.idleMs ?? DEFAULT_IDLE_MS)
  }

  /** Resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#round.abort()
    await this.#running
  }

  #begin(): void {
    this.#round = new AbortController()
    const { signal } = this.#round
    // The round before was told to end, and may not have yet.
    this.#running = this.#running.then(() => this.#runRound(signal))
  }

  async #runRound(signal: AbortSignal): Promise<void> {
    const { runAlone = work => work() } = this.#options
    try {
      if (!signal.aborted) await runAlone(() => this.#work(signal))
    } catch (error) {
      this.#onFailed(error)
    }
  }
}

const DEFAULT_IDLE_MS = 1000
