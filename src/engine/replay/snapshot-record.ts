// A snapshot as bytes: SHA-256 of what follows the seal, a seal on that, the header as JSON behind its length, then the
// state and what the fold remembers beside it, in the form that the codec gives them.

import { stateHashOf } from '../../integrity/state-hash.ts'
import { SEAL_BYTES, type StateSeal } from '../../integrity/state-seal.ts'
import { equalBytes, hexOf, textOf, utf8 } from '../../log/bytes.ts'
import type { GlobalPosition, Hash } from '../../log/event.ts'
import { HASH_BYTES, type HashProvider } from '../../log/hash-provider.ts'
import type { SnapshotCodec } from '../../model/snapshot-codec.ts'
import type { FoldCode } from './fold-code.ts'

/** Whose state a snapshot holds. `streamName` is null for all documents of a projection over all streams. */
export type SnapshotOwner = Readonly<{
  kind: 'decider' | 'projection'
  name: string
  streamName: string | null
}>

/** The event that a state stands on, and what lies before it. */
type SnapshotPlace = Readonly<{
  /** Events can be read on behind these. For a stream, `version` is its version. */
  version: number
  position: GlobalPosition
  eventHash: Hash
  /** How many erasures the log had when the state was folded. */
  erasures: number
  /** Position of the last entry that had changed the order of events by then; 0 where none had. */
  amendedAt: GlobalPosition
}>

type SnapshotContent = Readonly<{
  state: unknown
  /** What the fold has to remember beside the state: plain JSON, the same text for the same. */
  facts: unknown
}>

/** A folded state, and the event it stands on. */
export type FoldSnapshot = SnapshotPlace &
  SnapshotContent &
  Readonly<{
    /** Types of the events up to it, and where the last of each type is. */
    types: ReadonlyMap<string, GlobalPosition>
  }>

/** What is known of a snapshot without its state. */
export type SnapshotHeader = SnapshotOwner &
  SnapshotPlace &
  Readonly<{
    format: number
    codec: string
    /** Of the code that it was made by; see {@link FoldCode}. */
    base: string
    /** Each type of the events up to it, the position of the last one, and the hash of the handler that folded them. */
    types: readonly (readonly [type: string, last: GlobalPosition, handler: string | null])[]
    /** Two folds that came to the same state have the same. */
    stateHash: Hash
    /** Of the state and the facts. */
    contentHash: Hash
  }>

export type SnapshotForm = Readonly<{ hash: HashProvider; codec: SnapshotCodec }>

const FORMAT = 6
const TEXT_START = HASH_BYTES + SEAL_BYTES
const LENGTH_BYTES = 4

/** Not sealed yet. @throws `InvalidEvent` when the state has something in it that JSON cannot carry. */
export async function snapshotToBytes(
  { kind, name, streamName }: SnapshotOwner,
  { types, state, facts, ...place }: FoldSnapshot,
  code: Pick<FoldCode, 'base' | 'hashOf'>,
  { hash, codec }: SnapshotForm,
): Promise<Uint8Array<ArrayBuffer>> {
  const stateHash = stateHashOf(state, hash)
  const header: SnapshotHeader = {
    format: FORMAT,
    codec: codec.name,
    kind,
    name,
    streamName,
    base: code.base,
    ...place,
    types: [...types].map(([type, last]) => [type, last, code.hashOf(type)]),
    stateHash,
    contentHash: contentHashOf(stateHash, facts, hash),
  }
  return bytesOf(utf8(JSON.stringify(header)), await codec.encode({ state, facts }), hash)
}

function bytesOf(header: Uint8Array, content: Uint8Array, hash: HashProvider): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TEXT_START + LENGTH_BYTES + header.length + content.length)
  new DataView(bytes.buffer).setUint32(TEXT_START, header.length)
  bytes.set(header, TEXT_START + LENGTH_BYTES)
  bytes.set(content, TEXT_START + LENGTH_BYTES + header.length)
  bytes.set(hash.digest(bytes.subarray(TEXT_START)))
  return bytes
}

const contentHashOf = (stateHash: Hash, facts: unknown, hash: HashProvider): Hash =>
  hexOf(hash.digest(utf8(stateHash + JSON.stringify(facts)))) as Hash

/** What is wrong with bytes that are not what was written, or were written in another form. */
export function headerFromBytes(
  bytes: Uint8Array<ArrayBuffer>,
  { hash, codec }: SnapshotForm,
): SnapshotHeader | 'damaged' | 'other-format' {
  if (!equalBytes(hash.digest(bytes.subarray(TEXT_START)), bytes.subarray(0, HASH_BYTES))) return 'damaged'
  try {
    const header = JSON.parse(textOf(partsOf(bytes).header)) as SnapshotHeader
    return header.format === FORMAT && header.codec === codec.name ? header : 'other-format'
  } catch {
    // Somebody else's bytes can have the right digest, too.
    return 'damaged'
  }
}

/** The bytes are those that the header was read from. */
export async function contentFromBytes(
  bytes: Uint8Array<ArrayBuffer>,
  { contentHash }: SnapshotHeader,
  { hash, codec }: SnapshotForm,
): Promise<SnapshotContent | 'damaged'> {
  try {
    const content = (await codec.decode(partsOf(bytes).content)) as SnapshotContent
    const found = contentHashOf(stateHashOf(content.state, hash), content.facts, hash)
    return found === contentHash ? content : 'damaged'
  } catch {
    return 'damaged'
  }
}

function partsOf(bytes: Uint8Array<ArrayBuffer>) {
  const headerStart = TEXT_START + LENGTH_BYTES
  const { buffer, byteOffset, byteLength } = bytes
  const headerEnd = headerStart + new DataView(buffer, byteOffset, byteLength).getUint32(TEXT_START)
  return { header: bytes.subarray(headerStart, headerEnd), content: bytes.subarray(headerEnd) }
}

/** The text says whose state it is and what it stands on, so that a sealed one is of no use anywhere else. */
export async function sealSnapshot(bytes: Uint8Array, { seal }: StateSeal): Promise<void> {
  bytes.set(await seal(bytes.subarray(0, HASH_BYTES)), HASH_BYTES)
}

/** What is wrong with the seal; null where nothing is. Where there is none to compare with, none must be there. */
export async function faultOfSeal(
  bytes: Uint8Array,
  seal: StateSeal | null,
): Promise<'unsealed' | 'wrong-seal' | null> {
  const found = bytes.subarray(HASH_BYTES, TEXT_START)
  const isUnsealed = found.every(byte => byte === 0)
  if (isUnsealed) return seal ? 'unsealed' : null
  return seal && (await seal.holds(bytes.subarray(0, HASH_BYTES), found)) ? null : 'wrong-seal'
}
