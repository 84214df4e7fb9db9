// What was erased in this log, by event id: in memory, from the side table.

import { LogDamaged } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { contentOf, sealedValue } from '../sealed-value.ts'
import { type ErasureRecord, erasureBytes, readErasure } from './erasure-record.ts'

const PREFIX = 'erasure/listed/'

export class ErasureList {
  readonly #storage: Pick<LogStorage, 'get' | 'list' | 'put' | 'swap'>
  readonly #hash: HashProvider
  #records: ErasureRecord[] = []
  readonly #ids = new Set<string>()

  constructor(storage: Pick<LogStorage, 'get' | 'list' | 'put' | 'swap'>, hash: HashProvider) {
    this.#storage = storage
    this.#hash = hash
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

  /** @throws `LogDamaged` for a record that is not what was written. */
  async load(): Promise<void> {
    for (const [, bytes] of await this.#storage.list(PREFIX)) this.take(await this.#recordIn(bytes))
  }

  /** Takes these for all there are, and keeps them so: they come from the log, and what was kept is damaged. */
  async replaceBy(records: readonly ErasureRecord[]): Promise<void> {
    this.#records = []
    this.#ids.clear()
    for (const record of records) this.take(record)
    const values = records.map(
      async record => [erasureKey(record.number), await this.valueOf(record)] as const,
    )
    await this.#storage.put(Object.fromEntries(await Promise.all(values)))
  }

  /** Reads what others listed since. Returns it. @throws as {@link load} */
  async refresh(): Promise<readonly ErasureRecord[]> {
    const before = this.count
    for (;;) {
      const bytes = await this.#storage.get(erasureKey(this.count + 1))
      if (!bytes) return this.#records.slice(before)
      this.take(await this.#recordIn(bytes))
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
      const value = await this.valueOf(numbered)
      if (!(await this.#storage.swap(erasureKey(numbered.number), undefined, value))) continue
      this.take(numbered)
      return numbered
    }
  }

  /** A record as it is kept. */
  valueOf(record: ErasureRecord): Promise<Uint8Array<ArrayBuffer>> {
    return sealedValue(erasureBytes(record), this.#hash)
  }

  /**
   * The first position of a stream, or with null of any, at which something was erased since the list had `count`
   * records; infinite where nothing was. What was folded of the events from there on is not what they are.
   */
  touchedSince(count: number, streamName: string | null): GlobalPosition {
    let first = Number.POSITIVE_INFINITY
    for (const { touched } of this.#records.slice(count)) {
      for (const [name, position] of touched) {
        if (streamName === null || name === streamName || name === '') first = Math.min(first, position)
      }
    }
    return first
  }

  async #recordIn(bytes: Uint8Array<ArrayBuffer>): Promise<ErasureRecord> {
    const content = await contentOf(bytes, this.#hash)
    if (content) return readErasure(content, 1)
    throw new LogDamaged(1, `the list of erasures is damaged behind its record ${this.count}`)
  }
}

export const erasureKey = (number: number): string => PREFIX + String(number).padStart(10, '0')
