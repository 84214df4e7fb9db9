// What a log can show to others: proofs by its Merkle tree, and checkpoints that are signed.

import { TILE_LEAVES } from '../integrity/merkle-tree.ts'
import { type TilePath, widthOfTile } from '../integrity/tile-path.ts'
import { ByteWriter, hexOf } from '../log/bytes.ts'
import type { GlobalPosition, Hash } from '../log/event.ts'
import { HashChain } from '../log/hash-chain.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { ConsistencyProof, InclusionProof } from '../log/proofs.ts'
import type { ExportProofOptions } from '../model/event-store.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { BlockStore } from './block-store.ts'
import { CheckpointBook, type LogSigning } from './checkpoint-book.ts'
import { exportProof } from './export-proof.ts'
import type { LogIndex } from './log-index.ts'
import { LogTree } from './log-tree.ts'
import { checkSize, type ProofParts, positionOf, proveConsistency, proveInclusion } from './prove.ts'

export type LogProofsOptions = Readonly<{
  storage: Pick<LogStorage, 'get' | 'put'>
  blocks: BlockStore
  hash: HashProvider
  index: () => LogIndex
  /** Resolves when the index knows all ids. */
  idsReady: () => Promise<void>
  signing: () => Promise<LogSigning>
}>

export class LogProofs {
  readonly tree: LogTree
  readonly checkpoints: CheckpointBook
  readonly #options: LogProofsOptions

  constructor(options: LogProofsOptions) {
    const { index, signing, ...shared } = options
    this.#options = options
    this.tree = new LogTree(shared)
    const root = (size: number): Promise<Uint8Array> => this.tree.root(size)
    this.checkpoints = new CheckpointBook({ ...shared, head: () => index().head, root, signing })
  }

  /** Hash of the entry at a position. @throws `LogDamaged` when its block cannot be read. */
  async hashAt(position: GlobalPosition): Promise<Hash> {
    const block = await this.#options.blocks.holding(position)
    return hexOf(block.hashOf(position - block.firstPosition)) as Hash
  }

  /** RFC 6962 root over the first `size` entries. @throws `StoreError` `invalid-argument` past the head. */
  async treeRoot(size: number): Promise<Uint8Array> {
    checkSize(size, { least: 0, most: this.#options.index().head })
    return this.tree.root(size)
  }

  /** As on the store; `treeSize` is the log's head where it is left out. */
  async proveInclusion(eventId: string, treeSize?: number): Promise<InclusionProof> {
    await this.#options.idsReady()
    return proveInclusion(eventId, this.#parts, treeSize)
  }

  /** As on the store. */
  async proveConsistency(size1: number, size2?: number): Promise<ConsistencyProof> {
    return proveConsistency(size1, this.#parts, size2)
  }

  /** As on the store. */
  async exportProof(eventId: string, options?: ExportProofOptions): Promise<string> {
    await this.#options.idsReady()
    // Known before anything is signed.
    positionOf(eventId, this.#parts)
    return exportProof(eventId, await this.checkpoints.make(), this.#parts, options)
  }

  /** @throws `StoreError` `unknown-event` */
  async streamNameOf(eventId: string): Promise<string> {
    await this.#options.idsReady()
    const position = positionOf(eventId, this.#parts)
    const block = await this.#options.blocks.holding(position)
    return block.streamNameOf(position - block.firstPosition)
  }

  /**
   * A tile of the log as it is served (c2sp.org/tlog-tiles): hashes, or the bytes that entries are hashed by. Null for
   * one that the log has not, or not so much of.
   */
  async tile(tile: TilePath): Promise<Uint8Array | null> {
    const { level, index, width } = tile
    if (widthOfTile(tile, this.#options.index().head) < width) return null
    if (level !== 'entries') return this.tree.tile(level, index, width)
    const first = index * TILE_LEAVES + 1
    return this.#entryBundle(first, first + width - 1)
  }

  async #entryBundle(from: GlobalPosition, to: GlobalPosition): Promise<Uint8Array> {
    const { blocks, hash } = this.#options
    const chain = new HashChain(hash)
    const bundle = new ByteWriter(64 * 1024)
    let next = from
    for await (const block of blocks.run(from, to)) {
      for (; next <= Math.min(to, block.lastPosition); next++) {
        const entry = chain.entryBytesOf(block.entry(next - block.firstPosition))
        bundle.u16(entry.length)
        bundle.raw(entry)
      }
    }
    return bundle.bytes()
  }

  get #parts(): ProofParts {
    const { index, blocks, hash } = this.#options
    return { index: index(), blocks, tree: this.tree, hash }
  }
}
