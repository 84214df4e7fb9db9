// A block: a run of entries as one stored value. Header columns apart from payloads (docs/record-format.md).

import { ByteReader, MalformedBytes, utf8 } from './bytes.ts'
import { type CommitNote, readNote, UnknownNote } from './commit-note.ts'
import { type Entry, SALT_BYTES } from './entry.ts'
import { LogDamaged, StoreError } from './errors.ts'
import type { GlobalPosition } from './event.ts'
import type { EventType } from './event-batch.ts'
import { ID_BYTES } from './event-id.ts'
import { HASH_BYTES } from './hash-provider.ts'
import { isWellFramed, type JsonColumn, jsonSlice } from './json-column.ts'

/**
 * What a storage keeps: opaque bytes, and the positions of the first and the last entry in them. `lastPosition`
 * is the key: it is the number of the last commit that ends in the block, or of the part of one it holds.
 */
export type StoredBlock = Readonly<{
  firstPosition: GlobalPosition
  lastPosition: GlobalPosition
  bytes: Uint8Array<ArrayBuffer>
}>

/** A run of entries of one stream whose chain is unbroken within the block. */
export type Segment = Readonly<{ streamName: string; firstVersion: number; previous: Uint8Array }>

/** A commit's last entry, as an index into the block, and what its author noted beside it. */
export type CommitEnd = Readonly<{ lastIndex: number; note: CommitNote | null }>

/** What stands before a block's columns. */
export type BlockHead = Pick<Block, 'firstPosition' | 'count' | 'segments' | 'types' | 'commits'>

export const BLOCK_MAGIC = 'SDB1'
const MAGIC_BYTES = 4

/** A decoded block. Nothing is copied: byte fields are views of the block's bytes. */
export class Block {
  readonly firstPosition: GlobalPosition
  readonly count: number
  readonly segments: readonly Segment[]
  readonly types: readonly EventType[]
  /** In order. Entries behind the last one belong to a commit that goes on in the next block. */
  readonly commits: readonly CommitEnd[]
  readonly kinds: Uint8Array
  readonly segmentOf: Uint16Array
  readonly typeOf: Uint16Array
  readonly recordedAt: Float64Array
  readonly ids: Uint8Array
  readonly salts: Uint8Array
  readonly hashes: Uint8Array
  readonly payloads: JsonColumn
  readonly metadata: JsonColumn
  /** Stream version of each entry. */
  readonly versions: Float64Array
  readonly #before: Int32Array

  /** @throws `MalformedBytes` */
  constructor(bytes: Uint8Array) {
    const reader = new ByteReader(bytes.subarray(0, bytes.length - HASH_BYTES))
    const head = readHead(reader)
    this.firstPosition = head.firstPosition
    this.count = head.count
    this.segments = head.segments
    this.types = head.types
    this.commits = head.commits
    this.kinds = reader.raw(this.count)
    this.segmentOf = readIndexes(reader, this.count, this.segments.length)
    this.typeOf = readIndexes(reader, this.count, this.types.length)
    this.recordedAt = new Float64Array(this.count)
    for (let i = 0; i < this.count; i++) this.recordedAt[i] = reader.u64()
    this.ids = reader.raw(this.count * ID_BYTES)
    this.salts = reader.raw(this.count * SALT_BYTES)
    this.hashes = reader.raw(this.count * HASH_BYTES)
    this.payloads = readJsonColumn(reader, this.count)
    this.metadata = readJsonColumn(reader, this.count)
    reader.end()
    this.versions = new Float64Array(this.count)
    this.#before = new Int32Array(this.count)
    this.#numberEntries()
  }

  get lastPosition(): GlobalPosition {
    return this.firstPosition + this.count - 1
  }

  streamNameOf(i: number): string {
    return this.segments[this.segmentOf[i]!]!.streamName
  }

  hashOf(i: number): Uint8Array {
    return this.hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)
  }

  /** Index of the entry before in the same segment, -1 for a segment's first. */
  indexBefore(i: number): number {
    return this.#before[i]!
  }

  previousOf(i: number): Uint8Array {
    const before = this.#before[i]!
    return before < 0 ? this.segments[this.segmentOf[i]!]!.previous : this.hashOf(before)
  }

  idOf(i: number): Uint8Array {
    return this.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
  }

  entry(i: number): Entry {
    const { type, schemaVersion } = this.types[this.typeOf[i]!]!
    return {
      kind: this.kinds[i]!,
      streamName: this.streamNameOf(i),
      streamVersion: this.versions[i]!,
      previous: this.previousOf(i),
      hash: this.hashOf(i),
      recordedAt: this.recordedAt[i]!,
      eventId: this.idOf(i),
      salt: this.salts.subarray(i * SALT_BYTES, (i + 1) * SALT_BYTES),
      type,
      schemaVersion,
      payload: jsonSlice(this.payloads, i),
      metadata: jsonSlice(this.metadata, i),
    }
  }

  #numberEntries(): void {
    const lastOf = new Int32Array(this.segments.length).fill(-1)
    for (let i = 0; i < this.count; i++) {
      const segment = this.segmentOf[i]!
      const before = lastOf[segment]!
      this.#before[i] = before
      this.versions[i] = before < 0 ? this.segments[segment]!.firstVersion : this.versions[before]! + 1
      lastOf[segment] = i
    }
  }
}

/**
 * @throws {@link LogDamaged} when the bytes are no block; `StoreError` `unsupported-format` for what a newer release
 * wrote. Whether they are the *right* bytes, only the digest and the chain can say.
 */
export function decodeBlock(bytes: Uint8Array, position: GlobalPosition): Block {
  refuseNewerFormat(bytes, position)
  try {
    return new Block(bytes)
  } catch (cause) {
    if (!(cause instanceof MalformedBytes)) throw cause
    // Taken for damage, it would be set aside.
    if (cause instanceof UnknownNote)
      throw new StoreError('unsupported-format', `The block ${cause.message}`, { position }, { cause })
    throw new LogDamaged(position, `the block ${cause.message}`, { cause })
  }
}

/**
 * The head of a block whose columns may be none any more. It says what it says: no hash covers it but the digest.
 *
 * @throws `MalformedBytes`
 */
export const readBlockHead = (bytes: Uint8Array): BlockHead => readHead(new ByteReader(bytes))

/** The part of a block that its digest covers, and the digest. */
export function sealedParts(bytes: Uint8Array<ArrayBuffer>): {
  content: Uint8Array<ArrayBuffer>
  digest: Uint8Array
} {
  const end = Math.max(0, bytes.length - HASH_BYTES)
  return { content: bytes.subarray(0, end), digest: bytes.subarray(end) }
}

const MAGIC = utf8(BLOCK_MAGIC)

function refuseNewerFormat(bytes: Uint8Array, position: GlobalPosition): void {
  const isOfFamily = bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1] && bytes[2] === MAGIC[2]
  if (!isOfFamily) throw new LogDamaged(position, 'these bytes are no block')
  if (bytes[3] !== MAGIC[3]) {
    const version = String.fromCharCode(bytes[3] ?? 0x3f)
    throw new StoreError('unsupported-format', `Block format ${version} is not known here`, {
      position,
      version,
    })
  }
}

function readHead(reader: ByteReader): BlockHead {
  reader.raw(MAGIC_BYTES)
  const firstPosition = reader.u64()
  const count = reader.u16()
  if (count === 0 || firstPosition === 0) throw new MalformedBytes('an empty block')
  const segments = readMany(reader, () => ({
    streamName: reader.lp16(),
    firstVersion: reader.u64(),
    previous: reader.raw(HASH_BYTES),
  }))
  const types = readMany(reader, () => ({ type: reader.lp16(), schemaVersion: reader.u16() }))
  return { firstPosition, count, segments, types, commits: readCommits(reader, count) }
}

function readCommits(reader: ByteReader, count: number): CommitEnd[] {
  let before = -1
  return readMany(reader, () => {
    const lastIndex = reader.u16()
    if (lastIndex <= before || lastIndex >= count) throw new MalformedBytes('commits out of order')
    before = lastIndex
    return { lastIndex, note: readNote(reader.raw(reader.u32())) }
  })
}

function readMany<T>(reader: ByteReader, read: () => T): T[] {
  return Array.from({ length: reader.u16() }, read)
}

function readIndexes(reader: ByteReader, count: number, bound: number): Uint16Array {
  const indexes = new Uint16Array(count)
  for (let i = 0; i < count; i++) {
    const index = reader.u16()
    if (index >= bound) throw new MalformedBytes('points past a dictionary')
    indexes[i] = index
  }
  return indexes
}

function readJsonColumn(reader: ByteReader, count: number): JsonColumn {
  const ends = new Uint32Array(count)
  for (let i = 0; i < count; i++) ends[i] = reader.u32()
  const column = { bytes: reader.raw(reader.u32()), start: 1, ends }
  if (!isWellFramed(column)) throw new MalformedBytes('JSON values are not where the columns say')
  return column
}
