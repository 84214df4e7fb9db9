// The Merkle tree of the server's log, as far as this replica has it: what the server signs can be held against it.

import { CompactRange } from '../integrity/compact-range.ts'
import { perfectRanges } from '../integrity/merkle-tree.ts'
import { bytesOfHex, hexOf, textOf, utf8 } from '../log/bytes.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { SkippedEntries } from '../log/skipped-entries.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { BlockStore } from './block-store.ts'
import type { RemotePage } from './event-log.ts'
import type { LogIndex } from './log-index.ts'
import { pageEnds } from './page-ends.ts'
import { effectiveCommitsBehind } from './pending-tail.ts'
import { contentOf, sealedValue } from './sealed-value.ts'

export const SERVER_TREE_KEY = 'sync/server-tree'

export type ServerTreeParts = Readonly<{
  storage: Pick<LogStorage, 'get'>
  hash: HashProvider
  index: LogIndex
  blocks: BlockStore
}>

/**
 * As it will be behind a page that comes next; null for a page that does not. Of a page whose entries and gaps do not come
 * to what it says the tree is another one than the server's.
 */
export async function serverTreeBehind(
  page: RemotePage,
  parts: ServerTreeParts,
): Promise<CompactRange | null> {
  const { serverPosition } = parts.index.cursor
  if (page.after !== serverPosition) return null
  const tree = (await restore(serverPosition, parts)) ?? (await readAgain(serverPosition, parts))
  if (tree.size < serverPosition) {
    // What was passed by has to be asked for again.
    parts.index.goBackTo(tree.size)
    return null
  }
  const gaps = [...(page.skipped ?? [])]
  const passGaps = () => {
    while (gaps[0]?.start === tree.size && addSkipped(gaps[0], tree)) gaps.shift()
  }
  for (const { hash } of page.commits.flat()) {
    passGaps()
    tree.add(hash)
  }
  passGaps()
  return tree
}

/** Returns false for roots that are not as many as the stretch has perfect subtrees. */
function addSkipped({ start, end, roots }: SkippedEntries, tree: CompactRange): boolean {
  const ranges = perfectRanges([start, end])
  if (ranges.length !== roots.length) return false
  for (const [n, [from, to]] of ranges.entries()) tree.addSubtree(roots[n]!, to - from)
  return true
}

/** For the side table: written with the page, or not at all. */
export function serverTreeValue(
  { size, roots }: CompactRange,
  hash: HashProvider,
): Promise<Uint8Array<ArrayBuffer>> {
  return sealedValue(utf8(JSON.stringify({ size, roots: roots.map(hexOf) })), hash)
}

/** Null where it is damaged, missing, or of another place. */
async function restore(position: number, { storage, hash }: ServerTreeParts): Promise<CompactRange | null> {
  if (position === 0) return new CompactRange(hash)
  const content = await contentOf(await storage.get(SERVER_TREE_KEY), hash)
  if (!content) return null
  const { size, roots } = JSON.parse(textOf(content)) as { size: number; roots: string[] }
  return size === position ? new CompactRange(hash, size, roots.map(bytesOfHex)) : null
}

/** What is confirmed here stands in the server's order. Of some streams only, the last fact knows what it came to. */
async function readAgain(position: number, parts: ServerTreeParts): Promise<CompactRange> {
  const { hash, index, blocks } = parts
  const tree = new CompactRange(hash)
  const end = index.cursor.streams && (await pageEnds(parts)).at(-1)
  if (end) return new CompactRange(hash, end.tree.size, end.tree.roots)
  for await (const { entries } of effectiveCommitsBehind(0, index, blocks)) {
    if (tree.size >= position) break
    for (const entry of entries) tree.add(entry.hash)
  }
  return tree
}
