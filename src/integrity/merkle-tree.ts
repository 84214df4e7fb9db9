// The Merkle tree of RFC 6962 section 2.1 over the entries of a log: which subtrees a proof is made of, and what a
// subtree hashes to. Leaves are entry hashes, which the record format makes leaf hashes already.

import { ByteWriter } from '../log/bytes.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'

/** Leaves [start, end) as a subtree. */
export type LeafRange = readonly [start: number, end: number]

/** Leaves of a tile of level 0 (c2sp.org/tlog-tiles, height 8). */
export const TILE_LEAVES = 256

/** Domain separation of inner nodes from leaves. */
const NODE = 0x01
const NODE_INPUT_BYTES = 1 + 2 * HASH_BYTES

/** The subtrees whose hashes prove that leaf `index` is in a tree of `size` leaves, from the leaf upwards. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const middle = start + largestPowerBelow(end - start)
    ranges.push(index < middle ? [middle, end] : [start, middle])
    if (index < middle) end = middle
    else start = middle
  }
  return ranges.reverse()
}

/** The subtrees whose hashes prove that the tree of `size1` leaves is the beginning of that of `size2`. */
export function consistencyRanges(size1: number, size2: number): LeafRange[] {
  if (size1 === 0 || size1 === size2) return []
  const ranges: LeafRange[] = []
  let [start, end] = [0, size2]
  while (end !== size1) {
    const middle = start + largestPowerBelow(end - start)
    ranges.push(size1 <= middle ? [middle, end] : [start, middle])
    if (size1 <= middle) end = middle
    else start = middle
  }
  // Who checks knows the whole old tree, but not a part of it.
  if (start > 0) ranges.push([start, end])
  return ranges.reverse()
}

/** The two halves of a subtree of more than one leaf. */
export function halvesOf([start, end]: LeafRange): [LeafRange, LeafRange] {
  const middle = start + largestPowerBelow(end - start)
  return [
    [start, middle],
    [middle, end],
  ]
}

/** The fewest perfect subtrees that leaves from start to end are made of, from the left. */
export function perfectRanges([start, end]: LeafRange): LeafRange[] {
  const ranges: LeafRange[] = []
  for (let from = start; from < end; ) {
    let leaves = 1
    while (from + 2 * leaves <= end && isPerfect([from, from + 2 * leaves])) leaves *= 2
    ranges.push([from, from + leaves])
    from += leaves
  }
  return ranges
}

/** True for a subtree of 2^n leaves that begins at a multiple of 2^n. */
export const isPerfect = ([start, end]: LeafRange): boolean =>
  isPowerOfTwo(end - start) && start % (end - start) === 0

const isPowerOfTwo = (n: number): boolean => n > 0 && 2 ** Math.floor(Math.log2(n)) === n

/** The largest power of two below n, which is over 1. */
const largestPowerBelow = (n: number): number => 2 ** Math.floor(Math.log2(n - 1))

/** Hashes inner nodes; many at once take a fraction of the time. */
export class NodeHasher {
  readonly #hash: HashProvider
  readonly #scratch = new ByteWriter(1024)

  constructor(hash: HashProvider) {
    this.#hash = hash
  }

  node(left: Uint8Array, right: Uint8Array): Uint8Array {
    const scratch = this.#scratch
    scratch.reset()
    scratch.u8(NODE)
    scratch.raw(left)
    scratch.raw(right)
    return this.#hash.digest(scratch.bytes())
  }

  /** The parents of nodes that stand side by side, an even number of them, 32 bytes each. */
  parents(nodes: Uint8Array): Uint8Array<ArrayBuffer> {
    const count = nodes.length / (2 * HASH_BYTES)
    const scratch = this.#scratch
    scratch.reset()
    const ends = new Uint32Array(count)
    for (let i = 0; i < count; i++) {
      scratch.u8(NODE)
      scratch.part(nodes, i * 2 * HASH_BYTES, (i + 1) * 2 * HASH_BYTES)
      ends[i] = (i + 1) * NODE_INPUT_BYTES
    }
    return this.#hash.digestMany(scratch.bytes(), ends)
  }

  /** The root over a perfect subtree's leaves, or over nodes of one level above them. */
  perfectRoot(nodes: Uint8Array): Uint8Array {
    let level = nodes
    while (level.length > HASH_BYTES) level = this.parents(level)
    return level
  }

  /** What a tree without leaves hashes to. */
  emptyRoot(): Uint8Array {
    return this.#hash.digest(new Uint8Array())
  }
}
