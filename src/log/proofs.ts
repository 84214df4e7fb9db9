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

/** Why a checkpoint bears no signature. */
export type UnsignedReason =
  /** The application did not ask for signatures. */
  | 'switched-off'
  /** The platform has no Ed25519: a browser from before 2025, or a page over plain http. */
  | 'no-ed25519'
  /** The browser would not keep the key. */
  | 'key-not-kept'

/**
 * What the log was at one moment: how many entries, and the Merkle root over them. Signed, it is a C2SP checkpoint
 * that any implementation of c2sp.org/tlog-checkpoint reads.
 */
export type LogCheckpoint = Readonly<{
  /** Names the log: the store, and the replica whose log it is. */
  origin: string
  size: number
  rootHash: Hash
  /** A signed note; without a signature, its text alone. */
  text: string
  signing:
    | Readonly<{ status: 'signed'; verifierKey: string }>
    | Readonly<{ status: 'unsigned'; reason: UnsignedReason }>
}>
