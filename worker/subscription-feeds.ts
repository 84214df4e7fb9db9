// Feeds the page's subscriptions: events gather while the page handles the last delivery, up to a bound.

import type { GlobalPosition, RecordedEvent } from '../src/log/event.ts'
import type { EventStore } from '../src/model/event-store.ts'
import { wireErrorOf } from '../src/protocol/wire-error.ts'
import type { Delivery, PageApi, SubscribeCall } from '../src/protocol/worker-api.ts'

type Page = Pick<PageApi, 'deliver' | 'dropped'>

export class SubscriptionFeeds {
  readonly #store: Pick<EventStore, 'subscribe'>
  readonly #head: () => GlobalPosition
  readonly #page: Page
  readonly #running = new Map<number, AbortController>()

  constructor(store: Pick<EventStore, 'subscribe'>, head: () => GlobalPosition, page: Page) {
    this.#store = store
    this.#head = head
    this.#page = page
  }

  /** Resolves with the position that the subscription starts behind. */
  async subscribe({ subscriptionId, streamName, from = 'start' }: SubscribeCall): Promise<GlobalPosition> {
    const start = from === 'start' ? 0 : from === 'end' ? this.#head() : from
    const life = new AbortController()
    this.#running.set(subscriptionId, life)
    const feed = new Feed(subscriptionId, this.#page, life)
    let position = () => start
    const subscription = await this.#store.subscribe(event => feed.take(event), {
      from: start,
      ...(streamName !== undefined && { streamName }),
      onCaughtUp: () => feed.tell('caught-up', position()),
      onFellBehind: () => feed.tell('fell-behind', position()),
      onDropped: error => void feed.drop(error),
      signal: life.signal,
    })
    position = subscription.position
    return start
  }

  unsubscribe(subscriptionId: number): void {
    this.#running.get(subscriptionId)?.abort()
    this.#running.delete(subscriptionId)
  }

  close(): void {
    for (const subscriptionId of [...this.#running.keys()]) this.unsubscribe(subscriptionId)
  }
}

/** Events that may wait for the page; the subscription stands still while there are so many. */
const MAX_WAITING = 512

type Draft = { events: RecordedEvent[]; notice: Delivery['notice']; position: GlobalPosition }

class Feed {
  readonly #subscriptionId: number
  readonly #page: Page
  readonly #life: AbortController
  readonly #drafts: Draft[] = []
  #waiting = 0
  #position: GlobalPosition = 0
  #isSending = false
  #sent: Promise<void> = Promise.resolve()
  #onRoom: (() => void) | null = null

  constructor(subscriptionId: number, page: Page, life: AbortController) {
    this.#subscriptionId = subscriptionId
    this.#page = page
    this.#life = life
    life.signal.addEventListener('abort', () => this.#onRoom?.(), { once: true })
  }

  /** Resolves when there is room for another event. */
  take(event: RecordedEvent): void | Promise<void> {
    this.#position = event.metadata.globalPosition
    const draft = this.#openDraft()
    draft.events.push(event)
    draft.position = this.#position
    this.#waiting++
    this.#send()
    if (this.#waiting >= MAX_WAITING && !this.#life.signal.aborted) return this.#room()
  }

  /** Told in its place between the events. */
  tell(notice: NonNullable<Delivery['notice']>, position: GlobalPosition): void {
    this.#position = Math.max(this.#position, position)
    Object.assign(this.#openDraft(), { notice, position: this.#position })
    this.#send()
  }

  async drop(error: Error): Promise<void> {
    await this.#sent
    await this.#page.dropped(this.#subscriptionId, wireErrorOf(error))
  }

  #openDraft(): Draft {
    const last = this.#drafts.at(-1)
    if (last && last.notice === null) return last
    const draft: Draft = { events: [], notice: null, position: this.#position }
    this.#drafts.push(draft)
    return draft
  }

  #send(): void {
    if (!this.#isSending) this.#sent = this.#sendAll()
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    try {
      while (this.#drafts.length > 0 && !this.#life.signal.aborted) await this.#sendOne(this.#drafts.shift()!)
    } finally {
      this.#isSending = false
    }
  }

  async #sendOne(draft: Draft): Promise<void> {
    const verdict = await this.#page.deliver({ subscriptionId: this.#subscriptionId, ...draft })
    this.#waiting -= draft.events.length
    if (verdict === 'stop') this.#life.abort()
    this.#onRoom?.()
  }

  #room(): Promise<void> {
    return new Promise(resolve => {
      this.#onRoom = resolve
    })
  }
}
