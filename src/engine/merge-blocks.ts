// Takes the entries of adjacent blocks over into as few blocks as hold them: hashes, salts and notes as they are.

import type { Block, StoredBlock } from '../log/block.ts'
import { BlockWriter } from '../log/block-writer.ts'
import type { CommitNote } from '../log/commit-note.ts'
import type { Entry } from '../log/entry.ts'
import type { HashProvider } from '../log/hash-provider.ts'

/** A block with what it takes in storage. */
export type SizedBlock = Readonly<{ block: Block; bytes: number }>

/**
 * The same entries and commits in fewer blocks. Each source block goes as a whole into one of them, so that no
 * commit is cut that was not cut before.
 */
export function mergeBlocks(sources: readonly SizedBlock[], hash: HashProvider): Promise<StoredBlock[]> {
  const writer = new BlockWriter(hash, sources[0]!.block.firstPosition)
  for (const { block, bytes } of sources) {
    // At most so much: dictionaries are shared in the merged block.
    if (bytes > writer.room) writer.cut()
    takeOver(block, writer)
  }
  return writer.finish()
}

/** What to change on the way, by the index in the block. */
export type TakeOverChange = Readonly<{
  entry: (entry: Entry, i: number) => Entry
  note: (note: CommitNote | null, i: number) => CommitNote | null
}>

const AS_IT_IS: TakeOverChange = { entry: entry => entry, note: note => note }

/** Writes all that a block holds. */
export function takeOver(block: Block, writer: BlockWriter, change = AS_IT_IS): void {
  let from = 0
  for (const { lastIndex, note } of block.commits) {
    for (; from <= lastIndex; from++) writer.add(change.entry(block.entry(from), from))
    writer.endCommit(change.note(note, lastIndex))
  }
  // The rest belongs to a commit that ends in the next block.
  for (; from < block.count; from++) writer.add(change.entry(block.entry(from), from))
}
