// What was erased in this log, by event id: in memory, from the side table.

import type { GlobalPosition } from '../../log/event.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { type ErasureRecord, erasureBytes, readErasure } from './erasure-record.ts'

const PREFIX = 'erasure/listed/'

export class ErasureList {
  readonly #storage: Pick<LogStorage, 'get' | 'list' | 'swap'>
  readonly #records: ErasureRecord[] = []
  readonly #ids = new Set<string>()

  constructor(storage: Pick<LogStorage, 'get' | 'list' | 'swap'>) {
    this.#storage = storage
  }

  /** In order; the first has number 1. */
  get records(): readonly ErasureRecord[] {
    return this.#records
  }

  get count(): number {
    return this.#records.length
  }

  has(eventId: string): boolean {
    return this.#ids.has(eventId)
  }

  async load(): Promise<void> {
    for (const [, bytes] of await this.#storage.list(PREFIX)) this.take(readErasure(bytes, 0))
  }

  /** Reads what others listed since. Returns it. */
  async refresh(): Promise<readonly ErasureRecord[]> {
    const before = this.count
    for (;;) {
      const bytes = await this.#storage.get(erasureKey(this.count + 1))
      if (!bytes) return this.#records.slice(before)
      this.take(readErasure(bytes, 0))
    }
  }

  /** False for one that is known. */
  take(record: ErasureRecord): boolean {
    if (record.number !== this.count + 1) return false
    this.#records.push(record)
    for (const eventId of record.eventIds) this.#ids.add(eventId)
    return true
  }

  /** Lists it under the next number that is free: of several processes that add at once, each gets one of its own. */
  async add(record: Omit<ErasureRecord, 'number'>): Promise<ErasureRecord> {
    for (;;) {
      await this.refresh()
      const numbered = { ...record, number: this.count + 1 }
      if (!(await this.#storage.swap(erasureKey(numbered.number), undefined, erasureBytes(numbered))))
        continue
      this.take(numbered)
      return numbered
    }
  }

  /**
   * The first position of a stream, or with null of any, at which something was erased since the list had `count`
   * records; infinite where nothing was. What was folded of the events from there on is not what they are.
   */
  touchedSince(count: number, streamName: string | null): GlobalPosition {
    let first = Number.POSITIVE_INFINITY
    for (const { touched } of this.#records.slice(count)) {
      for (const [name, position] of touched) {
        if (streamName === null || name === streamName) first = Math.min(first, position)
      }
    }
    return first
  }
}

export const erasureKey = (number: number): string => PREFIX + String(number).padStart(10, '0')
