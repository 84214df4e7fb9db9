// An entry for somebody who has no log: the bytes that its hash is made of, and what its body says. Every part is
// checked against the next: the content against the body, the entry against its leaf.

import { ByteReader, ByteWriter, equalBytes, hexOf, MalformedBytes, textOf, utf8 } from '../log/bytes.ts'
import { type Entry, KIND_ERASED, KIND_EVENT, SALT_BYTES, SUITE_SHA256 } from '../log/entry.ts'
import type { Hash } from '../log/event.ts'
import type { StoredMetadata } from '../log/event-batch.ts'
import { eventIdOf, ID_BYTES } from '../log/event-id.ts'
import { bodyHashOf, HashChain, leafHashOf } from '../log/hash-chain.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import { malformed } from './malformed.ts'

/** What an entry says, once its hash is known to be that of the leaf. */
export type ProvenEvent = Readonly<{
  eventId: string
  type: string
  schemaVersion: number
  streamName: string
  streamVersion: number
  /** Milliseconds since the Unix epoch, by the clock of the device that wrote it. */
  recordedAt: number
  /** False for an amendment, and for an entry that the store wrote for itself. */
  isEvent: boolean
  previousHash: Hash
  hash: Hash
  /** Null where only the entry was shown, and not what is in it. */
  content: Readonly<{ data: unknown; tags: readonly string[]; metadata: object }> | null
}>

const MAGIC = 'SDL1'

/** All of an entry. Without its content, as of one that was erased, the proof holds all the same. */
export function openEntry(entry: Entry, hash: HashProvider, withContent = true): Uint8Array {
  const bytes = new HashChain(hash).entryBytesOf(entry)
  const writer = new ByteWriter(1024)
  writer.u32(bytes.length)
  writer.raw(bytes)
  if (withContent && entry.kind !== KIND_ERASED) {
    writer.raw(entry.salt)
    writer.u32(entry.payload.length)
    writer.raw(entry.payload)
    writer.raw(entry.metadata)
  }
  return writer.bytes()
}

/** @throws `StoreError` `malformed-proof`, also for content that is not what the entry was made of */
export function readOpenedEntry(bytes: Uint8Array, hash: HashProvider): ProvenEvent {
  try {
    const reader = new ByteReader(bytes)
    const entry = reader.raw(reader.u32())
    const event = readEntry(entry, hash)
    const content = reader.remaining === 0 ? null : readContent(reader, entry, hash)
    return { ...event, content }
  } catch (error) {
    if (error instanceof MalformedBytes || error instanceof SyntaxError) throw malformed(error.message)
    throw error
  }
}

/** What an entry says, from its canonical bytes. @throws `MalformedBytes`; `StoreError` `malformed-proof` */
export function readEntry(entry: Uint8Array, hash: HashProvider): Omit<ProvenEvent, 'content'> {
  const reader = new ByteReader(entry)
  const isOurs = equalBytes(reader.raw(MAGIC.length), utf8(MAGIC)) && reader.u8() === SUITE_SHA256
  if (!isOurs) throw malformed('this is no entry of a format that is known here')
  const kind = reader.u8()
  const previousHash = hexOf(reader.raw(HASH_BYTES)) as Hash
  const [streamVersion, recordedAt] = [reader.u64(), reader.u64()]
  const eventId = eventIdOf(reader.raw(ID_BYTES))
  const [streamName, type, schemaVersion] = [reader.lp16(), reader.lp16(), reader.u16()]
  reader.raw(HASH_BYTES)
  reader.end()
  const isEvent = kind === KIND_EVENT
  const self = { eventId, type, schemaVersion, streamName, streamVersion, recordedAt, isEvent }
  return { ...self, previousHash, hash: hexOf(leafHashOf(entry, hash)) as Hash }
}

function readContent(reader: ByteReader, entry: Uint8Array, hash: HashProvider): ProvenEvent['content'] {
  const salt = reader.raw(SALT_BYTES)
  const payload = reader.raw(reader.u32())
  const metadata = reader.raw(reader.remaining)
  const body = bodyHashOf({ salt, payload, metadata }, hash)
  if (!equalBytes(body, entry.subarray(-HASH_BYTES))) {
    throw malformed('the content is not the one that the entry was made of')
  }
  const stored = JSON.parse(textOf(metadata)) as StoredMetadata
  return { data: JSON.parse(textOf(payload)), tags: stored.tags ?? [], metadata: stored.metadata ?? {} }
}
