// Builds blocks from entries: cuts them to size, keeps commits whole across the cuts, seals each with a digest.

import { BLOCK_MAGIC, type Segment, type StoredBlock, sealedParts } from './block.ts'
import { ByteWriter, equalBytes, utf8 } from './bytes.ts'
import { type CommitNote, noteBytes } from './commit-note.ts'
import { type Entry, SALT_BYTES } from './entry.ts'
import { type EntryRun, hashOfRun, runOfEntry } from './entry-run.ts'
import type { GlobalPosition } from './event.ts'
import type { EventType } from './event-batch.ts'
import { ID_BYTES } from './event-id.ts'
import { HASH_BYTES, type HashProvider } from './hash-provider.ts'
import { JsonColumnWriter, jsonStart } from './json-column.ts'

/**
 * Blocks stay under this unless a single event needs more: from 64 KiB on, Chromium's LevelDB backend moves a
 * value to a file of its own, and a transaction takes four times as long.
 */
export const BLOCK_TARGET_BYTES = 56 * 1024

/** Bytes an entry takes beside its JSON: columns, and a dictionary entry at worst. */
const COLUMN_BYTES = 1 + 2 + 2 + 8 + 16 + 16 + HASH_BYTES + 4 + 4

export class BlockWriter {
  readonly #sealed: Promise<StoredBlock>[] = []
  readonly #hash: HashProvider
  #block: OpenBlock

  constructor(hash: HashProvider, firstPosition: GlobalPosition) {
    this.#hash = hash
    this.#block = new OpenBlock(firstPosition)
  }

  /** Position that the next entry gets. */
  get nextPosition(): GlobalPosition {
    return this.#block.nextPosition
  }

  add(entry: Entry): void {
    this.addRun(runOfEntry(entry))
  }

  addRun(run: EntryRun): void {
    const { count } = run.batch
    let from = 0
    while (from < count) {
      const to = this.#block.endOfRoom(run, from)
      if (to > from) this.#block.add(run, from, to)
      if (to < count) this.#cut()
      from = to
    }
  }

  /** Ends the commit of the entries added since the last call. */
  endCommit(note: CommitNote | null): void {
    this.#block.endCommit(note)
  }

  /** Bytes until the block is full. */
  get room(): number {
    return BLOCK_TARGET_BYTES - this.#block.size
  }

  /** Ends the block before it is full. */
  cut(): void {
    if (this.#block.count > 0) this.#cut()
  }

  /** All blocks, sealed. The writer must not be used after. */
  finish(): Promise<StoredBlock[]> {
    this.cut()
    return Promise.all(this.#sealed)
  }

  #cut(): void {
    const { firstPosition, nextPosition } = this.#block
    const bytes = this.#block.toBytes()
    this.#block.begin(nextPosition)
    this.#sealed.push(seal({ firstPosition, lastPosition: nextPosition - 1, bytes }, this.#hash))
  }
}

async function seal(block: StoredBlock, hash: HashProvider): Promise<StoredBlock> {
  const { content, digest } = sealedParts(block.bytes)
  digest.set(await hash.digestLarge(content))
  return block
}

type OpenSegment = { index: number; nextVersion: number; lastHash: Uint8Array }

/** The block that is being filled. Its buffers are used again for the next one. */
class OpenBlock {
  #firstPosition: GlobalPosition
  readonly #kinds = new ByteWriter(256)
  readonly #segmentOf = new ByteWriter(512)
  readonly #typeOf = new ByteWriter(512)
  readonly #recordedAt = new ByteWriter(2048)
  readonly #ids = new ByteWriter(4096)
  readonly #salts = new ByteWriter(4096)
  readonly #hashes = new ByteWriter(8192)
  readonly #segments: Segment[] = []
  readonly #openSegments = new Map<string, OpenSegment>()
  readonly #types = new Map<string, { index: number; type: string; schemaVersion: number }>()
  readonly #commits: { lastIndex: number; note: Uint8Array }[] = []
  readonly #payloads = new JsonColumnWriter()
  readonly #metadata = new JsonColumnWriter()
  readonly #whole = new ByteWriter(BLOCK_TARGET_BYTES)
  #dictionaryBytes = 64

  constructor(firstPosition: GlobalPosition) {
    this.#firstPosition = firstPosition
  }

  /** Empties it. */
  begin(firstPosition: GlobalPosition): void {
    this.#firstPosition = firstPosition
    for (const column of [...this.#columns, this.#payloads, this.#metadata]) column.reset()
    this.#segments.length = 0
    this.#openSegments.clear()
    this.#types.clear()
    this.#commits.length = 0
    this.#dictionaryBytes = 64
  }

  get firstPosition(): GlobalPosition {
    return this.#firstPosition
  }

  get count(): number {
    return this.#kinds.length
  }

  get nextPosition(): GlobalPosition {
    return this.firstPosition + this.count
  }

  get size(): number {
    return this.#dictionaryBytes + this.count * COLUMN_BYTES + this.#payloads.length + this.#metadata.length
  }

  /** The entry of the run, from `from` on, that the block has no room for any more. */
  endOfRoom({ streamName, batch }: EntryRun, from: number): number {
    const { payloads, metadata, types, typeOf } = batch
    const start = jsonStart(payloads, from) + jsonStart(metadata, from)
    const isCounted = new Uint8Array(types.length)
    let room = BLOCK_TARGET_BYTES - this.size - dictionaryBytesOf(streamName) - HASH_BYTES - 8
    let to = from
    for (; to < batch.count; to++) {
      const type = typeOf[to]!
      if (isCounted[type] === 0) room -= dictionaryBytesOf(types[type]!.type)
      isCounted[type] = 1
      const json = payloads.ends[to]! + metadata.ends[to]! + 2 - start
      if (json + (to + 1 - from) * COLUMN_BYTES >= room) break
    }
    // A block holds one entry at least, however large.
    return to === from && this.count === 0 ? from + 1 : to
  }

  /** Takes in entries `from` to `to - 1` of a run. */
  add(run: EntryRun, from: number, to: number): void {
    const { batch, salts, hashes } = run
    const segment = this.#segmentIndexOf(run, from, to)
    const types: number[] = []
    for (let i = from; i < to; i++) {
      const type = batch.typeOf[i]!
      types[type] ??= this.#typeIndexOf(batch.types[type]!)
      this.#kinds.u8(run.kind)
      this.#segmentOf.u16(segment)
      this.#typeOf.u16(types[type])
      this.#recordedAt.u64(run.recordedAt)
    }
    this.#ids.part(batch.ids, from * ID_BYTES, to * ID_BYTES)
    this.#salts.part(salts, from * SALT_BYTES, to * SALT_BYTES)
    this.#hashes.part(hashes, from * HASH_BYTES, to * HASH_BYTES)
    this.#payloads.addPart(batch.payloads, from, to)
    this.#metadata.addPart(batch.metadata, from, to)
  }

  endCommit(note: CommitNote | null): void {
    const bytes = noteBytes(note)
    this.#commits.push({ lastIndex: this.count - 1, note: bytes })
    this.#dictionaryBytes += 6 + bytes.length
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    const writer = this.#whole
    writer.reset()
    writer.raw(MAGIC)
    writer.u64(this.firstPosition)
    writer.u16(this.count)
    this.#writeDictionaries(writer)
    this.#writeColumns(writer)
    writer.hole(HASH_BYTES)
    return writer.bytes().slice()
  }

  #writeDictionaries(writer: ByteWriter): void {
    writer.u16(this.#segments.length)
    for (const { streamName, firstVersion, previous } of this.#segments) {
      writer.lp16(streamName)
      writer.u64(firstVersion)
      writer.raw(previous)
    }
    writer.u16(this.#types.size)
    for (const { type, schemaVersion } of this.#types.values()) {
      writer.lp16(type)
      writer.u16(schemaVersion)
    }
    writer.u16(this.#commits.length)
    for (const { lastIndex, note } of this.#commits) {
      writer.u16(lastIndex)
      writer.u32(note.length)
      writer.raw(note)
    }
  }

  #writeColumns(writer: ByteWriter): void {
    for (const column of this.#columns) writer.raw(column.bytes())
    this.#payloads.writeTo(writer)
    this.#metadata.writeTo(writer)
  }

  /** All columns but those of JSON, in the order of the format. */
  get #columns(): readonly ByteWriter[] {
    return [
      this.#kinds,
      this.#segmentOf,
      this.#typeOf,
      this.#recordedAt,
      this.#ids,
      this.#salts,
      this.#hashes,
    ]
  }

  /** A stream gets a second segment where its chain jumps, as it does behind superseded entries. */
  #segmentIndexOf(run: EntryRun, from: number, to: number): number {
    const { streamName } = run
    const firstVersion = run.firstVersion + from
    const previous = from === 0 ? run.previous : hashOfRun(run, from - 1)
    const end = { nextVersion: run.firstVersion + to, lastHash: hashOfRun(run, to - 1) }
    const open = this.#openSegments.get(streamName)
    if (open?.nextVersion === firstVersion && equalBytes(open.lastHash, previous)) {
      Object.assign(open, end)
      return open.index
    }
    const index = this.#segments.push({ streamName, firstVersion, previous }) - 1
    this.#openSegments.set(streamName, { index, ...end })
    this.#dictionaryBytes += dictionaryBytesOf(streamName) + HASH_BYTES + 8
    return index
  }

  #typeIndexOf({ type, schemaVersion }: EventType): number {
    const key = `${schemaVersion} ${type}`
    const known = this.#types.get(key)
    if (known) return known.index
    const index = this.#types.size
    this.#types.set(key, { index, type, schemaVersion })
    this.#dictionaryBytes += dictionaryBytesOf(type)
    return index
  }
}

const MAGIC = utf8(BLOCK_MAGIC)

/** At most, without counting UTF-8. */
const dictionaryBytesOf = (name: string): number => 4 + name.length * 3
