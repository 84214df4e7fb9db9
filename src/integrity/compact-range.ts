// A Merkle tree (RFC 6962) that only grows: kept of it are the roots of its perfect subtrees, from the left, which are
// enough to add leaves and to tell the root.

import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import { NodeHasher } from './merkle-tree.ts'

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
    let node = leafHash
    // Each bit that is carried makes one subtree of two.
    for (let size = this.#size; size % 2 === 1; size = Math.floor(size / 2)) {
      node = this.#hasher.node(this.#roots.pop()!, node)
    }
    this.#roots.push(node)
    this.#size++
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
