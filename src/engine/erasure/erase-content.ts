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

/** Read, rewritten and written at once. */
const STEP_BYTES = 1024 * 1024
/** Positions as far apart as this are done in steps of their own. */
const NEAR = 512

/**
 * @param positions of events, ascending
 * @throws `LogDamaged` when a block that has to be rewritten is not what was written
 */
export async function eraseContent(
  positions: readonly GlobalPosition[],
  parts: ContentParts,
): Promise<ErasedContent> {
  const eraser = new ContentEraser(positions, parts)
  let reached = 0
  for (const [i, position] of positions.entries()) {
    if (position > reached) reached = await eraser.eraseFrom(position, endOfStretch(positions, i))
  }
  return { touched: [...eraser.touched], hasChanged: eraser.hasChanged }
}

function endOfStretch(positions: readonly GlobalPosition[], from: number): GlobalPosition {
  let i = from
  while (i + 1 < positions.length && positions[i + 1]! - positions[i]! <= NEAR) i++
  return positions[i]!
}

class ContentEraser {
  readonly touched = new Map<string, GlobalPosition>()
  hasChanged = false
  readonly #positions: ReadonlySet<GlobalPosition>
  readonly #parts: ContentParts
  /** A commit with an erased entry ends in a block that is still to come. */
  #isNoteDue = false

  constructor(positions: readonly GlobalPosition[], parts: ContentParts) {
    this.#positions = new Set(positions)
    this.#parts = parts
  }

  /** Some of what is to be erased, and on to the end of its last commit. Returns up to where all of it is. */
  async eraseFrom(from: GlobalPosition, to: GlobalPosition): Promise<GlobalPosition> {
    let reached = await this.#step(from, to)
    while (this.#isNoteDue && this.#parts.hasNotes) reached = await this.#step(reached + 1, reached + 1)
    this.#isNoteDue = false
    return reached
  }

  async #step(from: GlobalPosition, to: GlobalPosition): Promise<GlobalPosition> {
    const { storage, hash } = this.#parts
    for (;;) {
      const stored = await storage.read({ from, to, maxBytes: STEP_BYTES })
      if (stored.length === 0) throw new LogDamaged(from, 'the block is missing')
      const blocks = await Promise.all(stored.map(one => checkBlock(one, hash)))
      let isNoteDue = this.#isNoteDue
      const revisions = blocks.map(block => {
        const revision = this.#revise(block, isNoteDue)
        isNoteDue = revision.isNoteDue
        return revision
      })
      // Where somebody else merged blocks meanwhile, they are read again.
      if (!(await this.#write(stored, blocks, revisions))) continue
      this.#isNoteDue = isNoteDue
      for (const [name, first] of revisions.flatMap(({ touched }) => [...touched])) {
        if (!this.touched.has(name)) this.touched.set(name, first)
      }
      return stored.at(-1)!.lastPosition
    }
  }

  #revise(block: Block, isNoteDueBefore: boolean): Revision {
    const erased = new Set<number>()
    const notes = new Set<number>()
    const touched = new Map<string, GlobalPosition>()
    let isNoteDue = isNoteDueBefore
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
      if (isNoteDue && hasContent(end.note)) notes.add(i)
      isNoteDue = false
      next++
    }
    return { erased, notes, touched, isNoteDue }
  }

  /** False, and nothing written, when other blocks stand there now. */
  async #write(
    stored: readonly StoredBlock[],
    blocks: readonly Block[],
    revisions: readonly Revision[],
  ): Promise<boolean> {
    const isNeeded = ({ erased, notes }: Revision): boolean => erased.size > 0 || notes.size > 0
    const [first, last] = [revisions.findIndex(isNeeded), revisions.findLastIndex(isNeeded)]
    if (first < 0) return true
    const { storage } = this.#parts
    const written: StoredBlock[] = []
    for (let i = first; i <= last; i++) {
      if (isNeeded(revisions[i]!)) written.push(...(await this.#rewritten(blocks[i]!, revisions[i]!)))
      else if (storage.replace) written.push(stored[i]!)
    }
    if (storage.replace) {
      const { type } = await storage.replace(stored.slice(first, last + 1), written)
      if (type === 'conflict') return false
    } else await storage.overwrite!(written)
    this.hasChanged = true
    return true
  }

  #rewritten(block: Block, { erased, notes }: Revision): Promise<StoredBlock[]> {
    const { hash, chain } = this.#parts
    const writer = new BlockWriter(hash, block.firstPosition)
    takeOver(block, writer, {
      entry: (entry, i) => (erased.has(i) ? erasedForm(entry, chain.bodyOf(entry)) : entry),
      note: (note, i) => (notes.has(i) ? WITHOUT_COMMAND : note),
    })
    return writer.finish()
  }
}

type Revision = Readonly<{
  /** Entries to erase and ends of commits to take the command from, by their index in the block. */
  erased: ReadonlySet<number>
  notes: ReadonlySet<number>
  touched: ReadonlyMap<string, GlobalPosition>
  isNoteDue: boolean
}>

/** A command says what its events say. Without it they can only be appended again as they are. */
const WITHOUT_COMMAND: CommitNote = { onConflict: 'reappend' }

/** A command says again what its events say. */
const hasContent = (note: CommitNote | null): boolean =>
  note !== null && ('command' in note || 'encryptedCommand' in note)
