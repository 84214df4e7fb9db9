// Makes proofs of the log's Merkle tree that an outsider can check.

import { hexOf } from '../log/bytes.ts'
import { StoreError } from '../log/errors.ts'
import type { GlobalPosition, Hash } from '../log/event.ts'
import { bytesOfEventId, isEventId } from '../log/event-id.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { ConsistencyProof, InclusionProof } from '../log/proofs.ts'
import type { BlockStore } from './block-store.ts'
import type { LogIndex } from './log-index.ts'
import type { LogTree } from './log-tree.ts'

export type ProofParts = Readonly<{
  index: LogIndex
  blocks: BlockStore
  tree: LogTree
  hash: HashProvider
}>

/** @throws `StoreError` `unknown-event`; `invalid-argument` for a tree size that does not hold the event. */
export async function proveInclusion(
  eventId: string,
  { index, blocks, tree }: ProofParts,
  treeSize: number = index.head,
): Promise<InclusionProof> {
  const position = positionOf(eventId, { index })
  checkSize(treeSize, { least: position, most: index.head })
  const block = await blocks.holding(position)
  const hashes = await tree.inclusionProof(position - 1, treeSize)
  return {
    eventId,
    globalPosition: position,
    leafHash: hashText(block.hashOf(position - block.firstPosition)),
    treeSize,
    rootHash: hashText(await tree.root(treeSize)),
    hashes: hashes.map(hashText),
  }
}

/** @throws `StoreError` `invalid-argument` for sizes that the log has not, or that prove nothing. */
export async function proveConsistency(
  size1: number,
  { index, tree }: ProofParts,
  size2: number = index.head,
): Promise<ConsistencyProof> {
  checkSize(size2, { least: 1, most: index.head })
  checkSize(size1, { least: 1, most: size2 })
  const hashes = await tree.consistencyProof(size1, size2)
  return {
    size1,
    rootHash1: hashText(await tree.root(size1)),
    size2,
    rootHash2: hashText(await tree.root(size2)),
    hashes: hashes.map(hashText),
  }
}

/** @throws `StoreError` `unknown-event` */
export function positionOf(eventId: string, { index }: Pick<ProofParts, 'index'>): GlobalPosition {
  const position = isEventId(eventId) ? index.positionOfId(bytesOfEventId(eventId)) : undefined
  if (position !== undefined) return position
  throw new StoreError('unknown-event', `The log has no event ${eventId}`, { eventId })
}

const hashText = (bytes: Uint8Array): Hash => hexOf(bytes) as Hash

/** @throws `StoreError` `invalid-argument` for a size that the log has not. */
export function checkSize(size: number, { least, most }: { least: number; most: number }): void {
  if (Number.isSafeInteger(size) && size >= least && size <= most) return
  const problem = `A tree of ${size} entries is asked for, where ${least} to ${most} can be`
  throw new StoreError('invalid-argument', problem, { size, least, most })
}
