// One verification of a log, at one of three levels: reads the storage, and says what it looked at and what it found.

import { TILE_LEAVES } from '../integrity/merkle-tree.ts'
import { TreeBuilder } from '../integrity/tree-builder.ts'
import { Block, decodeBlock, type StoredBlock } from '../log/block.ts'
import { hexOf } from '../log/bytes.ts'
import { KIND_SYSTEM } from '../log/entry.ts'
import { isStoreError } from '../log/errors.ts'
import type { GlobalPosition, Hash } from '../log/event.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { HashChain } from '../log/hash-chain.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import { jsonStart } from '../log/json-column.ts'
import type { LogCheckpoint } from '../log/proofs.ts'
import type {
  BytePlace,
  VerifyCheck,
  VerifyLevel,
  VerifyOptions,
  VerifyReport,
} from '../model/event-store.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { ChainFollower, checkDigest, type Failure } from './chain-follower.ts'
import type { CheckpointBook } from './checkpoint-book.ts'
import { ErasureCheck } from './erasure/erasure-check.ts'
import type { Erasures } from './erasure/erasures.ts'
import type { LogTree } from './log-tree.ts'
import { readAhead } from './read-ahead.ts'

export type VerificationParts = Readonly<{
  storeId: string
  storage: LogStorage
  chain: HashChain
  hash: HashProvider
  tree: LogTree
  checkpoints: Pick<CheckpointBook, 'latest' | 'judge'>
  erasures: Pick<Erasures, 'count' | 'has' | 'isInLog'>
  /** How far the log is known to reach: a log that ends before was cut. */
  knownHead: () => GlobalPosition
}>

const CHECKS: Readonly<Record<VerifyLevel, readonly VerifyCheck[]>> = {
  open: ['end', 'blocks'],
  tree: ['end', 'blocks', 'tree'],
  full: ['end', 'blocks', 'tree', 'entries', 'links', 'erasures'],
}
const ALL_CHECKS: readonly VerifyCheck[] = [...CHECKS.full, 'checkpoint', 'signature']

/** What does not hold, and the stored block that it was found in. */
type Found = Failure & Readonly<{ stored?: StoredBlock }>

export class Verification {
  readonly level: VerifyLevel
  readonly #parts: VerificationParts
  readonly #follower: ChainFollower
  readonly #erasures: ErasureCheck
  readonly #builder: TreeBuilder
  #events = 0
  #checkpoint: LogCheckpoint | null = null
  /** Root of as many entries as the checkpoint has. */
  #checkpointRoot: Uint8Array | null = null
  #checked: VerifyCheck[] = []
  #hasBegun = false

  constructor(level: VerifyLevel, parts: VerificationParts) {
    this.level = level
    this.#parts = parts
    this.#follower = new ChainFollower(parts)
    this.#erasures = new ErasureCheck(parts.erasures)
    this.#builder = new TreeBuilder(parts.hash)
  }

  /** To be called again when it was aborted: it goes on where it was. @throws the signal's reason */
  async run(options: VerifyOptions): Promise<VerifyReport> {
    const { storage, hash, knownHead, checkpoints } = this.#parts
    // One that is made meanwhile may be of more than is read.
    if (!this.#hasBegun) this.#checkpoint = await checkpoints.latest()
    if (this.#checkpoint?.size === 0) this.#checkpointRoot = new TreeBuilder(hash).root()
    this.#hasBegun = true
    options.signal?.throwIfAborted()
    const known = knownHead()
    const total = Math.max(known, await storage.head())
    this.#checked = [...CHECKS[this.level]]
    const read = this.level === 'open' ? this.#readEnd(total) : this.#readAll(total, options)
    const found =
      (await read) ??
      this.#endBefore(known) ??
      this.#erasures.finish() ??
      (await this.#compareTree(total)) ??
      (await this.#compareCheckpoint())
    return found ? this.#failed(found) : this.#passed(total)
  }

  /** Entries that were looked at and hold, from the first. */
  get #verified(): GlobalPosition {
    return this.#builder.size
  }

  async #readEnd(total: GlobalPosition): Promise<Found | null> {
    const { storage, hash } = this.#parts
    const head = await storage.head()
    if (head < total) return truncated(head, total)
    if (total === 0) return null
    const [stored] = await storage.read({ from: total, to: total })
    if (!stored) return { at: total, problem: 'gap', detail: `nothing is stored at position ${total}` }
    const block = decoded(stored)
    if (!(block instanceof Block)) return block
    this.#events = countEvents(block)
    const failure = await checkDigest(stored.bytes, stored.firstPosition, hash)
    return failure && { ...failure, stored }
  }

  async #readAll(total: GlobalPosition, { onProgress, signal }: VerifyOptions): Promise<Found | null> {
    const { storage, hash } = this.#parts
    const from = this.#verified + 1
    for await (const blocks of readAhead(range => storage.read(range), from, total)) {
      // Reads, digests and hashes go on side by side.
      const digests = blocks.map(({ bytes, firstPosition }) => checkDigest(bytes, firstPosition, hash))
      for (const [i, stored] of blocks.entries()) {
        // Where blocks were merged since the last read, the first one begins before the place that was reached.
        const isMerged = i === 0 && stored.firstPosition <= this.#verified
        const failure =
          (isMerged ? null : this.#gapBefore(stored)) ?? (await this.#take(stored)) ?? (await digests[i])
        if (failure) return { ...failure, stored }
      }
      onProgress?.({ verified: this.#verified, total })
      signal?.throwIfAborted()
    }
    return null
  }

  #gapBefore({ firstPosition }: StoredBlock): Failure | null {
    const next = this.#verified + 1
    if (firstPosition === next) return null
    return { at: next, problem: 'gap', detail: `expected position ${next}, found ${firstPosition}` }
  }

  async #take(stored: StoredBlock): Promise<Failure | null> {
    const next = this.#verified + 1
    const block = decoded(stored)
    if (!(block instanceof Block)) return block
    const failure = this.level === 'full' ? await this.#follow(block, next) : null
    this.#events = this.level === 'full' ? this.#follower.events : this.#events + countEvents(block, next)
    const end = failure ? failure.at - 1 : block.lastPosition
    this.#addLeaves(block, next, end)
    return failure
  }

  async #follow(block: Block, next: GlobalPosition): Promise<Failure | null> {
    try {
      return (await this.#follower.follow(block)) ?? this.#erasures.take(block, next)
    } catch (error) {
      if (!isStoreError(error)) throw error
      return { at: block.firstPosition, problem: 'unreadable', detail: error.message }
    }
  }

  #addLeaves(block: Block, from: GlobalPosition, to: GlobalPosition): void {
    const size = this.#checkpoint?.size ?? 0
    const leaves = (first: GlobalPosition, last: GlobalPosition): Uint8Array =>
      block.hashes.subarray(
        (first - block.firstPosition) * HASH_BYTES,
        (last + 1 - block.firstPosition) * HASH_BYTES,
      )
    if (from <= size && size <= to) {
      this.#builder.add(leaves(from, size))
      this.#checkpointRoot = this.#builder.root()
      this.#builder.add(leaves(size + 1, to))
    } else if (from <= to) this.#builder.add(leaves(from, to))
  }

  #endBefore(known: GlobalPosition): Found | null {
    if (this.level === 'open' || this.#verified >= known) return null
    return truncated(this.#verified, known)
  }

  /** Roots that are not those of the log are made anew; until they were found, proofs made of them did not hold. */
  async #compareTree(total: GlobalPosition): Promise<Found | null> {
    const { tree } = this.#parts
    if (this.level === 'open') {
      if (this.#checkpoint && this.#checkpoint.size <= total) {
        this.#checkpointRoot = await tree.root(this.#checkpoint.size)
      }
      return null
    }
    const tile = await tree.correct(this.#builder.tileRoots())
    if (tile === null) return null
    const detail = `the root that was kept of tile ${tile} is not that of its entries; it is made anew`
    return { at: tile * TILE_LEAVES + 1, problem: 'tree-mismatch', detail }
  }

  async #compareCheckpoint(): Promise<Found | null> {
    if (!this.#checkpoint) return null
    const { size, rootHash } = this.#checkpoint
    this.#checked.push('checkpoint')
    if (!this.#checkpointRoot) {
      const detail = `the last checkpoint is of ${size} entries, which the log has not`
      return { at: this.#verified + 1, problem: 'checkpoint-mismatch', detail }
    }
    const root = hexOf(this.#checkpointRoot)
    if (root !== rootHash) {
      const detail = `the first ${size} entries have the root ${root}, and had ${rootHash} at the last checkpoint`
      return { at: 1, problem: 'checkpoint-mismatch', detail }
    }
    const judgement = await this.#parts.checkpoints.judge(this.#checkpoint)
    if (judgement === 'unsigned') return null
    this.#checked.push('signature')
    if (judgement === 'signed') return null
    return { at: size, problem: 'bad-signature', detail: judgement.problem }
  }

  get #scope() {
    const checked = ALL_CHECKS.filter(check => this.#checked.includes(check))
    const unchecked = ALL_CHECKS.filter(check => !this.#checked.includes(check))
    return { level: this.level, checked, unchecked }
  }

  async #passed(total: GlobalPosition): Promise<VerifyReport> {
    const { tree } = this.#parts
    const root = this.level === 'open' ? await tree.root(total) : this.#builder.root()
    const rootHash = hexOf(root) as Hash
    return { ok: true, events: this.#events, headPosition: total, rootHash, ...this.#scope }
  }

  #failed({ stored, ...failure }: Found): VerifyReport {
    const where = stored ? placeOf(failure, stored) : { eventId: null, place: null }
    return { ok: false, ...where, ...failure, verified: this.#verified, ...this.#scope }
  }
}

function truncated(head: GlobalPosition, known: GlobalPosition): Failure {
  const detail = `the log ends at ${head}, but it reached ${known} before`
  return { at: head + 1, problem: 'truncated', detail }
}

function decoded({ bytes, firstPosition }: StoredBlock): Block | Failure {
  try {
    const block = decodeBlock(bytes, firstPosition)
    if (block.firstPosition === firstPosition) return block
    const detail = `the block says it begins at ${block.firstPosition}`
    return { at: firstPosition, problem: 'gap', detail }
  } catch (error) {
    // A newer format is nothing that this version can judge.
    if (!isStoreError(error, 'log-damaged')) throw error
    return { at: firstPosition, problem: 'unreadable', detail: error.message }
  }
}

/** Of the application, at `from` or behind. */
function countEvents(block: Block, from: GlobalPosition = block.firstPosition): number {
  return block.kinds.subarray(from - block.firstPosition).filter(kind => kind !== KIND_SYSTEM).length
}

/** The entry and its bytes, where the block can be read and the entry is what does not hold. */
function placeOf(
  { at, problem }: Failure,
  stored: StoredBlock,
): Readonly<{ eventId: string | null; place: BytePlace }> {
  const { firstPosition, lastPosition, bytes } = stored
  const whole = { firstPosition, lastPosition, start: 0, end: bytes.length }
  const block = decoded(stored)
  const i = at - firstPosition
  if (!(block instanceof Block) || i < 0 || i >= block.count) return { eventId: null, place: whole }
  const eventId = eventIdOf(block.idOf(i))
  if (problem !== 'hash-mismatch') return { eventId, place: whole }
  const { payloads } = block
  const offset = payloads.bytes.byteOffset - bytes.byteOffset
  const [start, end] = [offset + jsonStart(payloads, i), offset + payloads.ends[i]!]
  return { eventId, place: { ...whole, start, end } }
}
