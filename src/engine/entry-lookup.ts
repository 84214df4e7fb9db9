// Finds recorded entries by position, in the log or in a draft that is about to be written.

import type { Entry } from '../log/entry.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { BlockStore } from './block-store.ts'
import type { Draft } from './draft.ts'
import type { LogIndex } from './log-index.ts'

export class EntryLookup {
  readonly #index: LogIndex
  readonly #blocks: BlockStore

  constructor(index: LogIndex, blocks: BlockStore) {
    this.#index = index
    this.#blocks = blocks
  }

  async entryAt(position: GlobalPosition, draft: Draft): Promise<Entry> {
    const drafted = draft.entryAt(position)
    if (drafted) return drafted
    const block = await this.#blocks.holding(position)
    return block.entry(position - block.firstPosition)
  }

  /** Position of a stream's last effective entry, 0 where it has none. */
  lastPositionOf(streamName: string): GlobalPosition {
    const version = this.#index.versionOf(streamName)
    return version === 0 ? 0 : this.#index.positionAt(streamName, version)
  }
}
