// What the worker knows of the log without reading it: streams, ids, what is confirmed, what is superseded.

import type { Block } from '../log/block.ts'
import { type GlobalPosition, type StreamVersion, SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import { KIND_SYSTEM } from '../log/hash-chain.ts'
import { jsonSlice } from '../log/json-column.ts'
import { EventIdTable } from './event-id-table.ts'
import type { SyncCursor } from './event-log.ts'
import { GrowableUint32 } from './growable.ts'
import { readSyncFact, SYNC_STREAM, type SyncFact } from './sync-fact.ts'

/** Entries from..to that a rebase superseded; system entries among them still count. */
export type SupersededRange = readonly [from: GlobalPosition, to: GlobalPosition]

type StreamIndex = {
  readonly name: string
  readonly isSystem: boolean
  /** Positions of the effective entries; the one of version v stands at v - 1. */
  readonly positions: GrowableUint32
  /** Hash of the last effective entry; null until somebody reads it, after a checkpoint or a rebase. */
  headHash: Uint8Array | null
}

/** The cursor of a log that is itself the server's: everything in it is confirmed by being there. */
const EVERYTHING: SyncCursor = { epoch: '', serverPosition: 0, confirmedThrough: Number.MAX_SAFE_INTEGER }
const NOTHING: SyncCursor = { epoch: '', serverPosition: 0, confirmedThrough: 0 }

export class LogIndex {
  #head: GlobalPosition = 0
  #cursor: SyncCursor
  #pending = 0
  readonly #streams: StreamIndex[] = []
  readonly #numberOf = new Map<string, number>()
  /** Stream number of each position. */
  readonly #streamOf = new GrowableUint32(1024)
  readonly #ids = new EventIdTable()
  readonly #superseded: SupersededRange[] = []

  constructor({ isAuthority }: { isAuthority: boolean }) {
    this.#cursor = isAuthority ? EVERYTHING : NOTHING
  }

  get head(): GlobalPosition {
    return this.#head
  }

  get cursor(): SyncCursor {
    return this.#cursor
  }

  /** Effective entries behind the cursor. */
  get pending(): number {
    return this.#pending
  }

  get superseded(): readonly SupersededRange[] {
    return this.#superseded
  }

  /** Takes in the next block. Returns from where on earlier entries became superseded, if any did. */
  apply(block: Block): GlobalPosition | null {
    let supersededFrom: GlobalPosition | null = null
    for (let i = 0; i < block.count; i++) {
      const stream = this.#addEntry(block.streamNameOf(i), block.idOf(i))
      if (block.kinds[i] === KIND_SYSTEM && stream.name === SYNC_STREAM) {
        const fact = readSyncFact(jsonSlice(block.payloads, i), this.#head)
        this.#applyFact(fact)
        if (fact.supersededFrom !== null)
          supersededFrom = Math.min(fact.supersededFrom, supersededFrom ?? Infinity)
      }
    }
    this.#rememberHeads(block)
    return supersededFrom
  }

  /** Takes in entries from a checkpoint, which knows neither hashes nor facts. */
  restoreEntry(streamName: string, id: Uint8Array): void {
    this.#addEntry(streamName, id)
  }

  /** Ends a restore: the facts as they stood at the checkpoint. */
  restoreFacts(cursor: SyncCursor, superseded: readonly SupersededRange[]): void {
    for (const [from, to] of superseded) this.#supersede(from, to)
    this.#moveCursor(cursor)
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

  /** Position of the effective event with this id. */
  positionOfId(id: Uint8Array): GlobalPosition | undefined {
    const position = this.#ids.positionOf(id)
    return position !== undefined && this.isEffective(position) ? position : undefined
  }

  isEffective(position: GlobalPosition): boolean {
    return (
      position >= 1 &&
      position <= this.#head &&
      !this.#streamAt(position).isSystem &&
      !this.#isSuperseded(position)
    )
  }

  /** For the checkpoint: columns of the positions in [from, to]. */
  columns(
    from: GlobalPosition,
    to: GlobalPosition,
  ): { streamNames: string[]; streamOf: Uint32Array; ids: Uint8Array } {
    const streamOf = this.#streamOf.slice(from - 1, to)
    const local = new Map<number, number>()
    for (let i = 0; i < streamOf.length; i++) {
      const number = streamOf[i]!
      if (!local.has(number)) local.set(number, local.size)
      streamOf[i] = local.get(number)!
    }
    const streamNames = [...local.keys()].map(number => this.#streams[number]!.name)
    return { streamNames, streamOf, ids: this.#ids.slice(from, to) }
  }

  #addEntry(streamName: string, id: Uint8Array): StreamIndex {
    const number = this.#numberOf.get(streamName) ?? this.#addStream(streamName)
    const stream = this.#streams[number]!
    this.#head++
    this.#streamOf.push(number)
    this.#ids.add(id)
    stream.positions.push(this.#head)
    stream.headHash = null
    if (!stream.isSystem && this.#head > this.#cursor.confirmedThrough) this.#pending++
    return stream
  }

  /** One copy a stream: a view would keep the whole block in memory. */
  #rememberHeads(block: Block): void {
    const lastOf = new Map<string, number>()
    for (let i = 0; i < block.count; i++) lastOf.set(block.streamNameOf(i), i)
    for (const [streamName, i] of lastOf) {
      const stream = this.#find(streamName)!
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

  #applyFact({ supersededFrom, ...cursor }: SyncFact): void {
    if (supersededFrom !== null && supersededFrom < this.#head)
      this.#supersede(supersededFrom, this.#head - 1)
    this.#moveCursor(cursor)
  }

  #supersede(from: GlobalPosition, to: GlobalPosition): void {
    for (let position = to; position >= from; position--) {
      const stream = this.#streamAt(position)
      if (stream.isSystem || this.#isSuperseded(position)) continue
      this.#dropFrom(stream, from, to)
      if (position > this.#cursor.confirmedThrough) this.#pending--
    }
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
    const through = Math.min(cursor.confirmedThrough, this.#head)
    for (let position = this.#cursor.confirmedThrough + 1; position <= through; position++) {
      if (this.isEffective(position)) this.#pending--
    }
    this.#cursor = cursor
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
