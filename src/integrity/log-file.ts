// A whole log as one file: what it is, then its blocks as they are stored. Read from the beginning to the end, and never
// as a whole: a file may be larger than memory.

import { ByteReader, ByteWriter, equalBytes, MalformedBytes, textOf, utf8 } from '../log/bytes.ts'
import type { GlobalPosition } from '../log/event.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import { malformed } from './malformed.ts'

const MAGIC = utf8('SDX1')
const END = 0

/** What a file says of its log. */
export type LogFileHead = Readonly<{
  storeId: string
  /** Entries in it: all that the log had. */
  size: number
  /** Entries up to here are confirmed by a server, as far as no rebase superseded them; those behind are pending. */
  confirmedThrough: GlobalPosition
  /** How many events and amendments are pending: in no other place but that device and this file, perhaps. */
  pending: number
  /** Milliseconds since the Unix epoch. */
  exportedAt: number
  /** Of these entries, as a note; without a signature where this device cannot sign. */
  checkpoint: string
}>

/** Where a block is in the file, and which entries it has by its place among the others. */
export type BlockPlace = Readonly<{
  firstPosition: GlobalPosition
  lastPosition: GlobalPosition
  start: number
  length: number
}>

export type LogFile = Readonly<{ head: LogFileHead; blocks: readonly BlockPlace[] }>

/** How a file begins. The head has a digest: of what it says, most can be told from nothing else. */
export function logFileStart(head: LogFileHead, hash: HashProvider): Uint8Array<ArrayBuffer> {
  const text = utf8(JSON.stringify(head))
  const writer = new ByteWriter(MAGIC.length + 4 + text.length + HASH_BYTES)
  writer.raw(MAGIC)
  writer.u32(text.length)
  writer.raw(text)
  writer.raw(hash.digest(text))
  return writer.bytes()
}

/** Blocks, each behind its length. Behind the last ones the file ends: where it does not, it was cut off. */
export function logFileBlocks(blocks: readonly Uint8Array[], isEnd: boolean): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(blocks.reduce((sum, { length }) => sum + 4 + length, 4))
  for (const bytes of blocks) {
    writer.u32(bytes.length)
    writer.raw(bytes)
  }
  if (isEnd) writer.u32(END)
  return writer.bytes()
}

export const isLogFile = (bytes: Uint8Array): boolean => equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)

/** Finds the blocks; what is in them is not looked at. @throws `StoreError` `malformed-proof` */
export async function readLogFile(file: Blob, hash: HashProvider): Promise<LogFile> {
  try {
    const reader = new ForwardReader(file)
    if (!equalBytes(await reader.take(MAGIC.length), MAGIC)) throw malformed('this is no exported log')
    const headLength = await reader.u32()
    if (headLength > MAX_HEAD_BYTES) throw new MalformedBytes('its head is too long')
    const head = headIn(await reader.take(headLength + HASH_BYTES), hash)
    const blocks: BlockPlace[] = []
    for (let length = await reader.u32(); length !== END; length = await reader.u32()) {
      if (length < BLOCK_START_BYTES || length > MAX_BLOCK_BYTES) throw new MalformedBytes('a block is none')
      const firstPosition = (blocks.at(-1)?.lastPosition ?? 0) + 1
      const { start } = reader
      const count = countIn(await reader.take(BLOCK_START_BYTES))
      reader.skip(length - BLOCK_START_BYTES)
      blocks.push({ firstPosition, lastPosition: firstPosition + count - 1, start, length })
    }
    reader.end()
    return { head, blocks }
  } catch (error) {
    if (!(error instanceof MalformedBytes || error instanceof SyntaxError || error instanceof TypeError))
      throw error
    throw malformed(`the file is cut off or damaged: ${error.message}`)
  }
}

/** More than any head or block takes: a length that was changed must not have a gigabyte read. */
const MAX_HEAD_BYTES = 1024 * 1024
const MAX_BLOCK_BYTES = 64 * 1024 * 1024

/** Of a block: its magic, its first position, and how many entries it has. */
const BLOCK_START_BYTES = 4 + 8 + 2

function countIn(blockStart: Uint8Array): number {
  const reader = new ByteReader(blockStart)
  reader.raw(4 + 8)
  const count = reader.u16()
  if (count === 0) throw new MalformedBytes('a block is empty')
  return count
}

function headIn(bytes: Uint8Array, hash: HashProvider): LogFileHead {
  const text = bytes.subarray(0, -HASH_BYTES)
  if (!equalBytes(hash.digest(text), bytes.subarray(-HASH_BYTES))) {
    throw new MalformedBytes('its head does not match its digest')
  }
  const value: unknown = JSON.parse(textOf(text))
  const { storeId, size, confirmedThrough, pending, exportedAt, checkpoint } = value as LogFileHead
  const isHead = typeof storeId === 'string' && typeof checkpoint === 'string'
  if (!isHead || ![size, confirmedThrough, pending, exportedAt].every(Number.isSafeInteger))
    throw malformed('the head of the file is none')
  return { storeId, size, confirmedThrough, pending, exportedAt, checkpoint }
}

/** What is fetched of a file at once, at least: it has many small blocks, perhaps. */
const WINDOW_BYTES = 1024 * 1024

class ForwardReader {
  readonly #file: Blob
  #window = new Uint8Array()
  #windowStart = 0
  #at = 0

  constructor(file: Blob) {
    this.#file = file
  }

  /** Where the next byte is. */
  get start(): number {
    return this.#at
  }

  /** A view that is good until the next call. */
  async take(length: number): Promise<Uint8Array> {
    const start = this.#at
    this.skip(length)
    if (start < this.#windowStart || this.#at > this.#windowStart + this.#window.length) {
      const end = start + Math.max(length, WINDOW_BYTES)
      this.#window = new Uint8Array(await this.#file.slice(start, end).arrayBuffer())
      this.#windowStart = start
    }
    return this.#window.subarray(start - this.#windowStart, this.#at - this.#windowStart)
  }

  async u32(): Promise<number> {
    return new ByteReader(await this.take(4)).u32()
  }

  skip(length: number): void {
    const left = this.#file.size - this.#at
    if (length > left) throw new MalformedBytes(`ends ${length - left} bytes early`)
    this.#at += length
  }

  end(): void {
    const left = this.#file.size - this.#at
    if (left > 0) throw new MalformedBytes(`${left} bytes after the end`)
  }
}
