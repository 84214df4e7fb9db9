// Takes in a page of the server's log: confirms what of the pending tail is in it; where the server has other
// events first, supersedes the tail and takes it up again behind them. One draft, so all of it or nothing.

import type { CompactRange } from '../integrity/compact-range.ts'
import { equalBytes } from '../log/bytes.ts'
import { IN_PART } from '../log/commit-note.ts'
import type { Entry } from '../log/entry.ts'
import { StoreError } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { HashChain } from '../log/hash-chain.ts'
import { isSameChoice } from '../log/stream-pattern.ts'
import { checkLinks, hashesOfCommits } from './admit-job.ts'
import type { AppendParts } from './append-job.ts'
import type { CommandParts } from './command-plan.ts'
import type { Draft } from './draft.ts'
import type { EntryLookup } from './entry-lookup.ts'
import type { Erasures } from './erasure/erasures.ts'
import type { ApplyOutcome, RemotePage, SyncCursor } from './event-log.ts'
import { Conflicts } from './merge-again.ts'
import type { PendingTail, TailCommit } from './pending-tail.ts'
import { planTailAgain, rewindTail } from './rebase.ts'
import { addRejection } from './rejections.ts'
import { SERVER_TREE_KEY, type ServerTreeParts, serverTreeBehind, serverTreeValue } from './server-tree.ts'
import { partOf, syncFactEntry } from './sync-fact.ts'
import type { Job } from './writer.ts'

export type RemoteParts = CommandParts &
  Readonly<{
    lookup: EntryLookup
    chain: HashChain
    tail: PendingTail
    serverTree: ServerTreeParts
    erasures: Erasures
    merges: AppendParts['merges']
  }>

const NOTHING: ApplyOutcome = { confirmed: 0, rebased: 0, rejected: [] }

export function remoteJob(page: RemotePage, parts: RemoteParts): Job<ApplyOutcome> {
  return { isAlone: true, plan: draft => planPage(page, draft, parts) }
}

async function planPage(page: RemotePage, draft: Draft, parts: RemoteParts): Promise<ApplyOutcome> {
  const { cursor } = parts.index
  // Another tab took this in already; the caller asks again from where the cursor is now.
  if (page.epoch === cursor.epoch && page.after < cursor.serverPosition) return NOTHING
  // Another tab turned to other streams meanwhile.
  if (page.epoch === cursor.epoch && !isSameChoice(page.streams, cursor.streams)) return NOTHING
  checkPlace(page, cursor)
  if (page.next === page.after && page.epoch === cursor.epoch) return NOTHING
  const tree = await addServerTree(page, draft, parts)
  if (!tree) return NOTHING
  const place: PlacedPage = { page, tree }
  if (page.commits.length === 0) {
    await addFact(place, draft, parts, { through: cursor.confirmedThrough, from: null })
    return NOTHING
  }
  const { matched, lastPosition, rest } = await matchTail(page.commits, parts.tail)
  if (matched === page.commits.length) {
    await addFact(place, draft, parts, { through: lastPosition, from: null })
    return { ...NOTHING, confirmed: countEvents(page.commits) }
  }
  return planForeign({ place, matched, tail: rest }, draft, parts)
}

/** A page, and the tree of the server's log behind it. */
type PlacedPage = Readonly<{ page: RemotePage; tree: CompactRange }>

const notWhole = ({ after, next, epoch }: RemotePage): StoreError =>
  new StoreError('sync-protocol', `The page does not hold what lies between ${after} and ${next}`, {
    after,
    next,
    epoch,
  })

async function addServerTree(
  page: RemotePage,
  draft: Draft,
  { serverTree }: RemoteParts,
): Promise<CompactRange | null> {
  const tree = await serverTreeBehind(page, serverTree)
  if (!tree) return null
  if (tree.size !== page.next) throw notWhole(page)
  draft.addValue(SERVER_TREE_KEY, await serverTreeValue(tree, serverTree.hash))
  return tree
}

type TailMatch = Readonly<{ matched: number; lastPosition: GlobalPosition; rest: readonly TailCommit[] }>

/**
 * How many of the server's commits are the oldest pending ones, entry by entry. The rest of the tail is read only
 * when something has come between: a long tail must not be read for each page that confirms a part of it.
 */
async function matchTail(commits: RemotePage['commits'], tail: PendingTail): Promise<TailMatch> {
  let matched = 0
  let lastPosition = 0
  const rest: TailCommit[] = []
  for await (const pending of tail.commits()) {
    if (rest.length === 0 && matched < commits.length && isSame(commits[matched]!, pending.entries)) {
      matched++
      lastPosition = pending.lastPosition
    } else rest.push(pending)
    if (matched === commits.length) break
  }
  return { matched, lastPosition, rest }
}

function isSame(a: readonly Entry[], b: readonly Entry[]): boolean {
  return a.length === b.length && a.every((entry, i) => equalBytes(entry.hash, b[i]!.hash))
}

type ForeignPart = Readonly<{
  place: PlacedPage
  /** So many of the page's commits are the oldest of the tail. */
  matched: number
  tail: readonly TailCommit[]
}>

async function planForeign(part: ForeignPart, draft: Draft, parts: RemoteParts): Promise<ApplyOutcome> {
  const { place, matched, tail } = part
  const { page } = place
  const foreign = page.commits.slice(matched)
  const factPosition = draft.nextPosition
  const from = tail[0]?.firstPosition ?? null
  rewindTail(tail, draft)
  const conflicts = await Conflicts.before(tail, draft, parts)
  await addFact(place, draft, parts, { through: factPosition + countEvents(foreign), from })
  const hashes = hashesOfCommits(foreign, parts.chain)
  for (const [n, commit] of foreign.entries()) {
    await checkForeign(commit, hashes[n]!, page, draft)
    const listed = commit.map(entry => parts.erasures.asListed(entry))
    for (const [i, entry] of listed.entries()) conflicts.takeRemote(entry, draft.nextPosition + i)
    draft.place(listed)
    draft.commit(isCut(matched + n, page) ? IN_PART : null)
  }
  await parts.erasures.draftUnlisted(foreign.flat(), draft)
  const ids = new Set(foreign.flat().map(({ eventId }) => eventIdOf(eventId)))
  const left = tail.filter(({ entries }) => !entries.some(({ eventId }) => ids.has(eventIdOf(eventId))))
  const rejected = await planTailAgain(left, draft, { ...parts, conflicts })
  for (const rejection of rejected) addRejection(draft, rejection)
  return { confirmed: countEvents(page.commits), rebased: left.length - rejected.length, rejected }
}

const isCut = (commit: number, { cut = [] }: RemotePage): boolean => cut.includes(commit)

async function checkForeign(
  commit: readonly Entry[],
  hashes: Uint8Array,
  page: RemotePage,
  draft: Draft,
): Promise<void> {
  const refusal = await checkLinks(commit, hashes, draft)
  if (!refusal) return
  throw new StoreError('sync-protocol', `The server's log does not hold: ${refusal.detail}`, {
    ...refusal,
    after: page.after,
    epoch: page.epoch,
  })
}

async function addFact(
  { page, tree }: PlacedPage,
  draft: Draft,
  parts: RemoteParts,
  { through, from }: { through: GlobalPosition; from: GlobalPosition | null },
): Promise<void> {
  const cursor = { epoch: page.epoch, serverPosition: page.next, confirmedThrough: through }
  const fact = { ...cursor, supersededFrom: from, ...partOf(page.streams, tree) }
  await draft.addSystemEntry(syncFactEntry(fact, parts.now()))
}

function checkPlace(page: RemotePage, cursor: SyncCursor): void {
  const facts = {
    epoch: page.epoch,
    after: page.after,
    knownEpoch: cursor.epoch,
    known: cursor.serverPosition,
  }
  if (cursor.epoch !== '' && page.epoch !== cursor.epoch) {
    throw new StoreError('sync-protocol', 'The server has another log than before', facts)
  }
  if (page.after !== cursor.serverPosition) {
    throw new StoreError(
      'sync-protocol',
      `The page begins behind ${page.after}, not ${cursor.serverPosition}`,
      facts,
    )
  }
}

function countEvents(commits: RemotePage['commits']): number {
  return commits.reduce((sum, commit) => sum + commit.length, 0)
}
