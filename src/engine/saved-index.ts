// The index of an open log and its saved form: restored at opening, its ids read behind the first views, saved again as
// the log grows and when it is closed.

import type { GlobalPosition } from '../log/event.ts'
import type { BlockStore } from './block-store.ts'
import { type IndexCheckpoint, SEGMENT_POSITIONS } from './index-checkpoint.ts'
import type { LogIndex } from './log-index.ts'
import { nextTask } from './replay/pace.ts'

/** The ids of a large log are read so long after opening, unless a write needs them earlier: views come first. */
const IDS_AFTER_MS = 500
/** Event ids that are made ready for look-ups in one task: less than a millisecond. */
const IDS_AT_ONCE = 4_096
/** Entries after which the index is saved again. */
const SAVE_EVERY = 2 * SEGMENT_POSITIONS

export type SavedIndexParts = Readonly<{
  checkpoint: IndexCheckpoint
  blocks: BlockStore
  emptyIndex: () => LogIndex
  /** Without a saved index the next opening reads more, and nothing is lost. */
  onError: (error: unknown) => void
}>

export class SavedIndex {
  readonly index: LogIndex
  /** How far the log was known to reach when it was opened. */
  readonly knownHead: GlobalPosition
  readonly #parts: SavedIndexParts
  #ids: Promise<void> | null = null
  #saving: Promise<void> | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  static async restore(parts: SavedIndexParts): Promise<SavedIndex> {
    const { checkpoint, blocks, emptyIndex } = parts
    const index = emptyIndex()
    const isRestored = await checkpoint.restore(index, blocks)
    return new SavedIndex(parts, isRestored ? index : emptyIndex(), await checkpoint.knownHead())
  }

  private constructor(parts: SavedIndexParts, index: LogIndex, knownHead: GlobalPosition) {
    this.#parts = parts
    this.index = index
    this.knownHead = knownHead
  }

  /** To be called once the log is open. */
  opened(): void {
    this.#timer = setTimeout(() => this.#prepareIds(), IDS_AFTER_MS)
  }

  /** Resolves when ids can be looked for: a write must know one that is there already. */
  idsReady(): Promise<void> {
    const { checkpoint, blocks } = this.#parts
    this.#ids ??= checkpoint.restoreIds(this.index, blocks).catch(error => {
      // Whoever asks next tries again.
      this.#ids = null
      throw error
    })
    return this.#ids
  }

  /** To be told when the log has grown. */
  grown(): void {
    if (this.index.head - this.#parts.checkpoint.savedHead < SAVE_EVERY) return
    this.#saving ??= this.#save().finally(() => {
      this.#saving = null
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#saving
    if (this.index.head > this.#parts.checkpoint.savedHead) await this.#save()
  }

  /** Bit by bit, so that neither a view nor the first append waits for all of it. */
  async #prepareIds(): Promise<void> {
    try {
      await this.idsReady()
      while (!this.#isClosed && !this.index.hashIds(IDS_AT_ONCE)) await nextTask()
    } catch (error) {
      // The next write tries again, and fails with it.
      if (!this.#isClosed) this.#parts.onError(error)
    }
  }

  async #save(): Promise<void> {
    const { checkpoint, blocks, onError } = this.#parts
    try {
      await this.idsReady()
      const { head } = this.index
      const block = await blocks.holding(head)
      // Only a state of the index and the entry it ends on belong together.
      if (this.index.head === head)
        await checkpoint.save(this.index, block.hashOf(head - block.firstPosition))
    } catch (error) {
      onError(error)
    }
  }
}
