// Where the pages of a replica of some streams ended in the server's log, by the facts that are kept of them. Between two
// ends nobody can tell the tree: what was left out is not here.

import { CompactRange } from '../integrity/compact-range.ts'
import { bytesOfHex } from '../log/bytes.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { jsonSlice } from '../log/json-column.ts'
import type { BlockStore } from './block-store.ts'
import type { LogIndex } from './log-index.ts'
import { readSyncFact, SYNC_STREAM } from './sync-fact.ts'

/** The server's log up to some place, and the position here of the last entry of it that is held. */
export type PageEnd = Readonly<{ tree: CompactRange; position: GlobalPosition }>

export type PageEndsParts = Readonly<{ index: LogIndex; blocks: BlockStore; hash: HashProvider }>

/** In the order of the server's log: those up to the cursor that are of the log which the server has. */
export async function pageEnds({ index, blocks, hash }: PageEndsParts): Promise<readonly PageEnd[]> {
  const ends: PageEnd[] = []
  for (const at of index.positionsOf(SYNC_STREAM, 1, index.versionOf(SYNC_STREAM))) {
    const block = await blocks.holding(at)
    const fact = readSyncFact(jsonSlice(block.payloads, at - block.firstPosition), at)
    // A fact that goes back takes with it what was known behind its place.
    while (ends.length > 0 && ends.at(-1)!.tree.size > fact.serverPosition) ends.pop()
    if (!fact.tree || fact.serverPosition === 0) continue
    if (ends.at(-1)?.tree.size === fact.serverPosition) ends.pop()
    const tree = new CompactRange(hash, fact.serverPosition, fact.tree.map(bytesOfHex))
    ends.push({ tree, position: fact.confirmedThrough })
  }
  return ends
}
