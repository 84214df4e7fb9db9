// Recomputes every hash from the stored bytes and follows every link: reads the storage, believes no cache.

import { type Block, decodeBlock, sealedParts } from '../log/block.ts'
import { equalBytes, hexOf } from '../log/bytes.ts'
import { type Entry, KIND_SYSTEM } from '../log/entry.ts'
import { isStoreError } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { HashChain } from '../log/hash-chain.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import type { VerifyOptions, VerifyProblem, VerifyReport } from '../model/event-store.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { readAhead } from './read-ahead.ts'
import type { DraftHead } from './staged-run.ts'
import { readSyncFact, SYNC_STREAM } from './sync-fact.ts'

export type VerifyParts = Readonly<{
  storeId: string
  storage: LogStorage
  chain: HashChain
  hash: HashProvider
  /** How far the log is known to reach: a log that ends before was cut. */
  knownHead: GlobalPosition
}>

type Failure = Readonly<{ at: GlobalPosition; problem: VerifyProblem; detail: string }>

export async function verifyLog(parts: VerifyParts, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { onProgress, signal } = options
  const total = Math.max(parts.knownHead, await parts.storage.head())
  const follower = new ChainFollower(parts)
  signal?.throwIfAborted()
  for await (const stored of readAhead(range => parts.storage.read(range), 1, total)) {
    // Reads, digests and hashes go on side by side.
    const digests = stored.map(({ bytes, firstPosition }) => checkDigest(bytes, firstPosition, parts.hash))
    for (const [i, { bytes, firstPosition }] of stored.entries()) {
      // Where blocks were merged since the last read, the first one begins before the place that was reached.
      const isMerged = i === 0 && firstPosition <= follower.head
      const failure =
        (isMerged ? null : gapBehind(follower.head, firstPosition)) ??
        (await followBlock(bytes, firstPosition, follower)) ??
        (await digests[i])
      if (failure) return { ok: false, ...failure, verified: follower.head }
    }
    onProgress?.({ verified: follower.head, total })
    signal?.throwIfAborted()
  }
  const verified = follower.head
  if (verified < parts.knownHead) {
    const detail = `the log ends at ${verified}, but it reached ${parts.knownHead} before`
    return { ok: false, at: verified + 1, problem: 'truncated', detail, verified }
  }
  return { ok: true, events: follower.events, headPosition: verified }
}

function gapBehind(head: GlobalPosition, firstPosition: GlobalPosition): Failure | null {
  if (firstPosition === head + 1) return null
  return { at: head + 1, problem: 'gap', detail: `expected position ${head + 1}, found ${firstPosition}` }
}

async function followBlock(
  bytes: Uint8Array<ArrayBuffer>,
  firstPosition: GlobalPosition,
  follower: ChainFollower,
): Promise<Failure | null> {
  try {
    const block = decodeBlock(bytes, firstPosition)
    if (block.firstPosition !== firstPosition) {
      return {
        at: firstPosition,
        problem: 'gap',
        detail: `the block says it begins at ${block.firstPosition}`,
      }
    }
    return await follower.follow(block)
  } catch (error) {
    if (!isStoreError(error)) throw error
    return { at: firstPosition, problem: 'unreadable', detail: error.message }
  }
}

/** Covers what no entry's hash does: where commits end, and what was noted beside them. */
async function checkDigest(
  bytes: Uint8Array<ArrayBuffer>,
  at: GlobalPosition,
  hash: HashProvider,
): Promise<Failure | null> {
  const { content, digest } = sealedParts(bytes)
  if (equalBytes(await hash.digestLarge(content), digest)) return null
  return {
    at,
    problem: 'hash-mismatch',
    detail: 'every entry holds, but the block does not match its digest',
  }
}

function checkHash(entry: Entry, computed: Uint8Array, at: GlobalPosition): Failure | null {
  if (equalBytes(computed, entry.hash)) return null
  const detail = `the stored hash is ${hexOf(entry.hash)}, the content gives ${hexOf(computed)}`
  return { at, problem: 'hash-mismatch', detail }
}

/** Follows the chain of every stream entry by entry, and goes back with it where a rebase superseded entries. */
class ChainFollower {
  head: GlobalPosition = 0
  /** Events of the application that hold and count. */
  events = 0
  readonly #parts: VerifyParts
  readonly #heads = new Map<string, DraftHead>()

  constructor(parts: VerifyParts) {
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
    for (const { bytes, firstPosition } of await this.#parts.storage.read({
      from: supersededFrom,
      to: at - 1,
    })) {
      const block = decodeBlock(bytes, firstPosition)
      for (let i = Math.max(0, supersededFrom - block.firstPosition); i < block.count; i++) {
        if (block.firstPosition + i >= at || block.kinds[i] === KIND_SYSTEM) continue
        this.events--
        const { streamName, streamVersion, previous } = block.entry(i)
        if (rewound.has(streamName)) continue
        rewound.add(streamName)
        this.#heads.set(streamName, { version: streamVersion - 1, hash: previous.slice() })
      }
    }
    return null
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
