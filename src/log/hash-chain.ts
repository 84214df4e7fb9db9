// What is hashed, byte by byte (docs/record-format.md): body, entry, genesis. An entry's hash is an RFC 6962 leaf.

import type { Block } from './block.ts'
import { ByteWriter, utf8 } from './bytes.ts'
import { KIND_ERASED, SALT_BYTES, SUITE_SHA256, type UnlinkedEntry } from './entry.ts'
import { entryBodyOfRun, type UnlinkedRun } from './entry-run.ts'
import { erasedBodyOf, hashedKind } from './erased-entry.ts'
import type { EventBatch, EventType } from './event-batch.ts'
import { ID_BYTES } from './event-id.ts'
import { GrowableUint32 } from './growable.ts'
import { HASH_BYTES, type HashProvider } from './hash-provider.ts'
import { jsonStart } from './json-column.ts'

const BODY_PREFIX = utf8('streamdingo/1/body\0')
const GENESIS_PREFIX = utf8('streamdingo/1/genesis\0')
const ENTRY_HEAD = Uint8Array.of(...utf8('SDL1'), SUITE_SHA256)
/** Domain separation of leaves from inner nodes, RFC 6962 section 2.1. */
const LEAF = 0x00
const LEAF_HEAD = Uint8Array.of(LEAF, ...ENTRY_HEAD)

/** Inputs are hashed in batches of about so many bytes, however many entries there are. */
const BATCH_BYTES = 256 * 1024

/** Hashes entries; holds scratch buffers, so that hashing allocates little but digests. */
export class HashChain {
  readonly #hash: HashProvider
  readonly #scratch = new ByteWriter(4096)
  readonly #ends = new GrowableUint32(256)

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
    const body = this.bodyOf(entry)
    const scratch = this.#scratch
    scratch.reset()
    scratch.u8(LEAF)
    writeEntry(scratch, entry, body)
    return this.#hash.digest(scratch.bytes())
  }

  /**
   * Hashes of all entries of many runs, each linked to the one before it. 32 bytes each, run behind run. Together they
   * take half as long as one by one: chains of several streams are hashed side by side.
   */
  hashesOfRuns(runs: readonly UnlinkedRun[]): Uint8Array<ArrayBuffer> {
    const count = runs.reduce((sum, { batch }) => sum + batch.count, 0)
    let [run, i] = [0, 0]
    const bodies = this.#digestInBatches(count, () => {
      while (i === runs[run]!.batch.count) [run, i] = [run + 1, 0]
      const { batch, salts } = runs[run]!
      this.#writeBody(batch, salts, i++)
    })
    let next = 0
    for (const one of runs) {
      if (one.kind === KIND_ERASED) {
        for (let n = 0; n < one.batch.count; n++) setErasedBody(bodies, next + n, entryBodyOfRun(one, n))
      }
      next += one.batch.count
    }
    return this.#linkRuns(runs, bodies)
  }

  /**
   * Hashes of entries, each made of what it says that it links to. 32 bytes each. Together they take half as long as
   * one by one.
   */
  hashesOfEntries(entries: readonly UnlinkedEntry[]): Uint8Array<ArrayBuffer> {
    const bodies = this.#digestInBatches(entries.length, i => writeBody(this.#scratch, entries[i]!))
    for (let i = 0; i < entries.length; i++) {
      if (entries[i]!.kind === KIND_ERASED) setErasedBody(bodies, i, entries[i]!)
    }
    return this.#digestInBatches(entries.length, i => {
      this.#scratch.u8(LEAF)
      writeEntry(this.#scratch, entries[i]!, bodies.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
    })
  }

  /** Hashes of all entries of a block, each made of what the block says that it links to. 32 bytes each. */
  hashesOfBlock(block: Block): Uint8Array<ArrayBuffer> {
    const bodies = this.#digestInBatches(block.count, i => this.#writeBody(block, block.salts, i))
    if (block.kinds.includes(KIND_ERASED)) {
      for (let i = 0; i < block.count; i++) {
        if (block.kinds[i] === KIND_ERASED) setErasedBody(bodies, i, block.entry(i))
      }
    }
    const { segments, types, segmentOf, typeOf } = block
    const streamNames = segments.map(({ streamName }) => bytesOfName(streamName))
    const typeNames = types.map(bytesOfType)
    return this.#digestInBatches(block.count, i => {
      const scratch = this.#scratch
      scratch.raw(LEAF_HEAD)
      scratch.u8(hashedKind(block.kinds[i]!))
      const before = block.indexBefore(i)
      if (before < 0) scratch.part(segments[segmentOf[i]!]!.previous, 0, HASH_BYTES)
      else scratch.part(block.hashes, before * HASH_BYTES, (before + 1) * HASH_BYTES)
      scratch.u64(block.versions[i]!)
      scratch.u64(block.recordedAt[i]!)
      scratch.part(block.ids, i * ID_BYTES, (i + 1) * ID_BYTES)
      scratch.raw(streamNames[segmentOf[i]!]!)
      scratch.raw(typeNames[typeOf[i]!]!)
      scratch.part(bodies, i * HASH_BYTES, (i + 1) * HASH_BYTES)
    })
  }

  /** The canonical bytes of an entry, without the leaf prefix. */
  entryBytesOf(entry: UnlinkedEntry): Uint8Array {
    const body = this.bodyOf(entry)
    const writer = new ByteWriter(256)
    writeEntry(writer, entry, body)
    return writer.bytes()
  }

  /** The hash of what is in an entry, or was: of an erased one that says no hash, one that fits nothing. */
  bodyOf(entry: EntryBody & Pick<UnlinkedEntry, 'kind'>): Uint8Array {
    if (entry.kind === KIND_ERASED) return erasedBodyOf(entry) ?? NO_BODY
    return bodyHashOf(entry, this.#hash, this.#scratch)
  }

  #writeBody(
    { payloads, metadata }: Pick<EventBatch, 'payloads' | 'metadata'>,
    salts: Uint8Array,
    i: number,
  ): void {
    const scratch = this.#scratch
    const start = jsonStart(payloads, i)
    const end = payloads.ends[i]!
    scratch.raw(BODY_PREFIX)
    scratch.part(salts, i * SALT_BYTES, (i + 1) * SALT_BYTES)
    scratch.u32(end - start)
    scratch.part(payloads.bytes, start, end)
    scratch.part(metadata.bytes, jsonStart(metadata, i), metadata.ends[i]!)
  }

  /** Digests of `count` independent inputs; `write` puts input i onto the scratch buffer. */
  #digestInBatches(count: number, write: (i: number) => void): Uint8Array<ArrayBuffer> {
    const digests = new Uint8Array(count * HASH_BYTES)
    let i = 0
    while (i < count) {
      const first = i
      this.#scratch.reset()
      this.#ends.truncate(0)
      while (i < count && this.#scratch.length < BATCH_BYTES) {
        write(i++)
        this.#ends.push(this.#scratch.length)
      }
      digests.set(this.#hash.digestMany(this.#scratch.bytes(), this.#ends.values()), first * HASH_BYTES)
    }
    return digests
  }

  #linkRuns(runs: readonly UnlinkedRun[], bodies: Uint8Array): Uint8Array<ArrayBuffer> {
    const count = bodies.length / HASH_BYTES
    const hashes = new Uint8Array(bodies.length)
    const [ends, holes, sources] = [new Uint32Array(count), new Uint32Array(count), new Int32Array(count)]
    const lastEntryOf: number[] = []
    const names = new EncodedNames()
    const scratch = this.#scratch
    let [first, next] = [0, 0]
    const digest = (): void => {
      const links = { sources: sources.subarray(first, next), holes: holes.subarray(first, next) }
      const digests = this.#hash.digestLinked(scratch.bytes(), ends.subarray(first, next), links)
      hashes.set(digests, first * HASH_BYTES)
      scratch.reset()
      first = next
    }
    scratch.reset()
    for (const run of runs) {
      let source = run.follows === null ? -1 : lastEntryOf[run.follows]!
      for (let i = 0; i < run.batch.count; i++) {
        if (scratch.length >= BATCH_BYTES) digest()
        scratch.raw(LEAF_HEAD)
        scratch.u8(hashedKind(run.kind))
        sources[next] = Math.max(-1, source - first)
        holes[next] = scratch.length
        if (source >= first) scratch.hole(HASH_BYTES)
        else if (source >= 0) scratch.part(hashes, source * HASH_BYTES, (source + 1) * HASH_BYTES)
        else scratch.part(run.previous, 0, HASH_BYTES)
        writeBehindLink(scratch, run, i, names)
        scratch.part(bodies, next * HASH_BYTES, (next + 1) * HASH_BYTES)
        ends[next] = scratch.length
        source = next++
      }
      lastEntryOf.push(source)
    }
    digest()
    return hashes
  }
}

const NO_BODY = new Uint8Array(HASH_BYTES)

function setErasedBody(bodies: Uint8Array, i: number, entry: Parameters<typeof erasedBodyOf>[0]): void {
  bodies.set(erasedBodyOf(entry) ?? NO_BODY, i * HASH_BYTES)
}

/** What the hash of a body covers. */
export type EntryBody = Pick<UnlinkedEntry, 'salt' | 'payload' | 'metadata'>

/** Salted, so that payload and salt can be erased without leaving a hash that can be guessed at. */
export function bodyHashOf(body: EntryBody, hash: HashProvider, scratch = new ByteWriter()): Uint8Array {
  scratch.reset()
  writeBody(scratch, body)
  return hash.digest(scratch.bytes())
}

function writeBody(writer: ByteWriter, { salt, payload, metadata }: EntryBody): void {
  writer.raw(BODY_PREFIX)
  writer.raw(salt)
  writer.u32(payload.length)
  writer.raw(payload)
  writer.raw(metadata)
}

/** The hash of an entry, from its canonical bytes. */
export function leafHashOf(entry: Uint8Array, hash: HashProvider): Uint8Array {
  const leaf = new Uint8Array(1 + entry.length)
  leaf[0] = LEAF
  leaf.set(entry, 1)
  return hash.digest(leaf)
}

function writeBehindLink(writer: ByteWriter, run: UnlinkedRun, i: number, names: EncodedNames): void {
  const { batch, streamName } = run
  writer.u64(run.firstVersion + i)
  writer.u64(run.recordedAt)
  writer.part(batch.ids, i * ID_BYTES, (i + 1) * ID_BYTES)
  writer.raw(names.ofStream(streamName))
  writer.raw(names.ofType(batch.types[batch.typeOf[i]!]!))
}

/** Names as they stand in an entry, each made once. */
class EncodedNames {
  readonly #streams = new Map<string, Uint8Array>()
  readonly #types = new Map<EventType, Uint8Array>()

  ofStream(streamName: string): Uint8Array {
    return this.#streams.get(streamName) ?? added(this.#streams, streamName, bytesOfName(streamName))
  }

  ofType(type: EventType): Uint8Array {
    return this.#types.get(type) ?? added(this.#types, type, bytesOfType(type))
  }
}

function added<K>(map: Map<K, Uint8Array>, key: K, bytes: Uint8Array): Uint8Array {
  map.set(key, bytes)
  return bytes
}

/** What stands in an entry's bytes beside the hash of its body. */
type EntryHead = Omit<UnlinkedEntry, 'salt' | 'payload' | 'metadata'>

function writeEntry(writer: ByteWriter, entry: EntryHead, body: Uint8Array): void {
  writer.raw(ENTRY_HEAD)
  writer.u8(hashedKind(entry.kind))
  writer.raw(entry.previous)
  writer.u64(entry.streamVersion)
  writer.u64(entry.recordedAt)
  writer.raw(entry.eventId)
  writer.lp16(entry.streamName)
  writeType(writer, entry)
  writer.raw(body)
}

function writeType(writer: ByteWriter, { type, schemaVersion }: EventType): void {
  writer.lp16(type)
  writer.u16(schemaVersion)
}

function bytesOfName(streamName: string): Uint8Array {
  const writer = new ByteWriter(64)
  writer.lp16(streamName)
  return writer.bytes()
}

function bytesOfType(type: EventType): Uint8Array {
  const writer = new ByteWriter(64)
  writeType(writer, type)
  return writer.bytes()
}
