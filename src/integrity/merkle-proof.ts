// Checks proofs of a Merkle tree as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say. Believes nothing: sizes, number and
// length of hashes come from a stranger.

import { equalBytes } from '../log/bytes.ts'
import { HASH_BYTES } from '../log/hash-provider.ts'
import type { NodeHasher } from './merkle-tree.ts'

export type InclusionClaim = Readonly<{
  leafHash: Uint8Array
  /** From 0. */
  leafIndex: number
  treeSize: number
  root: Uint8Array
  proof: readonly Uint8Array[]
}>

export type ConsistencyClaim = Readonly<{
  size1: number
  root1: Uint8Array
  size2: number
  root2: Uint8Array
  proof: readonly Uint8Array[]
}>

/** True when a tree with this root and size has this leaf at this place. */
export function isIncluded(claim: InclusionClaim, hasher: NodeHasher): boolean {
  const { leafHash, leafIndex, treeSize, root, proof } = claim
  if (!areSizes(leafIndex, treeSize) || leafIndex >= treeSize) return false
  if (![leafHash, root, ...proof].every(isHash)) return false
  const walk = new Walk(leafIndex, treeSize - 1)
  let node = leafHash
  for (const sibling of proof) {
    if (walk.isAtRoot) return false
    node = walk.isOnTheRight ? hasher.node(sibling, node) : hasher.node(node, sibling)
    walk.upToParent()
  }
  return walk.isAtRoot && equalBytes(node, root)
}

/** True when the tree of `size1` leaves is the beginning of that of `size2`. */
export function isConsistent(claim: ConsistencyClaim, hasher: NodeHasher): boolean {
  const { size1, root1, size2, root2, proof } = claim
  // Every tree begins with the empty one: that would prove nothing.
  if (!areSizes(size1, size2) || size1 === 0 || size1 > size2) return false
  // A tree begins with itself, whatever its root is.
  if (size1 === size2) return proof.length === 0 && equalBytes(root1, root2)
  if (![root1, root2, ...proof].every(isHash)) return false
  const path = isPowerOfTwo(size1) ? [root1, ...proof] : proof
  if (path.length === 0) return false
  const walk = new Walk(size1 - 1, size2 - 1)
  walk.upWhileRight()
  let [old, now] = [path[0]!, path[0]!]
  for (const sibling of path.slice(1)) {
    if (walk.isAtRoot) return false
    if (walk.isOnTheRight) {
      old = hasher.node(sibling, old)
      now = hasher.node(sibling, now)
    } else now = hasher.node(now, sibling)
    walk.upToParent()
  }
  return walk.isAtRoot && equalBytes(old, root1) && equalBytes(now, root2)
}

const isHash = (bytes: Uint8Array): boolean => bytes.length === HASH_BYTES

const areSizes = (...numbers: readonly number[]): boolean =>
  numbers.every(n => Number.isSafeInteger(n) && n >= 0)

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n))

/** From a node towards the root: where it stands on its level, and where the level's last one does. */
class Walk {
  #node: number
  #last: number

  constructor(node: number, last: number) {
    this.#node = node
    this.#last = last
  }

  get isAtRoot(): boolean {
    return this.#last === 0
  }

  /** Whether the sibling that the proof gives stands on the left: also of a level's last node without one. */
  get isOnTheRight(): boolean {
    return this.#node % 2 === 1 || this.#node === this.#last
  }

  /** To the parent of the node and its sibling, past levels where the node stands alone. */
  upToParent(): void {
    if (this.isOnTheRight) while (this.#node % 2 === 0 && this.#node > 0) this.#up()
    this.#up()
  }

  upWhileRight(): void {
    while (this.#node % 2 === 1) this.#up()
  }

  #up(): void {
    this.#node = Math.floor(this.#node / 2)
    this.#last = Math.floor(this.#last / 2)
  }
}
