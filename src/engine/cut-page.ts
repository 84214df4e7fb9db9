// A page of the log for a replica that pulls: whole commits, or what of them is in the streams that it wants, with the
// roots of all between, so that it can tell the tree of the whole.

import type { Entry } from '../log/entry.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { SkippedEntries } from '../log/skipped-entries.ts'
import { type StreamPattern, streamMatcher } from '../log/stream-pattern.ts'
import type { CommitPage } from './event-log.ts'
import type { LogTree } from './log-tree.ts'
import { sizeOf, type TailCommit, takeCommits } from './pending-tail.ts'

/** Entries that are looked at for one page of some streams, about: where few match, many pages come soon. */
const MAX_LOOKED_AT = 32_768
/** Stretches left out of one page: each takes some hashes of room. */
const MAX_GAPS = 1_024

export type PageBounds = Readonly<{
  after: GlobalPosition
  maxBytes: number
  streams: readonly StreamPattern[] | undefined
  tree: LogTree
}>

export async function cutPage(
  commits: AsyncIterable<TailCommit>,
  { after, maxBytes, streams, tree }: PageBounds,
): Promise<CommitPage> {
  if (streams) return cutPart(commits, { after, maxBytes, tree, isWanted: streamMatcher(streams) })
  const taken = await takeCommits(commits, maxBytes)
  const next = taken.at(-1)?.lastPosition ?? after
  return { commits: taken.map(({ entries }) => entries), next, skipped: [], cut: [] }
}

type PartBounds = Omit<PageBounds, 'streams'> & Readonly<{ isWanted: (streamName: string) => boolean }>

async function cutPart(
  commits: AsyncIterable<TailCommit>,
  { after, maxBytes, tree, isWanted }: PartBounds,
): Promise<CommitPage> {
  const taken: (readonly Entry[])[] = []
  const cut: number[] = []
  const gaps: [start: number, end: number][] = []
  let [next, bytes] = [after, 0]
  for await (const { entries, firstPosition, lastPosition } of commits) {
    const wanted = entries.filter(({ streamName }) => isWanted(streamName))
    bytes += wanted.reduce((sum, entry) => sum + sizeOf(entry), 0)
    if (bytes > maxBytes && taken.length > 0 && wanted.length > 0) break
    if (wanted.length > 0 && wanted.length < entries.length) cut.push(taken.length)
    if (wanted.length > 0) taken.push(wanted)
    for (const [i, { streamName }] of entries.entries()) {
      if (!isWanted(streamName)) leaveOut(firstPosition - 1 + i, gaps)
    }
    next = lastPosition
    if (next - after >= MAX_LOOKED_AT || gaps.length >= MAX_GAPS) break
  }
  const skipped: SkippedEntries[] = []
  for (const [start, end] of gaps) {
    skipped.push({ start, end, roots: await tree.subtreeRoots([start, end]) })
  }
  return { commits: taken, next, skipped, cut }
}

function leaveOut(leaf: number, gaps: [start: number, end: number][]): void {
  const last = gaps.at(-1)
  if (last?.[1] === leaf) last[1]++
  else gaps.push([leaf, leaf + 1])
}
