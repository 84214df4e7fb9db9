// Proofs that an outsider can check: what is said, and the hashes that show it. Plain JSON; hashes in hexadecimal.

import type { GlobalPosition, Hash } from './event.ts'

/**
 * That the log whose first `treeSize` entries have the Merkle root `rootHash` holds this entry at this place
 * (RFC 9162 section 2.1.3). Who has the root from somebody they trust needs nothing else.
 */
export type InclusionProof = Readonly<{
  eventId: string
  /** Where the entry stands; its leaf's index is one less. */
  globalPosition: GlobalPosition
  /** The entry's hash, which is its leaf hash. */
  leafHash: Hash
  treeSize: number
  rootHash: Hash
  /** From the leaf upwards. */
  hashes: readonly Hash[]
}>

/** That the log of `size1` entries is the beginning of that of `size2` (RFC 9162 section 2.1.4). */
export type ConsistencyProof = Readonly<{
  size1: number
  rootHash1: Hash
  size2: number
  rootHash2: Hash
  hashes: readonly Hash[]
}>
