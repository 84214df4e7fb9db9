// What waits on this device, and has to be read to be told: since when, and how many rejections.

import type { EventLog } from '../src/engine/event-log.ts'

type WaitingOptions = Readonly<{
  log: Pick<EventLog, 'oldestPendingAt' | 'rejections' | 'onChange'>
  onChange: () => void
  signal: AbortSignal
}>

export class WaitingHere {
  readonly #options: WaitingOptions
  #oldestPendingAt: number | null = null
  #rejected = 0
  #isDue = false
  /** Only a rebase rejects: an append must not cost a look into the storage. */
  #isCountDue = false
  #reading: Promise<void> | null = null

  constructor(options: WaitingOptions) {
    this.#options = options
    const { log, signal } = options
    log.onChange(({ supersededFrom }) => void this.#look(supersededFrom !== null), signal)
  }

  get oldestPendingAt(): number | null {
    return this.#oldestPendingAt
  }

  get rejected(): number {
    return this.#rejected
  }

  /** Looks again: when a rejection was acknowledged, say. Changes of the log it hears of itself. */
  refresh(): Promise<void> {
    return this.#look(true)
  }

  #look(isCountDue: boolean): Promise<void> {
    this.#isDue = true
    this.#isCountDue ||= isCountDue
    this.#reading ??= this.#readWhileDue().finally(() => {
      this.#reading = null
    })
    return this.#reading
  }

  async #readWhileDue(): Promise<void> {
    const { onChange, signal } = this.#options
    while (this.#isDue && !signal.aborted) {
      const before = [this.#oldestPendingAt, this.#rejected]
      // A storage that fails says so to whoever needs it; what was read last stays.
      await this.#read().catch(() => {})
      if (before[0] !== this.#oldestPendingAt || before[1] !== this.#rejected) onChange()
    }
  }

  async #read(): Promise<void> {
    const { log } = this.#options
    this.#isDue = false
    this.#oldestPendingAt = await log.oldestPendingAt()
    if (!this.#isCountDue) return
    this.#isCountDue = false
    this.#rejected = (await log.rejections()).length
  }
}
