// Takes commits of the pending tail up again behind a log that is another one than when they were appended: unchanged
// where nothing came between on their streams, decided again, appended again, or rejected.

import { equalBytes } from '../log/bytes.ts'
import { isInPart } from '../log/commit-note.ts'
import { type Entry, KIND_AMENDMENT } from '../log/entry.ts'
import { isStoreError, StoreError, type StoreErrorCode } from '../log/errors.ts'
import type { StreamVersion } from '../log/event.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { Rejection } from '../model/sync-status.ts'
import { linkAmendment } from './amendments/amend-job.ts'
import { amendmentIn } from './amendments/read-amendments.ts'
import { planCommand } from './command-plan.ts'
import type { Draft } from './draft.ts'
import { destroyedKey } from './encryption/key-ring.ts'
import type { EntryLookup } from './entry-lookup.ts'
import { type Conflicts, type MergeParts, mergeAgain, otherEventsFirst } from './merge-again.ts'
import type { TailCommit } from './pending-tail.ts'
import { rejectionOf } from './rejections.ts'

/** Each stream of the tail goes back to where its first pending entry stood. */
export function rewindTail(tail: readonly TailCommit[], draft: Draft): void {
  const rewound = new Set<string>()
  for (const { streamName, streamVersion, previous } of tail.flatMap(({ entries }) => entries)) {
    if (rewound.has(streamName)) continue
    rewound.add(streamName)
    draft.rewind(streamName, { version: streamVersion - 1, hash: previous })
  }
}

/** What another release of the app may have, or a key that may come: until then nothing is decided. */
const WAITED_FOR: ReadonlySet<StoreErrorCode> = new Set(['unknown-merge', 'key-missing'])

export type RebaseParts = MergeParts & Readonly<{ lookup: EntryLookup }>

type AgainParts = RebaseParts & Readonly<{ conflicts: Conflicts }>

/** The streams of the tail must have been rewound. Returns what was rejected, and does not stand in the draft. */
export async function planTailAgain(
  tail: readonly TailCommit[],
  draft: Draft,
  parts: AgainParts,
): Promise<Rejection[]> {
  const rejected: Rejection[] = []
  for (const commit of tail) {
    try {
      await planCommitAgain(asSeen(commit, parts), draft, parts)
    } catch (error) {
      // A refusal is surfaced with what was refused; it never stops what comes behind. A merge that only another release
      // of the app has is none: nothing of the page is taken in, and all stays as it is until that one does.
      if (!isStoreError(error) || WAITED_FOR.has(error.code)) throw error
      draft.discardStaged()
      const { code, message } = error
      rejected.push(await rejectionFor(commit, { code, message }, parts))
    }
  }
  return rejected
}

/**
 * What was confirmed once has been seen by others, and acted on: it is appended again as it is, also by its author, and
 * never decided again, since others who have it could not.
 */
function asSeen(commit: TailCommit, { index }: RebaseParts): TailCommit {
  const isSeen = commit.lastPosition <= index.confirmedOnce && !isInPart(commit.note)
  return isSeen ? { ...commit, note: null } : commit
}

export async function rejectionFor(
  commit: TailCommit,
  reason: Rejection['reason'],
  parts: RebaseParts,
): Promise<Rejection> {
  const amendment = await amendmentIn(commit.entries, idOfTail(parts))
  return rejectionOf(commit, { amendment, reason, rejectedAt: parts.now() })
}

async function planCommitAgain(commit: TailCommit, draft: Draft, parts: AgainParts): Promise<void> {
  const { entries, note } = commit
  if (await standsAsItIs(entries, draft)) {
    draft.place(entries)
    draft.commit(note)
    return
  }
  if (note && 'command' in note) {
    const { eventId, recordedAt } = entries[0]!
    // Wished then, whenever it is decided: so it also tells since when it is pending.
    await planCommand(note.command, eventIdOf(eventId), draft, { ...parts, now: () => recordedAt })
    return
  }
  if (note && 'encryptedCommand' in note) {
    const { streamName, eventId, recordedAt } = entries[0]!
    const wish = await parts.contents.cipher.commandOf(note, { streamName, eventId })
    if (!wish) throw destroyedKey(note.encryptedCommand.keyId)
    await planCommand(wish, eventIdOf(eventId), draft, { ...parts, now: () => recordedAt })
    return
  }
  const onConflict = note && 'onConflict' in note ? note.onConflict : 'reappend'
  if (typeof onConflict === 'object') {
    await mergeAgain({ ...commit, name: onConflict.merge }, draft, parts)
    return
  }
  if (onConflict === 'reject') throw await otherEventsFirst(entries[0]!, draft)
  for (const entry of entries) {
    if (entry.kind === KIND_AMENDMENT) await amendAgain(entry, draft, parts)
    else draft.linkEntry(entry.streamName, entry)
  }
  draft.commit(note)
}

/** Its events may have other versions now. */
async function amendAgain(entry: Entry, draft: Draft, parts: RebaseParts): Promise<void> {
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
  ({ index }: RebaseParts) =>
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
