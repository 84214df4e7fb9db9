// Decoded blocks, each checked against its digest when it comes from storage, the recently used ones in memory.

import { type Block, decodeBlock, type StoredBlock, sealedParts } from '../log/block.ts'
import { equalBytes } from '../log/bytes.ts'
import { isKnownKind } from '../log/entry.ts'
import { isStoreError, LogDamaged, StoreError } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { LogStorage, ReadRange } from '../storage/log-storage.ts'
import { READ_BYTES, readAhead } from './read-ahead.ts'

const CACHE_BYTES = 32 * 1024 * 1024

/** Who wants a block near one that is being read waits for that: most often both are in the same. */
const NEIGHBOURHOOD = 128

type Cached = { readonly block: Block; readonly bytes: number }

export class BlockStore {
  readonly #storage: LogStorage
  readonly #hash: HashProvider
  readonly #onDamaged: (position: GlobalPosition) => void
  /** In order of use, the oldest first. */
  readonly #cache = new Map<GlobalPosition, Cached>()
  /** Last positions of the cached blocks, ascending. */
  readonly #ends: GlobalPosition[] = []
  #cachedBytes = 0
  /** How often everything was forgotten. */
  #generation = 0
  /** The latest read that began in a neighbourhood, while it is under way. */
  readonly #underWay = new Map<number, Promise<unknown>>()

  /** @param onDamaged told of each block that is missing or not what was written; whoever reads it is given the error */
  constructor(
    storage: LogStorage,
    hash: HashProvider,
    onDamaged: (position: GlobalPosition) => void = () => {},
  ) {
    this.#storage = storage
    this.#hash = hash
    this.#onDamaged = onDamaged
  }

  /** @throws `LogDamaged` when there is no such block, or it is not what was written. */
  async holding(position: GlobalPosition): Promise<Block> {
    const cached = this.#cachedAt(position) ?? (await this.#cachedByNeighbour(position))
    if (cached) return cached
    const [block] = await this.#read({ from: position, to: position, maxBytes: 1 })
    if (block && block.firstPosition <= position && position <= block.lastPosition) return block
    throw this.#missing(position)
  }

  /**
   * Blocks from the one that holds `from` to the one that holds `to`, reading ahead. Where blocks are merged
   * meanwhile, one begins before the end of the one before it: pass by what you have seen.
   */
  async *run(from: GlobalPosition, to: GlobalPosition): AsyncGenerator<Block> {
    let next = from
    while (next <= to) {
      const cached = this.#cachedAt(next) ?? (await this.#cachedByNeighbour(next))
      const parts = cached
        ? [[cached]]
        : readAhead(range => this.#read(range), next, this.#endOfGap(next, to))
      for await (const blocks of parts) {
        if (blocks.length === 0) throw this.#missing(next)
        for (const block of blocks) {
          if (block.firstPosition > next) throw this.#missing(next)
          yield block
          next = block.lastPosition + 1
        }
      }
    }
  }

  /**
   * Blocks that were written behind a position, oldest first, to the end of a commit; none at the end of the log. A part
   * of a commit must not count: an amendment stands behind the events that it puts in.
   */
  async behind(head: GlobalPosition): Promise<Block[]> {
    const blocks: Block[] = []
    let more: Block[]
    do {
      const next = (blocks.at(-1)?.lastPosition ?? head) + 1
      more = await this.#read({ from: next, maxBytes: READ_BYTES })
      blocks.push(...more)
    } while (more.length > 0 && !endsCommit(more.at(-1)!))
    return blocks
  }

  /** Keeps a block that was just written or read, instead of those that were merged into it. */
  keep(block: Block, bytes: number): void {
    const { firstPosition, lastPosition: end } = block
    const holding = this.#cache.get(this.#ends[lowerBound(this.#ends, end)]!)
    // Of two blocks one of which holds the other, only the larger is kept: else a look-up could miss both.
    if (holding && holding.block.firstPosition <= firstPosition) return
    this.#dropWithin(firstPosition, end)
    this.#cache.set(end, { block, bytes })
    this.#ends.splice(lowerBound(this.#ends, end), 0, end)
    this.#cachedBytes += bytes
    this.#evict()
  }

  /** Told of a block that others were merged into: takes their place, if any of them is kept. */
  merged(block: Block, bytes: number): void {
    if (this.#dropWithin(block.firstPosition, block.lastPosition) > 0) this.keep(block, bytes)
  }

  /** Nothing that was read so far is given out any more, or kept: some of it was erased. */
  forgetAll(): void {
    this.#generation++
    this.#cache.clear()
    this.#ends.length = 0
    this.#cachedBytes = 0
    this.#underWay.clear()
  }

  /** The last position from `next` to `to` before the first block that is in memory. */
  #endOfGap(next: GlobalPosition, to: GlobalPosition): GlobalPosition {
    const end = this.#ends[lowerBound(this.#ends, next)]
    if (end === undefined) return to
    return Math.min(to, this.#cache.get(end)!.block.firstPosition - 1)
  }

  #read(range: ReadRange): Promise<Block[]> {
    const neighbourhood = Math.floor(range.from / NEIGHBOURHOOD)
    const reading = this.#readChecked(range)
    // Whoever waits for it hears of a failure; one who stopped does not.
    const settled = reading
      .catch(() => {})
      .then(() => {
        if (this.#underWay.get(neighbourhood) === settled) this.#underWay.delete(neighbourhood)
      })
    this.#underWay.set(neighbourhood, settled)
    return reading
  }

  async #cachedByNeighbour(position: GlobalPosition): Promise<Block | undefined> {
    const reading = this.#underWay.get(Math.floor(position / NEIGHBOURHOOD))
    if (!reading) return undefined
    await reading
    return this.#cachedAt(position)
  }

  async #readChecked(range: ReadRange): Promise<Block[]> {
    const generation = this.#generation
    const stored = await this.#storage.read(range)
    const blocks = await Promise.all(stored.map(one => this.#checked(one)))
    if (generation !== this.#generation) return blocks
    for (const [i, block] of blocks.entries()) this.keep(block, stored[i]!.bytes.length)
    return blocks
  }

  async #checked(stored: StoredBlock): Promise<Block> {
    try {
      return await checkBlock(stored, this.#hash)
    } catch (error) {
      if (isStoreError(error, 'log-damaged')) this.#onDamaged(stored.firstPosition)
      throw error
    }
  }

  #missing(position: GlobalPosition): LogDamaged {
    this.#onDamaged(position)
    return new LogDamaged(position, 'the block is missing')
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

  /** Drops the blocks that lie within [first, last] as a whole. Returns how many. */
  #dropWithin(first: GlobalPosition, last: GlobalPosition): number {
    const dropped: GlobalPosition[] = []
    for (let i = lowerBound(this.#ends, first); i < this.#ends.length && this.#ends[i]! <= last; i++) {
      if (this.#cache.get(this.#ends[i]!)!.block.firstPosition >= first) dropped.push(this.#ends[i]!)
    }
    for (const end of dropped) this.#drop(end)
    return dropped.length
  }

  #drop(end: GlobalPosition): void {
    this.#cachedBytes -= this.#cache.get(end)!.bytes
    this.#cache.delete(end)
    this.#ends.splice(lowerBound(this.#ends, end), 1)
  }

  #evict(): void {
    for (const end of this.#cache.keys()) {
      // The last block stays, however large: it was asked for just now.
      if (this.#cachedBytes <= CACHE_BYTES || this.#cache.size === 1) return
      this.#drop(end)
    }
  }
}

const endsCommit = ({ commits, count }: Block): boolean => commits.at(-1)?.lastIndex === count - 1

/**
 * Decodes a stored block.
 *
 * @throws `LogDamaged` when bytes, digest or place are not what was written; `StoreError` `unsupported-format` for what a
 * newer release wrote
 */
export async function checkBlock(stored: StoredBlock, hash: HashProvider): Promise<Block> {
  const { content, digest } = sealedParts(stored.bytes)
  if (!equalBytes(await hash.digestLarge(content), digest)) {
    throw new LogDamaged(stored.firstPosition, 'the block does not match its digest')
  }
  const block = decodeBlock(stored.bytes, stored.firstPosition)
  if (block.firstPosition !== stored.firstPosition || block.lastPosition !== stored.lastPosition) {
    throw new LogDamaged(stored.firstPosition, 'the block stands in the wrong place')
  }
  refuseNewerKinds(block)
  return block
}

/** Only behind the digest: a changed byte is damage. */
function refuseNewerKinds({ kinds, firstPosition }: Block): void {
  const i = kinds.findIndex(kind => !isKnownKind(kind))
  if (i < 0) return
  const [kind, position] = [kinds[i], firstPosition + i]
  throw new StoreError('unsupported-format', `Entries of kind ${kind} are not known here`, { position, kind })
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
