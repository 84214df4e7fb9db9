// What a log offers of erasing: it does so, goes on with it after a crash, and says what was erased.

import type { Block } from '../../log/block.ts'
import { textOf, utf8 } from '../../log/bytes.ts'
import { type Entry, KIND_AMENDMENT, KIND_ERASED, KIND_EVENT, KIND_SYSTEM } from '../../log/entry.ts'
import { erasedForm } from '../../log/erased-entry.ts'
import { isStoreError, StoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import { eventIdOf, isEventId, newEventId } from '../../log/event-id.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import { jsonSlice } from '../../log/json-column.ts'
import type { EraseOptions, Erasure } from '../../model/erasure.ts'
import { MAX_ERASED_IDS, MAX_REASON } from '../../protocol/erasure-messages.ts'
import type { KeyValues, LogStorage } from '../../storage/log-storage.ts'
import type { BlockStore } from '../block-store.ts'
import type { Draft } from '../draft.ts'
import type { EventContents } from '../encryption/event-contents.ts'
import { contentOf, sealedValue } from '../sealed-value.ts'
import type { Job } from '../writer.ts'
import { eraseCopies } from './erase-copies.ts'
import { ErasureCursor } from './erasure-cursor.ts'
import { draftErasure, type ErasureJobParts, type ErasureWish, erasureJob } from './erasure-job.ts'
import { ErasureList } from './erasure-list.ts'
import { ERASURE_STREAM, type ErasureRecord, readErasure } from './erasure-record.ts'
import { idsOfSubject, positionsOf } from './find-entries.ts'

/** Erasures that were begun, until nothing of them is left to do: after a crash they are gone on with. */
export const BEGUN = 'erasure/begun/'

export type ErasuresParts = Omit<
  ErasureJobParts,
  'list' | 'index' | 'storage' | 'forgetBlocks' | 'hasNotes'
> &
  Readonly<{
    storage: LogStorage
    blocks: BlockStore
    contents: () => EventContents
    index: () => ErasureJobParts['index']
    idsReady: () => Promise<void>
    submit: <T>(job: Job<T>) => Promise<T>
    now: () => number
    /** Told of records that stand in no entry of the log. */
    onListed: (records: readonly ErasureRecord[]) => void
  }>

export class Erasures {
  /** What of them server and replica have told each other. */
  readonly cursor: ErasureCursor
  readonly #parts: ErasuresParts
  readonly #list: ErasureList
  #isDamaged = false
  #resuming: Promise<void> | null = null

  constructor(parts: ErasuresParts) {
    this.#parts = parts
    this.#list = new ErasureList(parts.storage, parts.hash)
    this.cursor = new ErasureCursor(parts.storage, this.#list, parts.hash)
  }

  /** How many records there are. */
  get count(): number {
    return this.#list.count
  }

  /** Whether each record stands in the log, too. */
  get isInLog(): boolean {
    return !this.#parts.isAuthority
  }

  get records(): readonly ErasureRecord[] {
    return this.#list.records
  }

  /** As the application is told of them. */
  list(): Erasure[] {
    return this.records
      .filter(({ origin }) => origin !== 'keys')
      .map(({ eventIds, reason, erasedAt }) => ({ eventIds, reason, erasedAt }))
  }

  has(eventId: string): boolean {
    return this.#list.has(eventId)
  }

  /** See {@link ErasureList.touchedSince}. */
  touchedSince(count: number, streamName: string | null): GlobalPosition {
    return count === this.#list.count ? Number.POSITIVE_INFINITY : this.#list.touchedSince(count, streamName)
  }

  /** Before the log is read. @throws `LogDamaged` on a server whose list is not what was written. */
  async load(): Promise<void> {
    await this.cursor.load()
    try {
      await this.#list.load()
    } catch (error) {
      if (!isStoreError(error, 'log-damaged') || this.#parts.isAuthority) throw error
      this.#isDamaged = true
    }
  }

  /** Once the log is read: it has every record, too, and a list that is damaged is made anew of it. */
  async opened(): Promise<void> {
    if (!this.#isDamaged) return
    const { blocks } = this.#parts
    const index = this.#parts.index()
    const records: ErasureRecord[] = []
    for (const position of index.positionsOf(ERASURE_STREAM, 1, index.versionOf(ERASURE_STREAM))) {
      const block = await blocks.holding(position)
      const payload = jsonSlice(block.payloads, position - block.firstPosition)
      records.push(readErasure(payload, position))
    }
    await this.#list.replaceBy(records)
    this.#isDamaged = false
  }

  /** Reads what other servers listed since. */
  async refresh(): Promise<void> {
    const records = await this.#list.refresh()
    if (records.length === 0) return
    this.#parts.blocks.forgetAll()
    this.#parts.onListed(records)
  }

  /** Takes in the records that a block has at a position or behind. */
  takeFrom(block: Block, from: GlobalPosition): readonly ErasureRecord[] {
    if (!block.kinds.includes(KIND_SYSTEM)) return []
    const taken: ErasureRecord[] = []
    for (let i = from - block.firstPosition; i < block.count; i++) {
      if (block.kinds[i] !== KIND_SYSTEM || block.streamNameOf(i) !== ERASURE_STREAM) continue
      const record = readErasure(jsonSlice(block.payloads, i), block.firstPosition + i)
      if (this.#list.take(record)) taken.push(record)
    }
    if (taken.length > 0) this.#parts.blocks.forgetAll()
    return taken
  }

  /** What another replica sends of an event, without what is erased here. */
  asListed(entry: Entry): Entry {
    if (this.count === 0 || entry.kind !== KIND_EVENT || !this.has(eventIdOf(entry.eventId))) return entry
    return erasedForm(entry, this.#parts.chain.bodyOf(entry))
  }

  /** Writes down which of these entries came erased and are not listed here: with the draft that takes them in. */
  async draftUnlisted(entries: readonly Entry[], draft: Draft): Promise<void> {
    const eventIds = entries
      .filter(({ kind }) => kind === KIND_ERASED)
      .map(({ eventId }) => eventIdOf(eventId))
      .filter(eventId => !this.has(eventId))
    if (eventIds.length === 0) return
    const wish = { eventIds, reason: null, erasedAt: this.#parts.now() }
    await draftErasure({ ...wish, origin: 'server', touched: [] }, draft, this.#list)
  }

  /** Server side: events that were just admitted. What another process listed meanwhile is erased, too. */
  async admitted(entries: readonly Entry[]): Promise<void> {
    await this.refresh()
    if (this.count === 0 && entries.every(({ kind }) => kind !== KIND_ERASED)) return
    const eventIds = entries
      .filter(({ kind }) => kind !== KIND_AMENDMENT)
      .filter(({ kind, eventId }) => (kind === KIND_ERASED) !== this.has(eventIdOf(eventId)))
      .map(({ eventId }) => eventIdOf(eventId))
    if (eventIds.length > 0) await this.take({ eventIds, reason: null, erasedAt: this.#parts.now() })
  }

  /** @throws `StoreError` `unknown-event`, `invalid-argument`; `LogDamaged` */
  async erase(eventIds: readonly string[], { reason }: EraseOptions = {}): Promise<Erasure> {
    if (reason !== undefined && (typeof reason !== 'string' || reason.length > MAX_REASON)) {
      throw new StoreError(
        'invalid-argument',
        `The reason must be a text of at most ${MAX_REASON} characters`,
      )
    }
    await this.#parts.idsReady()
    for (const eventId of eventIds) this.#checkKnown(eventId)
    const wish = { eventIds, reason: reason ?? null, erasedAt: this.#parts.now() }
    await this.#carryOut({ ...wish, origin: 'here' })
    return wish
  }

  async eraseSubject(key: string, value: string, options?: EraseOptions): Promise<Erasure> {
    const { index, blocks, contents, catchUp } = this.#parts
    await catchUp()
    return this.erase(
      await idsOfSubject(key, value, { index: index(), blocks, contents: contents() }),
      options,
    )
  }

  /**
   * Has folded again what was folded of events that can be read now, or cannot any more, and takes what is kept of it away.
   *
   * @param find where the first of them stands in each stream; asked at the write door, and once more should another tab be
   * first
   * @param values of the side table that are written with the record
   */
  async keysChanged(find: () => Promise<ErasureRecord['touched']>, values: KeyValues): Promise<void> {
    const { submit, storage, now } = this.#parts
    const touched = await submit({
      isAlone: true,
      plan: async draft => {
        const found = await find()
        await this.#list.refresh()
        const record = {
          eventIds: [],
          reason: null,
          erasedAt: now(),
          origin: 'keys',
          touched: found,
        } as const
        if (found.length > 0) await draftErasure(record, draft, this.#list)
        for (const [key, value] of Object.entries(values)) draft.addValue(key, value)
        return found
      },
    })
    await eraseCopies({ eventIds: [], touched }, storage)
  }

  /** Takes over what the server lists: events that are not here yet are erased when they come. */
  take(erasure: Erasure): Promise<void> {
    return this.#carryOut({ ...erasure, origin: 'server' })
  }

  /** False while some erasure is begun and not done, in whichever tab. */
  async areSettled(): Promise<boolean> {
    const { storage, catchUp } = this.#parts
    const begun = await storage.keys(BEGUN, 1)
    await catchUp()
    return begun.length === 0
  }

  /** Goes on with what was begun before a crash. Whoever asks while that is under way waits for it. */
  resume(): Promise<void> {
    this.#resuming ??= this.#resumeOnce().finally(() => {
      this.#resuming = null
    })
    return this.#resuming
  }

  async #resumeOnce(): Promise<void> {
    const { storage, hash } = this.#parts
    for (const [key, bytes] of await storage.list(BEGUN)) {
      const content = await contentOf(bytes, hash)
      if (content) await this.#finish(key, JSON.parse(textOf(content)) as ErasureWish)
      // Nobody was told that it was done; what it was to be, nobody knows.
      else await storage.put({ [key]: null })
    }
  }

  #checkKnown(eventId: string): void {
    if (isEventId(eventId) && positionsOf([eventId.toLowerCase()], this.#parts.index()).length > 0) return
    throw new StoreError('unknown-event', `The log has no event ${eventId}`, { eventId })
  }

  async #carryOut(wish: ErasureWish): Promise<void> {
    const eventIds = wish.eventIds.map(eventId => eventId.toLowerCase())
    for (let from = 0; from < eventIds.length; from += MAX_ERASED_IDS) {
      const part = { ...wish, eventIds: eventIds.slice(from, from + MAX_ERASED_IDS) }
      const { storage, hash } = this.#parts
      const [key, value] = await begunErasure(part, hash)
      await storage.put({ [key]: value })
      await this.#finish(key, part)
    }
  }

  async #finish(key: string, wish: ErasureWish): Promise<void> {
    const { storage, submit, isAuthority, blocks, onListed } = this.#parts
    const job = erasureJob(wish, {
      ...this.#parts,
      list: this.#list,
      index: this.#parts.index(),
      hasNotes: !isAuthority,
      forgetBlocks: () => blocks.forgetAll(),
    })
    const done = await submit(job)
    if (done.record && isAuthority) onListed([done.record])
    // Once nobody can add to them any more; after a crash, perhaps once more.
    await eraseCopies(done, storage)
    await storage.put({ [key]: null })
  }
}

/** As it stands in the side table: a log that is opened with it carries it out. */
export async function begunErasure(
  { eventIds, reason, erasedAt, origin }: ErasureWish,
  hash: HashProvider,
): Promise<readonly [key: string, value: Uint8Array<ArrayBuffer>]> {
  const text = JSON.stringify({ eventIds, reason, erasedAt, origin })
  return [BEGUN + newEventId(), await sealedValue(utf8(text), hash)]
}
