// A subscription: reads forward to the end of the log, then again whenever the log has grown. Catch-up and live
// are one loop over positions, so nothing falls between them and nothing comes twice.

import type { GlobalPosition, RecordedEvent } from '../log/event.ts'
import type { SubscribeOptions, Subscription } from '../model/event-store.ts'
import type { EventLog } from './event-log.ts'

type Handler = (event: RecordedEvent) => void | Promise<void>

export function subscribeToLog(log: EventLog, onEvent: Handler, options: SubscribeOptions): Subscription {
  const ended = new AbortController()
  const loop = new SubscriptionLoop(log, onEvent, options, ended.signal)
  options.signal?.addEventListener('abort', () => ended.abort(), { once: true, signal: ended.signal })
  if (options.signal?.aborted) ended.abort()
  const running = loop.run().catch(error => {
    ended.abort()
    options.onDropped?.(error instanceof Error ? error : new Error(String(error)))
  })
  return {
    position: () => loop.position,
    unsubscribe: async () => {
      ended.abort()
      // A handler that unsubscribes from within itself would wait for itself.
      if (!loop.isHandling) await running
    },
  }
}

class SubscriptionLoop {
  position: GlobalPosition
  isHandling = false
  readonly #log: EventLog
  readonly #onEvent: Handler
  readonly #options: SubscribeOptions
  readonly #signal: AbortSignal
  #wake: () => void = () => {}

  constructor(log: EventLog, onEvent: Handler, options: SubscribeOptions, signal: AbortSignal) {
    this.#log = log
    this.#onEvent = onEvent
    this.#options = options
    this.#signal = signal
    this.position = startOf(options.from ?? 'start', log)
    log.onChange(() => this.#wake(), signal)
    signal.addEventListener('abort', () => this.#wake(), { once: true })
  }

  async run(): Promise<void> {
    let wasCaughtUp = false
    while (!this.#signal.aborted) {
      const head = this.#log.head()
      if (this.position < head) {
        if (wasCaughtUp && head - this.position > FELL_BEHIND) {
          wasCaughtUp = false
          this.#options.onFellBehind?.()
        }
        await this.#readTo(head)
        continue
      }
      wasCaughtUp = true
      this.#options.onCaughtUp?.()
      await this.#growth()
    }
  }

  /** Passes by what is not asked for, and so moves on over it, too. */
  async #readTo(head: GlobalPosition): Promise<void> {
    const { streamName } = this.#options
    const part = { from: this.position + 1, to: head, order: 'recorded' } as const
    for await (const events of this.#log.readAll(part)) {
      for (const event of events) {
        if (this.#signal.aborted) return
        if (streamName === undefined || event.metadata.streamName === streamName) await this.#handle(event)
        this.position = event.metadata.globalPosition
      }
    }
    if (!this.#signal.aborted) this.position = head
  }

  async #handle(recorded: RecordedEvent): Promise<void> {
    const event = this.#log.today.of(recorded)
    if (!event) return
    this.isHandling = true
    try {
      await this.#onEvent(event)
    } finally {
      this.isHandling = false
    }
  }

  #growth(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
      // It may have grown between the look at the head and now.
      if (this.#signal.aborted || this.position < this.#log.head()) resolve()
    })
  }
}

/** Events that may come at once before a subscription counts as fallen behind. */
const FELL_BEHIND = 1000

function startOf(from: NonNullable<SubscribeOptions['from']>, log: EventLog): GlobalPosition {
  if (from === 'start') return 0
  return from === 'end' ? log.head() : from
}
