// What the worker knows of the log without reading it: streams, ids, what is confirmed, what is superseded.

import { readAmendment } from '../log/amendment.ts'
import type { Block } from '../log/block.ts'
import { KIND_AMENDMENT, KIND_SYSTEM } from '../log/entry.ts'
import { type GlobalPosition, type StreamVersion, SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import { ID_BYTES } from '../log/event-id.ts'
import { GrowableUint32 } from '../log/growable.ts'
import { type JsonColumn, jsonLength, jsonPart, jsonSlice } from '../log/json-column.ts'
import type { AmendmentRecord, PlaceRange } from './amendments/amendment-records.ts'
import { EffectiveOrder } from './amendments/effective-order.ts'
import { EventIdTable } from './event-id-table.ts'
import type { SyncCursor } from './event-log.ts'
import { readSyncFact, SYNC_STREAM, type SyncFact } from './sync-fact.ts'

/** Entries from..to that a rebase superseded; system entries among them still count. */
export type SupersededRange = readonly [from: GlobalPosition, to: GlobalPosition]

/**
 * The streams of entries as a checkpoint keeps them: names of those that no entry before was of, numbered on from
 * `firstNumber`, and the number of each entry's stream.
 */
export type StreamColumn = Readonly<{
  firstNumber: number
  newNames: readonly string[]
  numbers: Uint32Array
}>

type StreamIndex = {
  readonly name: string
  readonly isSystem: boolean
  /** Positions of the effective entries; the one of version v stands at v - 1. */
  positions: GrowableUint32
  /** Hash of the last effective entry; null until somebody reads it, after a checkpoint or a rebase. */
  headHash: Uint8Array | null
}

/** What a checkpoint keeps beside the columns. */
export type IndexFacts = Pick<LogIndex, 'cursor' | 'confirmedOnce' | 'superseded' | 'contentBytes'> &
  Readonly<{ amendments: readonly AmendmentRecord[] }>

/** From where on what was known before is not so any more; null where all of it still is. */
export type AppliedBlock = Readonly<{
  /** Earlier entries were superseded. */
  supersededFrom: GlobalPosition | null
  /** Other events count at earlier places. */
  amendedFrom: GlobalPosition | null
  /** Entries that were confirmed are pending again. */
  unconfirmedFrom: GlobalPosition | null
}>

/** The cursor of a log that is itself the server's: everything in it is confirmed by being there. */
const EVERYTHING: SyncCursor = { epoch: '', serverPosition: 0, confirmedThrough: Number.MAX_SAFE_INTEGER }
const NOTHING: SyncCursor = { epoch: '', serverPosition: 0, confirmedThrough: 0 }

export class LogIndex {
  #head: GlobalPosition = 0
  #cursor: SyncCursor
  #confirmedOnce: GlobalPosition = 0
  #pending = 0
  #contentBytes = 0
  readonly #streams: StreamIndex[] = []
  readonly #numberOf = new Map<string, number>()
  /** Stream number of each position. */
  readonly #streamOf = new GrowableUint32(1024)
  readonly #ids = new EventIdTable()
  readonly #superseded: SupersededRange[] = []
  readonly order = new EffectiveOrder({
    positionAt: (streamName, version) => this.positionAt(streamName, version),
    versionAt: (streamName, position) => this.#find(streamName)!.positions.countThrough(position),
  })

  constructor({ isAuthority }: { isAuthority: boolean }) {
    this.#cursor = isAuthority ? EVERYTHING : NOTHING
  }

  get head(): GlobalPosition {
    return this.#head
  }

  get cursor(): SyncCursor {
    return this.#cursor
  }

  /**
   * Every effective entry up to here was confirmed, by the server's log or by one that was in its place before: what is
   * behind the cursor all the same has been seen by others.
   */
  get confirmedOnce(): GlobalPosition {
    return this.#confirmedOnce
  }

  /** Effective entries behind the cursor. */
  get pending(): number {
    return this.#pending
  }

  /** Of all entries, as they were recorded: data and metadata as JSON. */
  get contentBytes(): number {
    return this.#contentBytes
  }

  get superseded(): readonly SupersededRange[] {
    return this.#superseded
  }

  /**
   * Takes in what the next block holds behind the head: all of it, or the rest where blocks were merged across the
   * head.
   */
  apply(block: Block): AppliedBlock {
    const from = this.#head + 1 - block.firstPosition
    let supersededFrom: GlobalPosition | null = null
    let amendedFrom: GlobalPosition | null = null
    let unconfirmedFrom: GlobalPosition | null = null
    const numbers = block.segments.map(({ streamName }) => this.#numberOfStream(streamName))
    this.#ids.add(block.ids.subarray(from * ID_BYTES))
    this.#contentBytes += valueBytes(block.payloads, from) + valueBytes(block.metadata, from)
    for (let i = from; i < block.count; i++) {
      const stream = this.#addEntry(numbers[block.segmentOf[i]!]!)
      if (block.kinds[i] === KIND_SYSTEM && stream.name === SYNC_STREAM) {
        const fact = readSyncFact(jsonSlice(block.payloads, i), this.#head)
        const isSetBack = fact.confirmedThrough < this.#cursor.confirmedThrough
        if (isSetBack) unconfirmedFrom = earliest(unconfirmedFrom, fact.confirmedThrough + 1)
        amendedFrom = earliest(amendedFrom, this.#applyFact(fact))
        supersededFrom = earliest(supersededFrom, fact.supersededFrom)
      } else if (block.kinds[i] === KIND_AMENDMENT) {
        amendedFrom = earliest(amendedFrom, this.#takeAmendment(stream, jsonSlice(block.payloads, i)))
      }
    }
    this.#rememberHeads(block, numbers)
    return { supersededFrom, amendedFrom, unconfirmedFrom }
  }

  /**
   * Takes in entries from a checkpoint, which knows neither hashes nor facts. False where the column does not go on from
   * what the index has. Until {@link restoreFacts} ends it, nothing can be asked.
   */
  restore({ firstNumber, newNames, numbers }: StreamColumn): boolean {
    if (firstNumber !== this.#streams.length) return false
    for (const name of newNames) if (!this.#numberOf.has(name)) this.#addStream(name)
    if (this.#streams.length !== firstNumber + newNames.length) return false
    if (numbersIn(numbers) > this.#streams.length) return false
    this.#streamOf.pushAll(numbers)
    this.#head += numbers.length
    return true
  }

  /** Ends a restore: the facts as they stood at the checkpoint. Ids are given later, by {@link restoreIds}. */
  restoreFacts({ cursor, confirmedOnce, superseded, contentBytes, amendments }: IndexFacts): void {
    this.#contentBytes = contentBytes
    this.#ids.leaveRoom(this.#head)
    this.#placeRestored()
    for (const [from, to] of superseded) this.#supersede(from, to)
    this.order.restore(amendments)
    this.#moveCursor(cursor)
    this.#confirmedOnce = confirmedOnce
  }

  /** For the checkpoint. */
  get facts(): IndexFacts {
    const { cursor, confirmedOnce, superseded, contentBytes } = this
    return { cursor, confirmedOnce, superseded, contentBytes, amendments: this.order.records }
  }

  versionOf(streamName: string): StreamVersion {
    return this.#find(streamName)?.positions.length ?? 0
  }

  /** Position of a stream's entry at a version that it has. */
  positionAt(streamName: string, version: StreamVersion): GlobalPosition {
    return this.#find(streamName)!.positions.at(version - 1)
  }

  /** Positions of the versions in [from, to], as a copy. */
  positionsOf(streamName: string, from: StreamVersion, to: StreamVersion): Uint32Array {
    return this.#find(streamName)?.positions.slice(from - 1, to) ?? new Uint32Array()
  }

  /** Null when it has to be read from the block first. */
  headHashOf(streamName: string): Uint8Array | null {
    return this.#find(streamName)?.headHash ?? null
  }

  rememberHeadHash(streamName: string, version: StreamVersion, hash: Uint8Array): void {
    const stream = this.#find(streamName)
    if (stream?.positions.length === version) stream.headHash = hash
  }

  /** Takes in ids from a checkpoint, 16 bytes each. Until all are there, none can be looked for. */
  restoreIds(ids: Uint8Array, first: GlobalPosition): void {
    this.#ids.fill(ids, first)
  }

  /** Position of the effective event with the id at byte `offset` of `ids`. */
  positionOfId(ids: Uint8Array, offset = 0): GlobalPosition | undefined {
    const position = this.#ids.positionOf(ids, offset)
    return position !== undefined && this.isEffective(position) ? position : undefined
  }

  /** Also of an entry that does not count any more. */
  knowsId(id: Uint8Array): boolean {
    return this.#ids.positionOf(id) !== undefined
  }

  /** Position of the oldest pending entry, null for none. */
  get firstPending(): GlobalPosition | null {
    if (this.#pending === 0) return null
    let position = this.#cursor.confirmedThrough + 1
    while (!this.isEffective(position)) position++
    return position
  }

  /** Gets ready to look for ids, by up to `max` of them. False when more are left. */
  hashIds(max: number): boolean {
    return this.#ids.hashSome(max)
  }

  /** What counts at the place of an effective entry. */
  countingAt(position: GlobalPosition): readonly GlobalPosition[] {
    return this.order.isEmpty ? [position] : this.order.at(this.#streamAt(position).name, position)
  }

  /** Not superseded, and none of the system's own. */
  isEffective(position: GlobalPosition): boolean {
    return (
      position >= 1 &&
      position <= this.#head &&
      !this.#streamAt(position).isSystem &&
      !this.#isSuperseded(position)
    )
  }

  /** For the checkpoint: ids of the positions in [from, to], 16 bytes each. */
  idColumn(from: GlobalPosition, to: GlobalPosition): Uint8Array<ArrayBuffer> {
    return this.#ids.slice(from, to)
  }

  /** For the checkpoint: streams of the positions in [from, to]. */
  streamColumn(from: GlobalPosition, to: GlobalPosition): StreamColumn {
    const all = this.#streamOf.values()
    const firstNumber = numbersIn(all.subarray(0, from - 1))
    const newNames = this.#streams.slice(firstNumber, numbersIn(all.subarray(0, to))).map(({ name }) => name)
    return { firstNumber, newNames, numbers: this.#streamOf.slice(from - 1, to) }
  }

  /** The positions of all streams, in one array: first counted, then filled in. */
  #placeRestored(): void {
    const ends = new Uint32Array(this.#streams.length)
    const streamOf = this.#streamOf.values()
    for (const number of streamOf) ends[number]!++
    for (let number = 1; number < ends.length; number++) ends[number]! += ends[number - 1]!
    const positions = new Uint32Array(streamOf.length)
    const isConfirmed = this.#cursor.confirmedThrough >= this.#head
    const next = Uint32Array.from(ends, (_, number) => (number === 0 ? 0 : ends[number - 1]!))
    for (let i = 0; i < streamOf.length; i++) positions[next[streamOf[i]!]!++] = i + 1
    for (const [number, stream] of this.#streams.entries()) {
      const start = number === 0 ? 0 : ends[number - 1]!
      stream.positions = GrowableUint32.holding(positions.subarray(start, ends[number]))
      // On a device the cursor comes right behind, and takes the confirmed ones off.
      if (!stream.isSystem && !isConfirmed) this.#pending += stream.positions.length
    }
  }

  #numberOfStream(name: string): number {
    return this.#numberOf.get(name) ?? this.#addStream(name)
  }

  #addEntry(number: number): StreamIndex {
    const stream = this.#streams[number]!
    this.#head++
    this.#streamOf.push(number)
    stream.positions.push(this.#head)
    stream.headHash = null
    if (!stream.isSystem && this.#head > this.#cursor.confirmedThrough) this.#pending++
    return stream
  }

  /** One copy a stream: a view would keep the whole block in memory. */
  #rememberHeads(block: Block, numbers: readonly number[]): void {
    const lastOf = new Map<number, number>()
    for (let i = 0; i < block.count; i++) lastOf.set(numbers[block.segmentOf[i]!]!, i)
    for (const [number, i] of lastOf) {
      const stream = this.#streams[number]!
      if (stream.positions.last() === block.firstPosition + i) stream.headHash = block.hashOf(i).slice()
    }
  }

  #addStream(name: string): number {
    const isSystem = name.startsWith(SYSTEM_STREAM_PREFIX)
    const number =
      this.#streams.push({ name, isSystem, positions: new GrowableUint32(2), headHash: null }) - 1
    this.#numberOf.set(name, number)
    return number
  }

  /** Returns the first place at which something else counts now. */
  #applyFact({ supersededFrom, tree: _, ...cursor }: SyncFact): GlobalPosition | null {
    let amended: PlaceRange | null = null
    if (supersededFrom !== null && supersededFrom < this.#head) {
      this.#supersede(supersededFrom, this.#head - 1)
      amended = this.order.supersede(supersededFrom, this.#head - 1, this.#head)
    }
    this.#moveCursor(cursor)
    return amended?.first ?? null
  }

  /** As {@link #applyFact}. One that nobody can read changes nothing: that it is so is checked where it comes in. */
  #takeAmendment({ name: streamName, positions }: StreamIndex, payload: Uint8Array): GlobalPosition | null {
    const version = positions.length
    const changes = readAmendment(payload, version)?.changes ?? []
    return this.order.take({ streamName, position: this.#head, version, changes })?.first ?? null
  }

  #supersede(from: GlobalPosition, to: GlobalPosition): void {
    for (let position = to; position >= from; position--) {
      const stream = this.#streamAt(position)
      if (stream.isSystem || this.#isSuperseded(position)) continue
      this.#dropFrom(stream, from, to)
      if (position > this.#cursor.confirmedThrough) this.#pending--
    }
    // It reaches the end of the log: what was superseded behind its beginning is inside it.
    while (this.#superseded.length > 0 && this.#superseded.at(-1)![0] >= from) this.#superseded.pop()
    this.#superseded.push([from, to])
  }

  /** Takes the positions in [from, to] out of a stream. Behind them stands nothing but in a restore. */
  #dropFrom(stream: StreamIndex, from: GlobalPosition, to: GlobalPosition): void {
    const { positions } = stream
    let end = positions.length
    while (end > 0 && positions.at(end - 1) > to) end--
    let start = end
    while (start > 0 && positions.at(start - 1) >= from) start--
    if (start === end) return
    const behind = positions.slice(end)
    positions.truncate(start)
    for (const position of behind) positions.push(position)
    stream.headHash = null
  }

  #moveCursor(cursor: SyncCursor): void {
    // What a device noted before its log became the server's says nothing of it.
    if (this.#cursor === EVERYTHING) return
    const before = Math.min(this.#cursor.confirmedThrough, this.#head)
    const through = Math.min(cursor.confirmedThrough, this.#head)
    for (let position = before + 1; position <= through; position++) {
      if (this.isEffective(position)) this.#pending--
    }
    for (let position = through + 1; position <= before; position++) {
      if (this.isEffective(position)) this.#pending++
    }
    this.#confirmedOnce = Math.max(this.#confirmedOnce, cursor.confirmedThrough)
    this.#cursor = cursor
  }

  /** Moves the cursor over entries of the server that are not held here, where it is in front of them. */
  passBy({ epoch, after, next }: Readonly<{ epoch: string; after: number; next: number }>): void {
    const isBefore = this.#cursor.epoch === epoch && this.#cursor.serverPosition === after
    if (isBefore) this.#cursor = { ...this.#cursor, serverPosition: next }
  }

  /** Takes back what was passed by. */
  goBackTo(serverPosition: number): void {
    this.#cursor = { ...this.#cursor, serverPosition }
  }

  #find(streamName: string): StreamIndex | undefined {
    const number = this.#numberOf.get(streamName)
    return number === undefined ? undefined : this.#streams[number]
  }

  #streamAt(position: GlobalPosition): StreamIndex {
    return this.#streams[this.#streamOf.at(position - 1)]!
  }

  /** Ranges are in order and never overlap: a superseded tail ends before the next one begins. */
  #isSuperseded(position: GlobalPosition): boolean {
    let low = 0
    let high = this.#superseded.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const [from, to] = this.#superseded[middle]!
      if (position < from) high = middle - 1
      else if (position > to) low = middle + 1
      else return true
    }
    return false
  }
}

/** Null is later than any. */
export const earliest = (a: GlobalPosition | null, b: GlobalPosition | null): GlobalPosition | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b)

/** How many numbers there are up to the largest of these. */
function numbersIn(numbers: Uint32Array): number {
  let count = 0
  for (const number of numbers) if (number >= count) count = number + 1
  return count
}

/** Of the values from one on, without the commas between them. */
function valueBytes(column: JsonColumn, from: number): number {
  const part = jsonPart(column, from, column.ends.length)
  return jsonLength(part) - Math.max(0, part.ends.length - 1)
}
