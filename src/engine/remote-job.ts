// Takes in a page of the server's log: confirms what of the pending tail is in it; where the server has other
// events first, supersedes the tail and takes it up again behind them. One draft, so all of it or nothing.

import { equalBytes } from '../log/bytes.ts'
import { type Entry, KIND_AMENDMENT } from '../log/entry.ts'
import { isStoreError, StoreError } from '../log/errors.ts'
import type { GlobalPosition, StreamVersion } from '../log/event.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { HashChain } from '../log/hash-chain.ts'
import type { Rejection } from '../model/sync-status.ts'
import { checkLinks } from './admit-job.ts'
import { linkAmendment } from './amendments/amend-job.ts'
import { amendmentIn } from './amendments/read-amendments.ts'
import type { AppendParts } from './append-job.ts'
import { type CommandParts, planCommand } from './command-plan.ts'
import type { Draft } from './draft.ts'
import type { EntryLookup } from './entry-lookup.ts'
import type { Erasures } from './erasure/erasures.ts'
import type { ApplyOutcome, RemotePage, SyncCursor } from './event-log.ts'
import { Conflicts, mergeAgain, otherEventsFirst } from './merge-again.ts'
import type { PendingTail, TailCommit } from './pending-tail.ts'
import { addRejection, rejectionOf } from './rejections.ts'
import { SERVER_TREE_KEY, type ServerTreeParts, serverTreeBehind, serverTreeValue } from './server-tree.ts'
import { syncFactEntry } from './sync-fact.ts'
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
  checkPlace(page, cursor)
  if (page.commits.length === 0) {
    if (page.epoch !== cursor.epoch)
      await addFact(page, draft, parts, { through: cursor.confirmedThrough, from: null })
    return NOTHING
  }
  await addServerTree(page, draft, parts)
  const { matched, lastPosition, rest } = await matchTail(page.commits, parts.tail)
  if (matched === page.commits.length) {
    await addFact(page, draft, parts, { through: lastPosition, from: null })
    return { ...NOTHING, confirmed: countEvents(page.commits) }
  }
  return planForeign({ page, foreign: page.commits.slice(matched), tail: rest }, draft, parts)
}

async function addServerTree(page: RemotePage, draft: Draft, { serverTree }: RemoteParts): Promise<void> {
  const tree = await serverTreeBehind(page, serverTree)
  if (tree) draft.addValue(SERVER_TREE_KEY, await serverTreeValue(tree, serverTree.hash))
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

type ForeignPart = Readonly<{ page: RemotePage; foreign: RemotePage['commits']; tail: readonly TailCommit[] }>

async function planForeign(part: ForeignPart, draft: Draft, parts: RemoteParts): Promise<ApplyOutcome> {
  const { page, foreign, tail } = part
  const factPosition = draft.nextPosition
  const from = tail[0]?.firstPosition ?? null
  rewindTail(tail, draft)
  const conflicts = await Conflicts.before(tail, draft, parts)
  await addFact(page, draft, parts, { through: factPosition + countEvents(foreign), from })
  for (const commit of foreign) {
    await checkForeign(commit, page, draft, parts)
    for (const entry of commit) {
      const listed = parts.erasures.asListed(entry)
      conflicts.takeRemote(listed, draft.nextPosition)
      draft.place(listed)
    }
    draft.commit(null)
  }
  await parts.erasures.draftUnlisted(foreign.flat(), draft)
  const ids = new Set(foreign.flat().map(({ eventId }) => eventIdOf(eventId)))
  const left = tail.filter(({ entries }) => !entries.some(({ eventId }) => ids.has(eventIdOf(eventId))))
  const rejected = await planTailAgain(left, draft, { ...parts, conflicts })
  for (const rejection of rejected) addRejection(draft, rejection)
  return { confirmed: countEvents(page.commits), rebased: left.length - rejected.length, rejected }
}

/** Each stream of the tail goes back to where its first pending entry stood. */
function rewindTail(tail: readonly TailCommit[], draft: Draft): void {
  const rewound = new Set<string>()
  for (const { streamName, streamVersion, previous } of tail.flatMap(({ entries }) => entries)) {
    if (rewound.has(streamName)) continue
    rewound.add(streamName)
    draft.rewind(streamName, { version: streamVersion - 1, hash: previous })
  }
}

async function checkForeign(
  commit: readonly Entry[],
  page: RemotePage,
  draft: Draft,
  parts: RemoteParts,
): Promise<void> {
  const refusal = await checkLinks(commit, name => draft.head(name), parts.chain)
  if (!refusal) return
  throw new StoreError('sync-protocol', `The server's log does not hold: ${refusal.detail}`, {
    ...refusal,
    after: page.after,
    epoch: page.epoch,
  })
}

type AgainParts = RemoteParts & Readonly<{ conflicts: Conflicts }>

async function planTailAgain(
  tail: readonly TailCommit[],
  draft: Draft,
  parts: AgainParts,
): Promise<Rejection[]> {
  const rejected: Rejection[] = []
  for (const commit of tail) {
    try {
      await planCommitAgain(commit, draft, parts)
    } catch (reason) {
      // A refusal is surfaced with what was refused; it never stops what comes behind. A merge that only another release
      // of the app has is none: nothing of the page is taken in, and all stays as it is until that one does.
      if (!isStoreError(reason) || reason.code === 'unknown-merge') throw reason
      draft.discardStaged()
      rejected.push(await rejectionFor(commit, reason, parts))
    }
  }
  return rejected
}

async function rejectionFor(
  commit: TailCommit,
  { code, message }: StoreError,
  parts: RemoteParts,
): Promise<Rejection> {
  const amendment = await amendmentIn(commit.entries, idOfTail(parts))
  return rejectionOf(commit, { amendment, reason: { code, message }, rejectedAt: parts.now() })
}

async function planCommitAgain(commit: TailCommit, draft: Draft, parts: AgainParts): Promise<void> {
  const { entries, note } = commit
  if (await standsAsItIs(entries, draft)) {
    for (const entry of entries) draft.place(entry)
    draft.commit(note)
    return
  }
  if (note && 'command' in note) {
    const { eventId, recordedAt } = entries[0]!
    // Wished then, whenever it is decided: so it also tells since when it is pending.
    await planCommand(note.command, eventIdOf(eventId), draft, { ...parts, now: () => recordedAt })
    return
  }
  if (typeof note?.onConflict === 'object') {
    await mergeAgain({ ...commit, name: note.onConflict.merge }, draft, parts)
    return
  }
  if (note?.onConflict === 'reject') throw await otherEventsFirst(entries[0]!, draft)
  for (const entry of entries) {
    if (entry.kind === KIND_AMENDMENT) await amendAgain(entry, draft, parts)
    else draft.linkEntry(entry.streamName, entry)
  }
  draft.commit(note)
}

/** Its events may have other versions now. */
async function amendAgain(entry: Entry, draft: Draft, parts: RemoteParts): Promise<void> {
  const { streamName, streamVersion, eventId, recordedAt } = entry
  const amendment = await amendmentIn([entry], idOfTail(parts))
  if (!amendment) {
    throw new StoreError('log-damaged', 'A pending amendment cannot be read', { streamName, streamVersion })
  }
  const { reason, changes } = amendment
  await linkAmendment({ streamName, eventId, recordedAt, reason, changes }, draft, parts)
}

/** As the log is before the page: what is pending counts at the versions that it was given here. */
const idOfTail =
  ({ index }: RemoteParts) =>
  async (streamName: string, version: StreamVersion): Promise<string> => {
    const position = index.positionAt(streamName, version)
    return eventIdOf(index.idColumn(position, position))
  }

/** True when nothing came between: the entries link to the heads as they are, and stay the same to the byte. */
async function standsAsItIs(entries: readonly Entry[], draft: Draft): Promise<boolean> {
  const heads = new Map<string, Uint8Array>()
  for (const { streamName, previous, hash } of entries) {
    const head = heads.get(streamName) ?? (await draft.head(streamName)).hash
    if (!equalBytes(previous, head)) return false
    heads.set(streamName, hash)
  }
  return true
}

async function addFact(
  page: RemotePage,
  draft: Draft,
  parts: RemoteParts,
  { through, from }: { through: GlobalPosition; from: GlobalPosition | null },
): Promise<void> {
  const fact = {
    epoch: page.epoch,
    serverPosition: page.next,
    confirmedThrough: through,
    supersededFrom: from,
  }
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
