// Decoded blocks, each checked against its digest when it comes from storage, the recently used ones in memory.

import { type Block, decodeBlock, type StoredBlock, sealedParts } from '../log/block.ts'
import { equalBytes } from '../log/bytes.ts'
import { LogDamaged } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { LogStorage } from '../storage/log-storage.ts'

const CACHE_BYTES = 32 * 1024 * 1024
/** How much one storage read asks for when a run of blocks is wanted. */
const READ_AHEAD_BYTES = 1024 * 1024

type Cached = { readonly block: Block; readonly bytes: number }

export class BlockStore {
  readonly #storage: LogStorage
  readonly #hash: HashProvider
  /** In order of use, the oldest first. */
  readonly #cache = new Map<GlobalPosition, Cached>()
  /** Last positions of the cached blocks, ascending. */
  readonly #ends: GlobalPosition[] = []
  #cachedBytes = 0

  constructor(storage: LogStorage, hash: HashProvider) {
    this.#storage = storage
    this.#hash = hash
  }

  /** @throws `LogDamaged` when there is no such block, or it is not what was written. */
  async holding(position: GlobalPosition): Promise<Block> {
    const cached = this.#cachedAt(position)
    if (cached) return cached
    const [block] = await this.#read(position, position, 1)
    if (block && block.firstPosition <= position && position <= block.lastPosition) return block
    throw new LogDamaged(position, 'the block is missing')
  }

  /** Blocks from the one that holds `from` to the one that holds `to`, reading ahead. */
  async *run(from: GlobalPosition, to: GlobalPosition): AsyncGenerator<Block> {
    let next = from
    while (next <= to) {
      const cached = this.#cachedAt(next)
      const blocks = cached ? [cached] : await this.#read(next, to, READ_AHEAD_BYTES)
      if (blocks.length === 0) throw new LogDamaged(next, 'the block is missing')
      for (const block of blocks) {
        if (block.firstPosition > next) throw new LogDamaged(next, 'the block is missing')
        yield block
        next = block.lastPosition + 1
      }
    }
  }

  /** Blocks that were written behind a position, oldest first; none at the end of the log. */
  async behind(head: GlobalPosition): Promise<Block[]> {
    return this.#read(head + 1, undefined, READ_AHEAD_BYTES)
  }

  /** Keeps a block that was just written or read. */
  keep(block: Block, bytes: number): void {
    const end = block.lastPosition
    if (this.#cache.has(end)) return
    this.#cache.set(end, { block, bytes })
    this.#ends.splice(lowerBound(this.#ends, end), 0, end)
    this.#cachedBytes += bytes
    this.#evict()
  }

  async #read(from: GlobalPosition, to: GlobalPosition | undefined, maxBytes: number): Promise<Block[]> {
    const stored = await this.#storage.read({ from, maxBytes, ...(to !== undefined && { to }) })
    const blocks = await Promise.all(stored.map(one => checkBlock(one, this.#hash)))
    for (const [i, block] of blocks.entries()) this.keep(block, stored[i]!.bytes.length)
    return blocks
  }

  #cachedAt(position: GlobalPosition): Block | undefined {
    const end = this.#ends[lowerBound(this.#ends, position)]
    if (end === undefined) return undefined
    const cached = this.#cache.get(end)!
    if (cached.block.firstPosition > position) return undefined
    this.#cache.delete(end)
    this.#cache.set(end, cached)
    return cached.block
  }

  #evict(): void {
    for (const [end, { bytes }] of this.#cache) {
      // The last block stays, however large: it was asked for just now.
      if (this.#cachedBytes <= CACHE_BYTES || this.#cache.size === 1) return
      this.#cache.delete(end)
      this.#ends.splice(lowerBound(this.#ends, end), 1)
      this.#cachedBytes -= bytes
    }
  }
}

/** Decodes a stored block. @throws `LogDamaged` when bytes, digest or place are not what was written. */
export async function checkBlock(stored: StoredBlock, hash: HashProvider): Promise<Block> {
  const { content, digest } = sealedParts(stored.bytes)
  if (!equalBytes(await hash.digestLarge(content), digest)) {
    throw new LogDamaged(stored.firstPosition, 'the block does not match its digest')
  }
  const block = decodeBlock(stored.bytes, stored.firstPosition)
  if (block.firstPosition !== stored.firstPosition || block.lastPosition !== stored.lastPosition) {
    throw new LogDamaged(stored.firstPosition, 'the block stands in the wrong place')
  }
  return block
}

/** Index of the first element that is not below `value`. */
function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
