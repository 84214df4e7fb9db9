// Subscriptions of the page: handlers run here, one event at a time; a new worker goes on where they stand.

import { isStoreError, StoreError } from '../log/errors.ts'
import type { GlobalPosition, RecordedEvent } from '../log/event.ts'
import type { SubscribeOptions, Subscription } from '../model/event-store.ts'
import { errorFromWire, type WireError } from '../protocol/wire-error.ts'
import type { Delivery } from '../protocol/worker-api.ts'
import { callSafely } from './readable.ts'
import type { Attachment, WorkerLink } from './worker-link.ts'

export type EventHandler = (event: RecordedEvent) => void | Promise<void>

export class Subscriptions {
  readonly #link: WorkerLink
  readonly #byId = new Map<number, EventSubscription>()
  #lastId = 0

  constructor(link: WorkerLink) {
    this.#link = link
  }

  async subscribe(onEvent: EventHandler, options: SubscribeOptions): Promise<Subscription> {
    if (options.signal?.aborted) throw new StoreError('aborted', 'The signal was aborted already')
    const subscription = new EventSubscription(this.#link, onEvent, options, {
      enter: entered => {
        this.#byId.set(++this.#lastId, entered)
        return this.#lastId
      },
      leave: subscriptionId => {
        this.#byId.delete(subscriptionId)
        this.#link.tell(worker => worker.unsubscribe(subscriptionId))
      },
    })
    this.#link.attach(subscription)
    await subscription.started
    return { position: () => subscription.position, unsubscribe: () => subscription.end() }
  }

  async deliver(delivery: Delivery): Promise<'continue' | 'stop'> {
    return (await this.#byId.get(delivery.subscriptionId)?.take(delivery)) ?? 'stop'
  }

  dropped(subscriptionId: number, error: WireError): void {
    this.#byId.get(subscriptionId)?.drop(errorFromWire(error))
  }
}

/** Each worker knows the subscription by another id, so that a late delivery of a dead one finds nobody. */
type Register = Readonly<{
  enter: (subscription: EventSubscription) => number
  leave: (subscriptionId: number) => void
}>

class EventSubscription implements Attachment {
  /** Resolves when a worker has taken the subscription up for the first time. */
  readonly started: Promise<void>
  readonly #link: WorkerLink
  readonly #onEvent: EventHandler
  readonly #options: SubscribeOptions
  readonly #register: Register
  readonly #life = new AbortController()
  #id: number | null = null
  #position: GlobalPosition | null = null
  #handled: Promise<void> = Promise.resolve()
  #onStarted!: () => void
  #onRefused!: (error: Error) => void
  #hasStarted = false
  #isHandling = false

  constructor(link: WorkerLink, onEvent: EventHandler, options: SubscribeOptions, register: Register) {
    this.#link = link
    this.#onEvent = onEvent
    this.#options = options
    this.#register = register
    this.started = new Promise((resolve, reject) => {
      this.#onStarted = resolve
      this.#onRefused = reject
    })
    options.signal?.addEventListener('abort', () => void this.end(), { signal: this.#life.signal })
  }

  get position(): GlobalPosition {
    return this.#position ?? 0
  }

  establish(): void {
    this.#leave()
    const id = this.#register.enter(this)
    this.#id = id
    this.#takeUp(id).catch(error => {
      // A worker that died is replaced, or the link drops the subscription.
      if (id === this.#id && !isStoreError(error, 'worker-died')) this.drop(error)
    })
  }

  async take(delivery: Delivery): Promise<'continue' | 'stop'> {
    this.#handled = this.#handle(delivery)
    await this.#handled
    return this.#hasEnded ? 'stop' : 'continue'
  }

  /** Ended by its owner. */
  async end(): Promise<void> {
    this.#finish()
    if (!this.#hasStarted) this.#onRefused(new StoreError('aborted', 'The subscription was ended'))
    // A handler that unsubscribes from within itself would wait for itself.
    if (!this.#isHandling) await this.#handled
  }

  drop(error: Error): void {
    if (this.#hasEnded) return
    this.#finish()
    if (!this.#hasStarted) this.#onRefused(error)
    // To close the store is to end its subscriptions.
    else if (!isStoreError(error, 'store-closed')) callSafely(() => this.#options.onDropped?.(error))
  }

  get #hasEnded(): boolean {
    return this.#life.signal.aborted
  }

  async #takeUp(subscriptionId: number): Promise<void> {
    // What a worker that died had delivered is still being handled.
    await this.#handled
    if (this.#hasEnded) return
    const { streamName, from = 'start' } = this.#options
    const call = {
      subscriptionId,
      from: this.#position ?? from,
      ...(streamName !== undefined && { streamName }),
    }
    const position = await this.#link.call(worker => worker.subscribe(call), { resend: false })
    this.#position ??= position
    this.#hasStarted = true
    this.#onStarted()
  }

  async #handle({ events, notice, position }: Delivery): Promise<void> {
    try {
      for (const event of events) {
        if (this.#hasEnded) return
        await this.#handleOne(event)
        this.#position = event.metadata.globalPosition
      }
      if (this.#hasEnded) return
      this.#position = position
      if (notice === 'caught-up') this.#options.onCaughtUp?.()
      if (notice === 'fell-behind') this.#options.onFellBehind?.()
    } catch (error) {
      this.drop(error instanceof Error ? error : new Error(String(error)))
    }
  }

  async #handleOne(event: RecordedEvent): Promise<void> {
    this.#isHandling = true
    try {
      await this.#onEvent(event)
    } finally {
      this.#isHandling = false
    }
  }

  #finish(): void {
    this.#life.abort()
    this.#link.detach(this)
    this.#leave()
  }

  #leave(): void {
    if (this.#id !== null) this.#register.leave(this.#id)
    this.#id = null
  }
}
