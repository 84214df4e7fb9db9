// The commits that the server has not confirmed yet, read from behind the cursor.

import type { Block } from '../log/block.ts'
import type { Entry } from '../log/entry.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { BlockStore } from './block-store.ts'
import type { PendingCommit } from './event-log.ts'
import type { LogIndex } from './log-index.ts'

export type TailCommit = PendingCommit &
  Readonly<{ firstPosition: GlobalPosition; lastPosition: GlobalPosition }>

/** Bytes an entry takes beside its JSON and its names when it is sent, about. */
const ENTRY_OVERHEAD = 128

/** At most: a name is sent once a block and not once an entry, but who writes long ones may use each only once. */
export function sizeOf({ payload, metadata, streamName, type }: Entry): number {
  return payload.length + metadata.length + 3 * (streamName.length + type.length) + ENTRY_OVERHEAD
}

export class PendingTail {
  readonly #index: LogIndex
  readonly #blocks: BlockStore

  constructor(index: LogIndex, blocks: BlockStore) {
    this.#index = index
    this.#blocks = blocks
  }

  /** Oldest first, read as the caller iterates. */
  commits(): AsyncGenerator<TailCommit> {
    return effectiveCommitsBehind(this.#index.cursor.confirmedThrough, this.#index, this.#blocks)
  }
}

/** Whole effective commits behind a position, those of the system left out. */
export async function* effectiveCommitsBehind(
  after: GlobalPosition,
  index: LogIndex,
  blocks: BlockStore,
): AsyncGenerator<TailCommit> {
  for await (const commit of commitsIn(blocks.run(after + 1, index.head), after)) {
    if (index.isEffective(commit.lastPosition)) yield commit
  }
}

/** The first commits up to `maxBytes`, but at least one if there is any. */
export async function takeCommits(
  commits: AsyncIterable<TailCommit>,
  maxBytes: number,
): Promise<TailCommit[]> {
  const taken: TailCommit[] = []
  let bytes = 0
  for await (const commit of commits) {
    bytes += commit.bytes
    if (bytes > maxBytes && taken.length > 0) break
    taken.push(commit)
  }
  return taken
}

/** Puts commits together that go on in the next block. */
async function* commitsIn(blocks: AsyncIterable<Block>, after: GlobalPosition): AsyncGenerator<TailCommit> {
  let entries: Entry[] = []
  let bytes = 0
  let next = after + 1
  for await (const block of blocks) {
    let start = Math.max(0, next - block.firstPosition)
    next = block.lastPosition + 1
    for (const { lastIndex, note } of [...block.commits, { lastIndex: block.count - 1, note: undefined }]) {
      if (lastIndex < start) continue
      for (let i = start; i <= lastIndex; i++) {
        const entry = block.entry(i)
        entries.push(entry)
        bytes += sizeOf(entry)
      }
      start = lastIndex + 1
      if (note === undefined) continue
      const lastPosition = block.firstPosition + lastIndex
      yield { entries, note, bytes, firstPosition: lastPosition - entries.length + 1, lastPosition }
      entries = []
      bytes = 0
    }
  }
}
