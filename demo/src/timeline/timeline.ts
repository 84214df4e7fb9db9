// The part of the log that the timeline shows: at most so many events, ending at the newest or at a chosen one.

import type { Readable, RecordedEvent, Rejection } from 'streamdingo'
import { Cell } from '../cell.ts'
import type { Parts } from '../parts.ts'
import type { DemoEvent } from '../words.ts'

export type Stretch = Readonly<{
  /** Newest first. */
  events: readonly RecordedEvent<DemoEvent>[]
  hasOlder: boolean
  hasNewer: boolean
  /** Ids of those that the server has answered for, and not shown in its log yet. */
  sent: ReadonlySet<string>
  /** What the server's events made impossible, until it is read: it is in the log no more. */
  rejections: readonly Rejection[]
}>

const NOTHING: Stretch = { events: [], hasOlder: false, hasNewer: false, sent: new Set(), rejections: [] }

const PAGE = 40
const MAX_SHOWN = 200
/** The log is read again at most this often while it changes. */
const REFRESH_MS = 120
/** Events shown above one that was asked for. */
const CONTEXT = 4

export class Timeline implements Readable<Stretch> {
  readonly #parts: Pick<Parts, 'store' | 'notices'>
  readonly #stretch = new Cell<Stretch>(NOTHING)
  readonly getSnapshot = this.#stretch.getSnapshot
  readonly subscribe = this.#stretch.subscribe
  #count = PAGE
  /** The position to begin at; null for the end of the log, wherever that comes to be. */
  #newest: number | null = null
  #isDue = false
  #reading: Promise<void> | null = null

  constructor(parts: Pick<Parts, 'store' | 'notices'>) {
    this.#parts = parts
    const { store, notices } = parts
    const refresh = () => void this.#refresh()
    // A change of the log shows as an event, and a confirmation as a change of the sync status.
    store.subscribe(refresh, { from: 'end' }).catch(error => notices.error(error))
    store.sync.status().subscribe(refresh)
    // What was damaged reads otherwise once it is put right.
    store.integrity().subscribe(refresh)
    refresh()
  }

  showOlder(): void {
    const { events } = this.getSnapshot()
    this.#count += PAGE
    if (this.#count > MAX_SHOWN) {
      this.#newest = events.at(PAGE)?.metadata.globalPosition ?? null
      this.#count = MAX_SHOWN
    }
    void this.#refresh()
  }

  showNewest(): void {
    this.#newest = null
    this.#count = PAGE
    void this.#refresh()
  }

  /** Resolves when an event is among those shown, if there is one at this position. */
  async show(position: number): Promise<void> {
    if (!this.getSnapshot().events.some(({ metadata }) => metadata.globalPosition === position)) {
      this.#newest = position + CONTEXT
      this.#count = PAGE
    }
    await this.#refresh()
  }

  async #refresh(): Promise<void> {
    this.#isDue = true
    this.#reading ??= this.#readWhileDue()
    await this.#reading
  }

  async #readWhileDue(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false
      await this.#read().catch(error => this.#parts.notices.error(error))
      await new Promise(resolve => setTimeout(resolve, REFRESH_MS))
    }
    this.#reading = null
  }

  async #read(): Promise<void> {
    const [newest, count] = [this.#newest, this.#count]
    const events: RecordedEvent<DemoEvent>[] = []
    const from = newest === null ? {} : { from: newest }
    const options = { order: 'recorded', direction: 'backwards', maxCount: count + 1, ...from } as const
    for await (const event of this.#parts.store.readAll<DemoEvent>(options)) events.push(event)
    const hasOlder = events.length > count
    const [sent, rejections] = await Promise.all([this.#sentOf(events), this.#parts.store.rejections()])
    const shown = events.slice(0, count)
    this.#stretch.set({ events: shown, hasOlder, hasNewer: newest !== null, sent, rejections })
  }

  async #sentOf(events: readonly RecordedEvent<DemoEvent>[]): Promise<ReadonlySet<string>> {
    const pending = events.filter(({ metadata }) => metadata.status === 'pending')
    const ids = pending.map(({ metadata }) => metadata.eventId)
    const progress = await this.#parts.store.sync.progressOf(ids)
    return new Set(ids.filter((_, i) => progress[i] === 'pushed'))
  }
}
