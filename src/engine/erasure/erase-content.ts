// Takes the content of entries out of the storage: out of the blocks or rows that hold them, and the commands out of
// the notes of their commits. Done twice, it changes nothing the second time.

import type { Block, StoredBlock } from '../../log/block.ts'
import { BlockWriter } from '../../log/block-writer.ts'
import type { CommitNote } from '../../log/commit-note.ts'
import { KIND_ERASED } from '../../log/entry.ts'
import { erasedForm } from '../../log/erased-entry.ts'
import { LogDamaged } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { HashChain } from '../../log/hash-chain.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { checkBlock } from '../block-store.ts'
import { takeOver } from '../merge-blocks.ts'
import type { ErasureRecord } from './erasure-record.ts'

export type ContentParts = Readonly<{
  storage: Pick<LogStorage, 'read' | 'replace' | 'overwrite'>
  chain: HashChain
  hash: HashProvider
  /** Whether commits have notes: on the device of their author they do. */
  hasNotes: boolean
}>

export type ErasedContent = Readonly<{
  touched: ErasureRecord['touched']
  /** Whether there was anything left to be taken out. */
  hasChanged: boolean
}>

/**
 * @param positions of events, ascending
 * @throws `LogDamaged` when a block that has to be rewritten is not what was written
 */
export async function eraseContent(
  positions: readonly GlobalPosition[],
  parts: ContentParts,
): Promise<ErasedContent> {
  const eraser = new ContentEraser(positions, parts)
  for (const position of positions) await eraser.eraseAt(position)
  return { touched: [...eraser.touched], hasChanged: eraser.hasChanged }
}

class ContentEraser {
  readonly touched = new Map<string, GlobalPosition>()
  hasChanged = false
  readonly #positions: ReadonlySet<GlobalPosition>
  readonly #parts: ContentParts
  #reached: GlobalPosition = 0
  /** A commit with an erased entry ends in a block that is still to come. */
  #isNoteDue = false

  constructor(positions: readonly GlobalPosition[], parts: ContentParts) {
    this.#positions = new Set(positions)
    this.#parts = parts
  }

  /** All that is to be erased in the block that holds the position; and on to the end of the commit. */
  async eraseAt(position: GlobalPosition): Promise<void> {
    if (position <= this.#reached) return
    let block = await this.#rewrite(position)
    while (this.#isNoteDue && this.#parts.hasNotes) block = await this.#rewrite(block.lastPosition + 1)
    this.#isNoteDue = false
    this.#reached = block.lastPosition
  }

  async #rewrite(position: GlobalPosition): Promise<Block> {
    const { storage, hash } = this.#parts
    for (;;) {
      const [stored] = await storage.read({ from: position, to: position, maxBytes: 1 })
      if (!stored) throw new LogDamaged(position, 'the block is missing')
      const block = await checkBlock(stored, hash)
      const revision = this.#revise(block)
      if (!revision.isNeeded || (await this.#write(stored, block, revision))) {
        this.hasChanged ||= revision.isNeeded
        this.#isNoteDue = revision.isNoteDue
        for (const [name, first] of revision.touched) {
          if (!this.touched.has(name)) this.touched.set(name, first)
        }
        return block
      }
      // Merged by somebody else meanwhile.
    }
  }

  #revise(block: Block): Revision {
    const erased = new Set<number>()
    const notes = new Set<number>()
    const touched = new Map<string, GlobalPosition>()
    let isNoteDue = this.#isNoteDue
    let next = 0
    for (let i = 0; i < block.count; i++) {
      const position = block.firstPosition + i
      if (this.#positions.has(position)) {
        isNoteDue = true
        if (block.kinds[i] !== KIND_ERASED) erased.add(i)
        const name = block.streamNameOf(i)
        if (!touched.has(name)) touched.set(name, position)
      }
      const end = block.commits[next]
      if (end?.lastIndex !== i) continue
      if (isNoteDue && end.note && 'command' in end.note) notes.add(i)
      isNoteDue = false
      next++
    }
    return { erased, notes, touched, isNoteDue, isNeeded: erased.size > 0 || notes.size > 0 }
  }

  async #write(stored: StoredBlock, block: Block, { erased, notes }: Revision): Promise<boolean> {
    const { storage, hash, chain } = this.#parts
    const writer = new BlockWriter(hash, block.firstPosition)
    takeOver(block, writer, {
      entry: (entry, i) => (erased.has(i) ? erasedForm(entry, chain.bodyOf(entry)) : entry),
      note: (note, i) => (notes.has(i) ? WITHOUT_COMMAND : note),
    })
    const blocks = await writer.finish()
    if (storage.replace) return (await storage.replace([stored], blocks)).type === 'replaced'
    await storage.overwrite!(blocks)
    return true
  }
}

type Revision = Readonly<{
  /** Entries to erase and ends of commits to take the command from, by their index in the block. */
  erased: ReadonlySet<number>
  notes: ReadonlySet<number>
  touched: ReadonlyMap<string, GlobalPosition>
  isNoteDue: boolean
  isNeeded: boolean
}>

/** A command says what its events say. Without it they can only be appended again as they are. */
const WITHOUT_COMMAND: CommitNote = { onConflict: 'reappend' }
