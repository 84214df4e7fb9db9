// A snapshot as bytes: SHA-256 of the text, a seal on that, then the text, which is JSON.

import { stateHashOf } from '../../integrity/state-hash.ts'
import { SEAL_BYTES, type StateSeal } from '../../integrity/state-seal.ts'
import { equalBytes, textOf, utf8 } from '../../log/bytes.ts'
import type { GlobalPosition, Hash } from '../../log/event.ts'
import { HASH_BYTES, type HashProvider } from '../../log/hash-provider.ts'

/** Whose state a snapshot holds. `streamName` is null for all documents of a projection over all streams. */
export type SnapshotOwner = Readonly<{
  kind: 'decider' | 'projection'
  name: string
  streamName: string | null
}>

/** A folded state, and the event it stands on. */
export type FoldSnapshot = Readonly<{
  /** Events can be read on behind these. For a stream, `version` is its version. */
  version: number
  position: GlobalPosition
  eventHash: Hash
  /** How many erasures the log had when the state was folded. */
  erasures: number
  /** Types of the events up to it: by whose handlers it was made. */
  types: readonly string[]
  state: unknown
  /** What the fold has to remember beside the state; plain JSON. */
  facts: unknown
}>

export type SnapshotRecord = SnapshotOwner &
  FoldSnapshot &
  Readonly<{ format: number; handlerVersion: string; stateHash: Hash }>

const FORMAT = 4
const TEXT_START = HASH_BYTES + SEAL_BYTES

/** Not sealed yet. @throws `InvalidEvent` when the state has something in it that JSON cannot carry. */
export function snapshotToBytes(
  snapshot: SnapshotOwner & FoldSnapshot & Readonly<{ handlerVersion: string }>,
  hash: HashProvider,
): Uint8Array<ArrayBuffer> {
  const { kind, name, streamName, handlerVersion, version, position, eventHash, erasures, types } = snapshot
  const { state, facts } = snapshot
  const record: SnapshotRecord = {
    format: FORMAT,
    kind,
    name,
    streamName,
    handlerVersion,
    version,
    position,
    eventHash,
    erasures,
    types,
    stateHash: stateHashOf(state, hash),
    facts,
    state,
  }
  const text = utf8(JSON.stringify(record))
  const bytes = new Uint8Array(TEXT_START + text.length)
  bytes.set(hash.digest(text))
  bytes.set(text, TEXT_START)
  return bytes
}

/** What is wrong with bytes that are not what was written, or were written in another version of the format. */
export function snapshotFromBytes(
  bytes: Uint8Array,
  hash: HashProvider,
): SnapshotRecord | 'damaged' | 'other-format' {
  const text = bytes.subarray(TEXT_START)
  if (!equalBytes(hash.digest(text), bytes.subarray(0, HASH_BYTES))) return 'damaged'
  try {
    const record = JSON.parse(textOf(text)) as SnapshotRecord
    if (record.format !== FORMAT) return 'other-format'
    return record.stateHash === stateHashOf(record.state, hash) ? record : 'damaged'
  } catch {
    // Somebody else's bytes can have the right digest, too.
    return 'damaged'
  }
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
