// A Merkle tree (RFC 6962) that only grows: kept of it are the roots of its perfect subtrees, from the left, which are
// enough to add leaves and to tell the root.

import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import { isPerfect, NodeHasher } from './merkle-tree.ts'

export class CompactRange {
  readonly #hasher: NodeHasher
  #size: number
  /** One for each bit of the size, the largest first. */
  readonly #roots: Uint8Array[]

  /** @param roots of the perfect subtrees, as {@link roots} gave them */
  constructor(hash: HashProvider, size = 0, roots: readonly Uint8Array[] = []) {
    if (roots.length !== countBits(size) || roots.some(root => root.length !== HASH_BYTES)) {
      throw new RangeError(`${roots.length} roots are none of a tree of ${size} leaves`)
    }
    this.#hasher = new NodeHasher(hash)
    this.#size = size
    this.#roots = [...roots]
  }

  get size(): number {
    return this.#size
  }

  get roots(): readonly Uint8Array[] {
    return this.#roots
  }

  add(leafHash: Uint8Array): void {
    this.addSubtree(leafHash, 1)
  }

  /**
   * Adds the leaves of a perfect subtree by its root.
   *
   * @param leaves a power of two, of which the size so far is a multiple
   */
  addSubtree(root: Uint8Array, leaves: number): void {
    if (!isPerfect([this.#size, this.#size + leaves])) {
      throw new RangeError(`No perfect subtree of ${leaves} leaves stands behind ${this.#size}`)
    }
    let node = root
    // Each bit that is carried makes one subtree of two.
    for (let count = this.#size / leaves; count % 2 === 1; count = Math.floor(count / 2)) {
      node = this.#hasher.node(this.#roots.pop()!, node)
    }
    this.#roots.push(node)
    this.#size += leaves
  }

  root(): Uint8Array {
    const [last, ...others] = this.#roots.toReversed()
    return last
      ? others.reduce((right, left) => this.#hasher.node(left, right), last)
      : this.#hasher.emptyRoot()
  }
}

function countBits(size: number): number {
  let bits = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2
  return bits
}
