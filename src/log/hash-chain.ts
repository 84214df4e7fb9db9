// What is hashed, byte by byte (docs/record-format.md): body, entry, genesis. An entry's hash is an RFC 6962 leaf.

import { ByteWriter, utf8 } from './bytes.ts'
import type { HashProvider } from './hash-provider.ts'

export const SALT_BYTES = 16
export const SUITE_SHA256 = 1
/** Kinds of entries. */
export const KIND_EVENT = 0
export const KIND_SYSTEM = 1

const BODY_PREFIX = utf8('streamdingo/1/body\0')
const GENESIS_PREFIX = utf8('streamdingo/1/genesis\0')
const ENTRY_MAGIC = utf8('SDL1')
/** Domain separation of leaves from inner nodes, RFC 6962 section 2.1. */
const LEAF = 0x00

/** One entry of the log with everything its hash covers. Byte fields may be views: do not change them. */
export type Entry = Readonly<{
  kind: number
  streamName: string
  streamVersion: number
  /** Hash of the stream's previous entry, or its genesis. */
  previous: Uint8Array
  hash: Uint8Array
  recordedAt: number
  eventId: Uint8Array
  salt: Uint8Array
  type: string
  schemaVersion: number
  /** JSON text in UTF-8. */
  payload: Uint8Array
  /** JSON text in UTF-8, `{}` where there is none. */
  metadata: Uint8Array
}>

export type UnlinkedEntry = Omit<Entry, 'hash'>

/** Hashes entries; holds a scratch buffer, so that hashing allocates nothing but digests. */
export class HashChain {
  readonly #hash: HashProvider
  readonly #scratch = new ByteWriter(4096)

  constructor(hash: HashProvider) {
    this.#hash = hash
  }

  /** What the first entry of a stream links to: an event of another store or stream never fits. */
  genesis(storeId: string, streamName: string): Uint8Array {
    const scratch = this.#scratch
    scratch.reset()
    scratch.raw(GENESIS_PREFIX)
    scratch.lp16(storeId)
    scratch.lp16(streamName)
    return this.#hash.digest(scratch.bytes())
  }

  /** The entry's hash, from the bytes that are stored. */
  hashOf(entry: UnlinkedEntry): Uint8Array {
    const body = this.#bodyOf(entry)
    const scratch = this.#scratch
    scratch.reset()
    scratch.u8(LEAF)
    writeEntry(scratch, entry, body)
    return this.#hash.digest(scratch.bytes())
  }

  /** The canonical bytes of an entry, without the leaf prefix. */
  entryBytesOf(entry: UnlinkedEntry): Uint8Array {
    const body = this.#bodyOf(entry)
    const writer = new ByteWriter(256)
    writeEntry(writer, entry, body)
    return writer.bytes()
  }

  /** Salted, so that payload and salt can be erased without leaving a hash that can be guessed at. */
  #bodyOf({ salt, payload, metadata }: UnlinkedEntry): Uint8Array {
    const scratch = this.#scratch
    scratch.reset()
    scratch.raw(BODY_PREFIX)
    scratch.raw(salt)
    scratch.u32(payload.length)
    scratch.raw(payload)
    scratch.raw(metadata)
    return this.#hash.digest(scratch.bytes())
  }
}

function writeEntry(writer: ByteWriter, entry: UnlinkedEntry, body: Uint8Array): void {
  writer.raw(ENTRY_MAGIC)
  writer.u8(SUITE_SHA256)
  writer.u8(entry.kind)
  writer.raw(entry.previous)
  writer.u64(entry.streamVersion)
  writer.u64(entry.recordedAt)
  writer.raw(entry.eventId)
  writer.lp16(entry.streamName)
  writer.lp16(entry.type)
  writer.u16(entry.schemaVersion)
  writer.raw(body)
}
