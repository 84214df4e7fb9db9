// Results of many appends in columns: thousands of small objects cost more to cross a port than to come about.

import type { Hash } from '../log/event.ts'
import type { AppendResult } from '../model/event-store.ts'

export type PackedResults = Readonly<{
  versions: Float64Array
  positions: Float64Array
  flags: Uint8Array
  /** All hashes, one behind the other, 64 hexadecimal digits each. */
  headHashes: string
}>

const CREATED = 1
const IDEMPOTENT = 2
const HASH_DIGITS = 64

export function packResults(results: readonly AppendResult[]): PackedResults {
  const count = results.length
  const versions = new Float64Array(count)
  const positions = new Float64Array(count)
  const flags = new Uint8Array(count)
  let headHashes = ''
  for (let i = 0; i < count; i++) {
    const one = results[i]!
    versions[i] = one.nextExpectedStreamVersion
    positions[i] = one.lastEventGlobalPosition
    flags[i] = (one.createdNewStream ? CREATED : 0) | (one.idempotent ? IDEMPOTENT : 0)
    headHashes += one.headHash
  }
  return { versions, positions, flags, headHashes }
}

/** Results `from` to `from + count - 1`. */
export function unpackResults(packed: PackedResults, from: number, count: number): AppendResult[] {
  return Array.from({ length: count }, (_, n) => {
    const i = from + n
    return {
      nextExpectedStreamVersion: packed.versions[i]!,
      lastEventGlobalPosition: packed.positions[i]!,
      createdNewStream: (packed.flags[i]! & CREATED) !== 0,
      idempotent: (packed.flags[i]! & IDEMPOTENT) !== 0,
      headHash: packed.headHashes.slice(i * HASH_DIGITS, (i + 1) * HASH_DIGITS) as Hash,
    }
  })
}
