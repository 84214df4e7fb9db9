// Finds out how far a server's log is the same as what was confirmed here, by roots of its first entries: where it was
// only cut back that takes one question, otherwise as many as halving takes.

import { CompactRange } from '../integrity/compact-range.ts'
import { equalBytes } from '../log/bytes.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { BlockStore } from './block-store.ts'
import type { SyncCursor } from './event-log.ts'
import type { LogIndex } from './log-index.ts'
import { type PageEnd, pageEnds } from './page-ends.ts'
import { effectiveCommitsBehind } from './pending-tail.ts'

/** RFC 6962 root of the first `size` entries of a server's log. */
export type ServerPrefix = Readonly<{ epoch: string; size: number; root: Uint8Array }>

/** Of so many entries, or of all where there are fewer. Null where there is no answer. */
export type PrefixSource = (size: number) => Promise<ServerPrefix | null>

/** The first entries of what was confirmed here, up to the end of a commit, or of a page. */
type Prefix = PageEnd

/** What the server's log and what is confirmed here have in common. */
export type CommonPrefix = Prefix &
  Readonly<{
    epoch: string
    /** Where this replica stood when it was looked for. */
    cursor: SyncCursor
  }>

export type CommonPrefixParts = Readonly<{ index: LogIndex; blocks: BlockStore; hash: HashProvider }>

/** Null where the server does not answer to the end, or answers for two logs. */
export async function commonPrefix(
  prefixOf: PrefixSource,
  parts: CommonPrefixParts,
): Promise<CommonPrefix | null> {
  const { cursor } = parts.index
  const all = await prefixOf(cursor.serverPosition)
  if (!all) return null
  const { epoch } = all
  let common: Prefix = { tree: new CompactRange(parts.hash), position: 0 }
  const goOn = cursor.streams ? byPages(await pageEnds(parts)) : byCommits(cursor, parts)
  let next = await goOn(common, all.size)
  // Nothing of this size or above is common.
  let end = all.size + 1
  while (common.tree.size < next.tree.size && next.tree.size < end) {
    const { size } = next.tree
    const served = size === all.size ? all : await prefixOf(size)
    if (served?.epoch !== epoch) return null
    if (served.size === size && equalBytes(served.root, next.tree.root())) common = next
    else end = size
    next = await goOn(common, Math.floor((common.tree.size + end) / 2))
  }
  return { ...common, epoch, cursor }
}

/** The longest prefix up to a size, but one that is longer than `from` where there is any. */
type GoOn = (from: Prefix, size: number) => Promise<Prefix>

/** By whole commits. */
function byCommits({ confirmedThrough }: SyncCursor, { index, blocks, hash }: CommonPrefixParts): GoOn {
  return async (from, size) => {
    const tree = new CompactRange(hash, from.tree.size, from.tree.roots)
    let { position } = from
    for await (const { entries, lastPosition } of effectiveCommitsBehind(position, index, blocks)) {
      const isOne = tree.size > from.tree.size
      if (lastPosition > confirmedThrough || (isOne && tree.size + entries.length > size)) break
      for (const entry of entries) tree.add(entry.hash)
      position = lastPosition
    }
    return { tree, position }
  }
}

/** By pages: what lies within one is not all here. */
const byPages =
  (ends: readonly PageEnd[]): GoOn =>
  async (from, size) => {
    const longer = ends.filter(({ tree }) => tree.size > from.tree.size)
    return longer.findLast(({ tree }) => tree.size <= size) ?? longer[0] ?? from
  }
