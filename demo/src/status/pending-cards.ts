// Which cards have events that the server has not confirmed.

import type { Readable } from 'streamdingo'
import { Cell } from '../cell.ts'
import type { Parts } from '../parts.ts'
import type { DemoEvent } from '../words.ts'

/** Of more changes than these the board says how many wait, and not where. */
const MAX_PENDING = 100
/** The log is looked at again at most this often. */
const REFRESH_MS = 250

export class PendingCards implements Readable<ReadonlySet<string>> {
  readonly #parts: Pick<Parts, 'store' | 'notices'>
  readonly #cards = new Cell<ReadonlySet<string>>(new Set())
  readonly getSnapshot = this.#cards.getSnapshot
  readonly subscribe = this.#cards.subscribe
  #isDue = false
  #looking: Promise<void> | null = null

  constructor(parts: Pick<Parts, 'store' | 'notices'>) {
    this.#parts = parts
    parts.store.sync.status().subscribe(() => this.#look())
    this.#look()
  }

  #look(): void {
    this.#isDue = true
    this.#looking ??= this.#lookWhileDue().catch(error => this.#parts.notices.error(error))
  }

  async #lookWhileDue(): Promise<void> {
    try {
      while (this.#isDue) {
        this.#isDue = false
        const cards = await this.#read()
        const before = this.getSnapshot()
        const isSame = cards.size === before.size && [...cards].every(id => before.has(id))
        if (!isSame) this.#cards.set(cards)
        await new Promise(resolve => setTimeout(resolve, REFRESH_MS))
      }
    } finally {
      this.#looking = null
    }
  }

  async #read(): Promise<ReadonlySet<string>> {
    const { store } = this.#parts
    const cards = new Set<string>()
    const { phase, pending } = store.sync.status().getSnapshot()
    // Without a server nothing waits for one.
    if (pending === 0 || pending > MAX_PENDING || phase === 'off') return cards
    const newestFirst = { direction: 'backwards', order: 'recorded', maxCount: MAX_PENDING } as const
    for await (const { data, metadata } of store.readAll<DemoEvent>(newestFirst)) {
      // What is confirmed is before all that waits.
      if (metadata.status === 'confirmed') break
      if ('cardId' in data) cards.add(data.cardId)
    }
    return cards
  }
}
