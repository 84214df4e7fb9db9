// Builds blocks from entries: cuts them to size, keeps commits whole across the cuts, seals each with a digest.

import { BLOCK_MAGIC, type StoredBlock } from './block.ts'
import { ByteWriter, equalBytes, utf8 } from './bytes.ts'
import { type CommitNote, noteText } from './commit-note.ts'
import type { GlobalPosition } from './event.ts'
import type { Entry } from './hash-chain.ts'
import { HASH_BYTES, type HashProvider } from './hash-provider.ts'
import { JsonColumnWriter } from './json-column.ts'

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
    if (!this.#block.hasRoomFor(entry)) this.#cut()
    this.#block.add(entry)
  }

  /** Ends the commit of the entries added since the last call. */
  endCommit(note: CommitNote | null): void {
    this.#block.endCommit(note)
  }

  /** All blocks, sealed. The writer must not be used after. */
  finish(): Promise<StoredBlock[]> {
    if (this.#block.count > 0) this.#cut()
    return Promise.all(this.#sealed)
  }

  #cut(): void {
    const full = this.#block
    this.#block = new OpenBlock(full.nextPosition)
    this.#sealed.push(seal(full, this.#hash))
  }
}

async function seal(block: OpenBlock, hash: HashProvider): Promise<StoredBlock> {
  const bytes = block.toBytes()
  const content = bytes.subarray(0, bytes.length - HASH_BYTES)
  bytes.set(await hash.digestLarge(content), content.length)
  return { firstPosition: block.firstPosition, lastPosition: block.nextPosition - 1, bytes }
}

type OpenSegment = { index: number; nextVersion: number; lastHash: Uint8Array }

class OpenBlock {
  readonly firstPosition: GlobalPosition
  readonly #entries: Entry[] = []
  readonly #segmentOf: number[] = []
  readonly #typeOf: number[] = []
  readonly #segments: Entry[] = []
  readonly #openSegments = new Map<string, OpenSegment>()
  readonly #types = new Map<string, { index: number; type: string; schemaVersion: number }>()
  readonly #commits: { lastIndex: number; note: Uint8Array }[] = []
  readonly #payloads = new JsonColumnWriter(BLOCK_TARGET_BYTES)
  readonly #metadata = new JsonColumnWriter()
  #dictionaryBytes = 64

  constructor(firstPosition: GlobalPosition) {
    this.firstPosition = firstPosition
  }

  get count(): number {
    return this.#entries.length
  }

  get nextPosition(): GlobalPosition {
    return this.firstPosition + this.#entries.length
  }

  get #size(): number {
    return (
      this.#dictionaryBytes +
      this.#entries.length * COLUMN_BYTES +
      this.#payloads.length +
      this.#metadata.length
    )
  }

  hasRoomFor(entry: Entry): boolean {
    if (this.#entries.length === 0) return true
    const json = entry.payload.length + entry.metadata.length + 2
    const names = dictionaryBytesOf(entry.streamName) + HASH_BYTES + 8 + dictionaryBytesOf(entry.type)
    return this.#size + COLUMN_BYTES + json + names < BLOCK_TARGET_BYTES
  }

  add(entry: Entry): void {
    this.#segmentOf.push(this.#segmentIndexOf(entry))
    this.#typeOf.push(this.#typeIndexOf(entry))
    this.#entries.push(entry)
    this.#payloads.addBytes(entry.payload)
    this.#metadata.addBytes(entry.metadata)
  }

  endCommit(note: CommitNote | null): void {
    const bytes = utf8(noteText(note))
    this.#commits.push({ lastIndex: this.#entries.length - 1, note: bytes })
    this.#dictionaryBytes += 6 + bytes.length
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    const writer = new ByteWriter(this.#size + HASH_BYTES)
    writer.raw(utf8(BLOCK_MAGIC))
    writer.u64(this.firstPosition)
    writer.u16(this.#entries.length)
    this.#writeDictionaries(writer)
    this.#writeColumns(writer)
    for (const column of [this.#payloads.finish(), this.#metadata.finish()]) {
      for (const end of column.ends) writer.u32(end)
      writer.u32(column.bytes.length)
      writer.raw(column.bytes)
    }
    writer.raw(new Uint8Array(HASH_BYTES))
    return writer.bytes().slice()
  }

  #writeDictionaries(writer: ByteWriter): void {
    writer.u16(this.#segments.length)
    for (const first of this.#segments) {
      writer.lp16(first.streamName)
      writer.u64(first.streamVersion)
      writer.raw(first.previous)
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
    for (const { kind } of this.#entries) writer.u8(kind)
    for (const index of this.#segmentOf) writer.u16(index)
    for (const index of this.#typeOf) writer.u16(index)
    for (const { recordedAt } of this.#entries) writer.u64(recordedAt)
    for (const { eventId } of this.#entries) writer.raw(eventId)
    for (const { salt } of this.#entries) writer.raw(salt)
    for (const { hash } of this.#entries) writer.raw(hash)
  }

  /** A stream gets a second segment where its chain jumps, as it does behind superseded entries. */
  #segmentIndexOf(entry: Entry): number {
    const open = this.#openSegments.get(entry.streamName)
    if (open?.nextVersion === entry.streamVersion && equalBytes(open.lastHash, entry.previous)) {
      open.nextVersion++
      open.lastHash = entry.hash
      return open.index
    }
    const index = this.#segments.push(entry) - 1
    this.#openSegments.set(entry.streamName, {
      index,
      nextVersion: entry.streamVersion + 1,
      lastHash: entry.hash,
    })
    this.#dictionaryBytes += dictionaryBytesOf(entry.streamName) + HASH_BYTES + 8
    return index
  }

  #typeIndexOf({ type, schemaVersion }: Entry): number {
    const key = `${schemaVersion} ${type}`
    const known = this.#types.get(key)
    if (known) return known.index
    const index = this.#types.size
    this.#types.set(key, { index, type, schemaVersion })
    this.#dictionaryBytes += dictionaryBytesOf(type)
    return index
  }
}

/** At most, without counting UTF-8. */
const dictionaryBytesOf = (name: string): number => 4 + name.length * 3
