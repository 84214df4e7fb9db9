// Follows the chains of a log entry by entry: recomputes every hash and follows every link, believes no cache.

import { type Block, decodeBlock, sealedParts } from '../log/block.ts'
import { equalBytes, hexOf } from '../log/bytes.ts'
import { type Entry, KIND_SYSTEM } from '../log/entry.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { HashChain } from '../log/hash-chain.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import type { VerifyProblem } from '../model/event-store.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { DraftHead } from './staged-run.ts'
import { readSyncFact, SYNC_STREAM } from './sync-fact.ts'

/** Read at once of what was superseded: it may be all that is before it. */
const READ_BYTES = 4 * 1024 * 1024

export type FollowerParts = Readonly<{ storeId: string; storage: LogStorage; chain: HashChain }>

export type Failure = Readonly<{
  at: GlobalPosition
  problem: VerifyProblem
  detail: string
  /** Left out where the block at that position tells it. */
  eventId?: string
}>

/** Covers what no entry's hash does: where commits end, and what was noted beside them. */
export async function checkDigest(
  bytes: Uint8Array<ArrayBuffer>,
  at: GlobalPosition,
  hash: HashProvider,
): Promise<Failure | null> {
  const { content, digest } = sealedParts(bytes)
  if (equalBytes(await hash.digestLarge(content), digest)) return null
  return {
    at,
    problem: 'hash-mismatch',
    detail: 'the block does not match its digest',
  }
}

function checkHash(entry: Entry, computed: Uint8Array, at: GlobalPosition): Failure | null {
  if (equalBytes(computed, entry.hash)) return null
  const detail = `the stored hash is ${hexOf(entry.hash)}, the content gives ${hexOf(computed)}`
  return { at, problem: 'hash-mismatch', detail }
}

/** Follows the chain of every stream entry by entry, and goes back with it where a rebase superseded entries. */
export class ChainFollower {
  head: GlobalPosition = 0
  /** Events of the application that hold and count. */
  events = 0
  readonly #parts: FollowerParts
  readonly #heads = new Map<string, DraftHead>()
  /** What has been taken off the count. */
  readonly #superseded: (readonly [from: GlobalPosition, to: GlobalPosition])[] = []

  constructor(parts: FollowerParts) {
    this.#parts = parts
  }

  async follow(block: Block): Promise<Failure | null> {
    const hashes = this.#parts.chain.hashesOfBlock(block)
    // Whole segments at once where nothing is odd; entry by entry to say where something is.
    if (equalBytes(hashes, block.hashes) && this.#followSegments(block)) return null
    for (let i = this.head + 1 - block.firstPosition; i < block.count; i++) {
      const entry = block.entry(i)
      const at = block.firstPosition + i
      const isFact = entry.kind === KIND_SYSTEM && entry.streamName === SYNC_STREAM
      const computed = hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)
      const failure = checkHash(entry, computed, at) ?? (isFact ? await this.#applyFact(entry, at) : null)
      const broken = failure ?? this.#followLink(entry, at)
      if (broken) return broken
      if (entry.kind !== KIND_SYSTEM) this.events++
      this.head = at
    }
    return null
  }

  /**
   * Follows a block of events alone, whose hashes hold, from segment to segment: within one, entries link by what the
   * block is. False, and nothing followed, when it has other entries, or a segment does not link to its stream.
   */
  #followSegments(block: Block): boolean {
    if (block.firstPosition <= this.head || block.kinds.includes(KIND_SYSTEM)) return false
    const seen = new Set<string>()
    for (const { streamName, firstVersion, previous } of block.segments) {
      const head = this.#headOf(streamName)
      if (seen.has(streamName) || firstVersion !== head.version + 1 || !equalBytes(previous, head.hash))
        return false
      seen.add(streamName)
    }
    const lastOf = new Int32Array(block.segments.length)
    for (let i = 0; i < block.count; i++) lastOf[block.segmentOf[i]!] = i
    for (const [i, { streamName }] of block.segments.entries()) {
      const last = lastOf[i]!
      this.#heads.set(streamName, { version: block.versions[last]!, hash: block.hashOf(last).slice() })
    }
    this.events += block.count
    this.head = block.lastPosition
    return true
  }

  #followLink({ streamName, streamVersion, previous, hash }: Entry, at: GlobalPosition): Failure | null {
    const head = this.#headOf(streamName)
    if (streamVersion !== head.version + 1 || !equalBytes(previous, head.hash)) {
      const found = `version ${streamVersion} behind ${hexOf(previous)}`
      const expected = `version ${head.version + 1} behind ${hexOf(head.hash)}`
      return {
        at,
        problem: 'broken-link',
        detail: `stream "${streamName}": expected ${expected}, found ${found}`,
      }
    }
    this.#heads.set(streamName, { version: streamVersion, hash: hash.slice() })
    return null
  }

  /** Sets each stream back to before its first superseded entry, which is read once more to tell where that is. */
  async #applyFact(fact: Entry, at: GlobalPosition): Promise<Failure | null> {
    const { supersededFrom } = readSyncFact(fact.payload, at)
    if (supersededFrom === null) return null
    const rewound = new Set<string>()
    for await (const block of this.#blocksOf(supersededFrom, at - 1)) {
      for (let i = Math.max(0, supersededFrom - block.firstPosition); i < block.count; i++) {
        const position = block.firstPosition + i
        if (position >= at || block.kinds[i] === KIND_SYSTEM) continue
        if (!this.#isSuperseded(position)) this.events--
        const { streamName, streamVersion, previous } = block.entry(i)
        if (rewound.has(streamName)) continue
        rewound.add(streamName)
        this.#heads.set(streamName, { version: streamVersion - 1, hash: previous.slice() })
      }
    }
    this.#superseded.push([supersededFrom, at - 1])
    return null
  }

  async *#blocksOf(from: GlobalPosition, to: GlobalPosition): AsyncGenerator<Block> {
    for (let next = from; next <= to; ) {
      const read = await this.#parts.storage.read({ from: next, to, maxBytes: READ_BYTES })
      if (read.length === 0) return
      for (const { bytes, firstPosition } of read) yield decodeBlock(bytes, firstPosition)
      next = read.at(-1)!.lastPosition + 1
    }
  }

  #isSuperseded(position: GlobalPosition): boolean {
    return this.#superseded.some(([from, to]) => from <= position && position <= to)
  }

  #headOf(streamName: string): DraftHead {
    const known = this.#heads.get(streamName)
    if (known) return known
    const { chain, storeId } = this.#parts
    const genesis = { version: 0, hash: chain.genesis(storeId, streamName) }
    this.#heads.set(streamName, genesis)
    return genesis
  }
}
