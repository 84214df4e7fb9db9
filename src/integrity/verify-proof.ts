// Checks proofs in the form in which a store gives them.

import { bytesOfHex } from '../log/bytes.ts'
import type { ConsistencyProof, InclusionProof } from '../log/proofs.ts'
import { createSha256 } from '../log/sha256/create-sha256.ts'
import { isConsistent, isIncluded } from './merkle-proof.ts'
import { NodeHasher } from './merkle-tree.ts'

/**
 * True when a log whose tree has the proof's root holds the entry at the proof's place. That the root is the log's is
 * not said by the proof: compare it with one that you have from somebody you trust. That the entry's hash is the
 * event's is not said either.
 *
 * Source: RFC 9162, section 2.1.3.2.
 */
export async function verifyInclusion(proof: InclusionProof): Promise<boolean> {
  const bytes = bytesOf([proof.leafHash, proof.rootHash, ...proof.hashes])
  if (!bytes) return false
  const [leafHash, root, ...hashes] = bytes as [Uint8Array, Uint8Array, ...Uint8Array[]]
  const { globalPosition, treeSize } = proof
  return isIncluded(
    { leafHash, leafIndex: globalPosition - 1, treeSize, root, proof: hashes },
    new NodeHasher(await createSha256()),
  )
}

/**
 * True when the log with the second root begins with the one with the first: nothing was changed, taken out or put in
 * between. As with {@link verifyInclusion}, the roots must be ones that you trust.
 *
 * Source: RFC 9162, section 2.1.4.2.
 */
export async function verifyConsistency(proof: ConsistencyProof): Promise<boolean> {
  const bytes = bytesOf([proof.rootHash1, proof.rootHash2, ...proof.hashes])
  if (!bytes) return false
  const [root1, root2, ...hashes] = bytes as [Uint8Array, Uint8Array, ...Uint8Array[]]
  const { size1, size2 } = proof
  return isConsistent({ size1, root1, size2, root2, proof: hashes }, new NodeHasher(await createSha256()))
}

const HASH = /^[\da-f]{64}$/

/** Null where one of them is no hash. */
function bytesOf(hashes: readonly string[]): Uint8Array[] | null {
  return hashes.every(hash => typeof hash === 'string' && HASH.test(hash)) ? hashes.map(bytesOfHex) : null
}
