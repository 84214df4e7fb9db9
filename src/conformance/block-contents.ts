// What blocks hold, so that logs can be compared however they are cut into blocks.

import { type Block, decodeBlock, type StoredBlock } from '../log/block.ts'
import { hexOf } from '../log/bytes.ts'

export const decodeBlocks = (blocks: readonly StoredBlock[]): Block[] =>
  blocks.map(({ bytes, firstPosition }) => decodeBlock(bytes, firstPosition))

/** Every entry with its position, its exact bytes, and the note where it ends a commit. */
export function entriesOf(blocks: readonly StoredBlock[]) {
  return decodeBlocks(blocks).flatMap(block => {
    const noteAt = new Map(block.commits.map(({ lastIndex, note }) => [lastIndex, note]))
    return Array.from({ length: block.count }, (_, i) => {
      const { payload, metadata, hash, previous, eventId, salt, ...rest } = block.entry(i)
      const bytes = [payload, metadata, hash, previous, eventId, salt].map(hexOf)
      return { position: block.firstPosition + i, ...rest, bytes, commitEnd: noteAt.get(i) ?? noteAt.has(i) }
    })
  })
}
