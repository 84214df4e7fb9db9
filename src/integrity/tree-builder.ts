// A Merkle tree (RFC 6962) that is given its leaves in order, and keeps no more of them than the roots of whole tiles.

import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import { halvesOf, isPerfect, type LeafRange, NodeHasher, TILE_LEAVES } from './merkle-tree.ts'

export class TreeBuilder {
  readonly #hasher: NodeHasher
  /** Roots of whole tiles, 32 bytes each. */
  #tiles = new Uint8Array(64 * HASH_BYTES)
  #tileCount = 0
  /** Leaves behind them. */
  readonly #rest = new Uint8Array(TILE_LEAVES * HASH_BYTES)
  #restCount = 0

  constructor(hash: HashProvider) {
    this.#hasher = new NodeHasher(hash)
  }

  /** How many leaves there are. */
  get size(): number {
    return this.#tileCount * TILE_LEAVES + this.#restCount
  }

  /** Adds leaves, 32 bytes each. */
  add(leaves: Uint8Array): void {
    for (let at = 0; at < leaves.length; ) {
      const room = (TILE_LEAVES - this.#restCount) * HASH_BYTES
      const part = leaves.subarray(at, at + room)
      this.#rest.set(part, this.#restCount * HASH_BYTES)
      this.#restCount += part.length / HASH_BYTES
      at += part.length
      if (this.#restCount === TILE_LEAVES) this.#endTile()
    }
  }

  root(): Uint8Array {
    return this.size === 0 ? this.#hasher.emptyRoot() : this.#hashOf([0, this.size])
  }

  /** Roots of whole tiles, in order, 32 bytes each. A view. */
  tileRoots(): Uint8Array {
    return this.#tiles.subarray(0, this.#tileCount * HASH_BYTES)
  }

  #endTile(): void {
    if ((this.#tileCount + 1) * HASH_BYTES > this.#tiles.length) {
      const grown = new Uint8Array(this.#tiles.length * 2)
      grown.set(this.#tiles)
      this.#tiles = grown
    }
    this.#tiles.set(this.#hasher.perfectRoot(this.#rest), this.#tileCount * HASH_BYTES)
    this.#tileCount++
    this.#restCount = 0
  }

  #hashOf(range: LeafRange): Uint8Array {
    const [start, end] = range
    if (!isPerfect(range)) {
      const [left, right] = halvesOf(range)
      return this.#hasher.node(this.#hashOf(left), this.#hashOf(right))
    }
    if (end - start >= TILE_LEAVES) {
      const tiles = this.#tiles.subarray((start / TILE_LEAVES) * HASH_BYTES, (end / TILE_LEAVES) * HASH_BYTES)
      return this.#hasher.perfectRoot(tiles)
    }
    const first = start - this.#tileCount * TILE_LEAVES
    return this.#hasher.perfectRoot(this.#rest.slice(first * HASH_BYTES, (first + end - start) * HASH_BYTES))
  }
}
