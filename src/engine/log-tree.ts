// The Merkle tree over all entries of a log. Its leaves are in the blocks already; kept beside them are the roots of
// whole tiles of 256 leaves, from which everything above is soon made, and a proof reads a tile or two.

import {
  consistencyRanges,
  halvesOf,
  inclusionRanges,
  isPerfect,
  type LeafRange,
  NodeHasher,
  perfectRanges,
  TILE_LEAVES,
} from '../integrity/merkle-tree.ts'
import { ByteWriter, equalBytes } from '../log/bytes.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { BlockStore } from './block-store.ts'
import { contentOf, sealedValue } from './sealed-value.ts'

/** Tiles whose roots are one value of the side table: 16 KiB, of 131,072 entries. */
const SEGMENT_TILES = 512
const segmentKey = (number: number): string => `tree/tile-roots/${String(number).padStart(10, '0')}`

export type LogTreeParts = Readonly<{
  storage: Pick<LogStorage, 'get' | 'put'>
  blocks: BlockStore
  hash: HashProvider
}>

export class LogTree {
  readonly #parts: LogTreeParts
  readonly #hasher: NodeHasher
  /** 32 bytes each. Positions never change, so neither do these. */
  #tileRoots = new Uint8Array(SEGMENT_TILES * HASH_BYTES)
  #tiles = 0
  #growing: Promise<void> = Promise.resolve()
  #isRestored = false

  constructor(parts: LogTreeParts) {
    this.#parts = parts
    this.#hasher = new NodeHasher(parts.hash)
  }

  /** Root of the first `size` entries, which the log must have. */
  root(size: number): Promise<Uint8Array> {
    return size === 0 ? Promise.resolve(this.#hasher.emptyRoot()) : this.#hashOf([0, size], size)
  }

  /**
   * Hashes of a tile (c2sp.org/tlog-tiles), 32 bytes each: at level 0 those of entries, at each level above the roots
   * of whole tiles below. The log must have them.
   */
  async tile(level: number, index: number, width: number): Promise<Uint8Array> {
    const first = index * TILE_LEAVES
    if (level === 0) return this.#leaves(first, first + width)
    const perHash = TILE_LEAVES ** (level - 1)
    await this.#grow((first + width) * perHash)
    const hashes = new Uint8Array(width * HASH_BYTES)
    for (let i = 0; i < width; i++) {
      const from = (first + i) * perHash
      hashes.set(this.#hasher.perfectRoot(this.#roots(from, from + perHash)), i * HASH_BYTES)
    }
    return hashes
  }

  /** Roots of the perfect subtrees that the leaves of a range are made of, from the left. The log must have them. */
  subtreeRoots(range: LeafRange): Promise<Uint8Array[]> {
    return this.#hashesOf(perfectRanges(range), range[1])
  }

  async inclusionProof(leafIndex: number, size: number): Promise<Uint8Array[]> {
    return this.#hashesOf(inclusionRanges(leafIndex, size), size)
  }

  async consistencyProof(size1: number, size2: number): Promise<Uint8Array[]> {
    return this.#hashesOf(consistencyRanges(size1, size2), size2)
  }

  /**
   * Compares the roots that are stored with those of the log's tiles, as far as both go, and stores the latter where
   * they differ. Returns the first tile that did; null if none.
   */
  correct(roots: Uint8Array): Promise<number | null> {
    const corrected = this.#growing.then(() => this.#correct(roots))
    this.#growing = corrected.then(
      () => {},
      () => {},
    )
    return corrected
  }

  async #correct(roots: Uint8Array): Promise<number | null> {
    const stored = await this.#stored(roots.length / HASH_BYTES)
    const at = stored.findIndex((byte, i) => byte !== roots[i])
    if (at < 0) return null
    const tile = Math.floor(at / HASH_BYTES)
    this.#tiles = 0
    this.#add(roots)
    this.#isRestored = true
    await this.#save(tile)
    return tile
  }

  async #hashesOf(ranges: readonly LeafRange[], size: number): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = []
    for (const range of ranges) hashes.push(await this.#hashOf(range, size))
    return hashes
  }

  async #hashOf(range: LeafRange, size: number): Promise<Uint8Array> {
    const [start, end] = range
    if (!isPerfect(range)) {
      const [left, right] = halvesOf(range)
      return this.#hasher.node(await this.#hashOf(left, size), await this.#hashOf(right, size))
    }
    if (end - start < TILE_LEAVES) return this.#hasher.perfectRoot(await this.#leaves(start, end))
    await this.#grow(Math.floor(size / TILE_LEAVES))
    return this.#hasher.perfectRoot(this.#roots(start / TILE_LEAVES, end / TILE_LEAVES))
  }

  #roots(from: number, to: number): Uint8Array {
    return this.#tileRoots.subarray(from * HASH_BYTES, to * HASH_BYTES)
  }

  /** Hashes of the entries behind the first `start`, up to the first `end`, 32 bytes each. */
  async #leaves(start: number, end: number): Promise<Uint8Array> {
    const leaves = new Uint8Array((end - start) * HASH_BYTES)
    for await (const block of this.#parts.blocks.run(start + 1, end)) {
      const from = Math.max(start + 1, block.firstPosition)
      const to = Math.min(end, block.lastPosition)
      const part = block.hashes.subarray(
        (from - block.firstPosition) * HASH_BYTES,
        (to + 1 - block.firstPosition) * HASH_BYTES,
      )
      leaves.set(part, (from - 1 - start) * HASH_BYTES)
    }
    return leaves
  }

  /** Makes sure that the roots of the first `tiles` tiles are there, and saves those that are new. */
  #grow(tiles: number): Promise<void> {
    if (this.#tiles >= tiles) return Promise.resolve()
    const growing = this.#growing.then(() => this.#growTo(tiles))
    // Whoever waits for it hears of a failure; the next one tries again.
    this.#growing = growing.catch(() => {})
    return growing
  }

  async #growTo(tiles: number): Promise<void> {
    if (!this.#isRestored) await this.#restore(tiles)
    const known = this.#tiles
    while (this.#tiles < tiles) {
      const last = Math.min(tiles, this.#tiles + SEGMENT_TILES)
      const leaves = await this.#leaves(this.#tiles * TILE_LEAVES, last * TILE_LEAVES)
      this.#add(this.#rootsOver(leaves))
    }
    if (this.#tiles > known) await this.#save(known)
  }

  /** One level after the other of all tiles together. */
  #rootsOver(leaves: Uint8Array): Uint8Array {
    let level = leaves
    for (let width = TILE_LEAVES; width > 1; width /= 2) level = this.#hasher.parents(level)
    return level
  }

  #add(roots: Uint8Array): void {
    const tiles = this.#tiles + roots.length / HASH_BYTES
    if (tiles * HASH_BYTES > this.#tileRoots.length) {
      const grown = new Uint8Array(Math.max(tiles * HASH_BYTES, this.#tileRoots.length * 2))
      grown.set(this.#tileRoots)
      this.#tileRoots = grown
    }
    this.#tileRoots.set(roots, this.#tiles * HASH_BYTES)
    this.#tiles = tiles
  }

  /** Takes over what was saved, if it is of this log: its last tile tells. */
  async #restore(tiles: number): Promise<void> {
    this.#add(await this.#stored(tiles))
    if (this.#tiles > 0 && !(await this.#isLastTileOfLog())) this.#tiles = 0
    this.#isRestored = true
  }

  /** Roots of the first `tiles` tiles, as far as they are stored. */
  async #stored(tiles: number): Promise<Uint8Array> {
    const { storage, hash } = this.#parts
    const roots = new ByteWriter(SEGMENT_TILES * HASH_BYTES)
    for (let number = 0; roots.length === number * SEGMENT_TILES * HASH_BYTES; number++) {
      const segment = await contentOf(await storage.get(segmentKey(number)), hash)
      if (!segment) break
      roots.raw(segment)
    }
    return roots.bytes().subarray(0, tiles * HASH_BYTES)
  }

  async #isLastTileOfLog(): Promise<boolean> {
    const leaves = await this.#leaves((this.#tiles - 1) * TILE_LEAVES, this.#tiles * TILE_LEAVES)
    return equalBytes(this.#rootsOver(leaves), this.#roots(this.#tiles - 1, this.#tiles))
  }

  /** Segments are written again until they are full. */
  async #save(known: number): Promise<void> {
    const { storage, hash } = this.#parts
    const values: Record<string, Uint8Array<ArrayBuffer>> = {}
    for (let number = Math.floor(known / SEGMENT_TILES); number * SEGMENT_TILES < this.#tiles; number++) {
      const from = number * SEGMENT_TILES
      const roots = this.#roots(from, Math.min(this.#tiles, from + SEGMENT_TILES))
      values[segmentKey(number)] = await sealedValue(roots, hash)
    }
    await storage.put(values)
  }
}
