// Looks at a stored block that may not be what was written: what of it can be read and holds, and what is lost.

import { type Block, decodeBlock, readBlockHead, type StoredBlock, sealedParts } from '../../log/block.ts'
import { equalBytes, MalformedBytes } from '../../log/bytes.ts'
import { isStoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { HashChain } from '../../log/hash-chain.ts'
import { HASH_BYTES, type HashProvider } from '../../log/hash-provider.ts'
import { jsonSlice } from '../../log/json-column.ts'

export type InspectedBlock = Readonly<{
  /** Null when the bytes are no block of these positions. */
  block: Block | null
  /** Positions of entries that cannot be read, or do not have their hashes. Ascending. */
  lost: readonly GlobalPosition[]
  /** How many stored bytes of content are lost with them. */
  lostBytes: number
  /** False also where nothing is lost, but for what no entry's hash covers: notes, and where commits end. */
  isSound: boolean
}>

/**
 * @throws `StoreError` `unsupported-format` for what a newer version wrote: it is not damaged, and not for this one to
 * judge. Blocks of every version end with their digest, so that a changed byte is not taken for a newer version.
 */
export async function inspectBlock(
  stored: StoredBlock,
  { chain, hash }: Readonly<{ chain: HashChain; hash: HashProvider }>,
): Promise<InspectedBlock> {
  const { bytes, firstPosition, lastPosition } = stored
  const hasItsDigest = await hasDigest(stored, hash)
  const block = readable(stored, hasItsDigest)
  if (!block) {
    const count = lastPosition - firstPosition + 1
    const lost = Array.from({ length: count }, (_, i) => firstPosition + i)
    return { block, lost, lostBytes: bytes.length, isSound: false }
  }
  const lost = positionsWithoutTheirHash(block, chain)
  const lostBytes = lost.reduce((sum, position) => sum + contentBytes(block, position - firstPosition), 0)
  return { block, lost, lostBytes, isSound: lost.length === 0 && hasItsDigest }
}

/**
 * Whether a commit ended with a block that cannot be read. Its head may say so: that stands before the columns, which
 * are most of a block. False also where nobody knows.
 */
export function endsWithCommit({ bytes, firstPosition, lastPosition }: StoredBlock): boolean {
  const count = lastPosition - firstPosition + 1
  try {
    const head = readBlockHead(bytes)
    const isOfPlace = head.firstPosition === firstPosition && head.count === count
    return isOfPlace && head.commits.at(-1)?.lastIndex === count - 1
  } catch (error) {
    if (error instanceof MalformedBytes) return false
    throw error
  }
}

function readable({ bytes, firstPosition, lastPosition }: StoredBlock, hasItsDigest: boolean): Block | null {
  try {
    const block = decodeBlock(bytes, firstPosition)
    return block.firstPosition === firstPosition && block.lastPosition === lastPosition ? block : null
  } catch (error) {
    const isNewer = isStoreError(error, 'unsupported-format') && hasItsDigest
    if (isNewer || !isStoreError(error)) throw error
    return null
  }
}

function positionsWithoutTheirHash(block: Block, chain: HashChain): GlobalPosition[] {
  const hashes = chain.hashesOfBlock(block)
  const lost: GlobalPosition[] = []
  for (let i = 0; i < block.count; i++) {
    const holds = equalBytes(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), block.hashOf(i))
    if (!holds) lost.push(block.firstPosition + i)
  }
  return lost
}

const contentBytes = (block: Block, i: number): number =>
  jsonSlice(block.payloads, i).length + jsonSlice(block.metadata, i).length

async function hasDigest({ bytes }: StoredBlock, hash: HashProvider): Promise<boolean> {
  const { content, digest } = sealedParts(bytes)
  return equalBytes(await hash.digestLarge(content), digest)
}
