// Takes a commit out of the pending tail that the server refuses for good, so that it does not hold up what is behind it:
// it is listed as rejected, and the rest of the tail taken up again without it. One draft, so all of it or nothing.

import { hexOf } from '../log/bytes.ts'
import type { Rejection } from '../model/sync-status.ts'
import type { RefusedCommit } from './event-log.ts'
import { Conflicts } from './merge-again.ts'
import type { PendingTail, TailCommit } from './pending-tail.ts'
import { planTailAgain, type RebaseParts, rejectionFor, rewindTail } from './rebase.ts'
import { addRejection } from './rejections.ts'
import { syncFactEntry } from './sync-fact.ts'
import type { Job } from './writer.ts'

export type SetAsideParts = RebaseParts & Readonly<{ tail: PendingTail }>

/** Answered with what was rejected: the commit, and what could not be taken up again without it. */
export function setAsideJob(refused: RefusedCommit, parts: SetAsideParts): Job<readonly Rejection[]> {
  const { index, tail, now } = parts
  return {
    isAlone: true,
    async plan(draft) {
      const [commit, ...behind] = await tailFrom(refused, tail)
      // A rebase has made another one of it, or another tab was first.
      if (!commit) return []
      rewindTail([commit, ...behind], draft)
      const conflicts = await Conflicts.before(behind, draft, parts)
      const fact = { ...index.cursor, supersededFrom: commit.firstPosition }
      await draft.addSystemEntry(syncFactEntry(fact, now()))
      const { refusal, message } = refused
      const rejected = [
        await rejectionFor(commit, { code: 'sync-refused', message, refusal }, parts),
        ...(await planTailAgain(behind, draft, { ...parts, conflicts })),
      ]
      for (const rejection of rejected) addRejection(draft, rejection)
      return rejected
    },
  }
}

/** Empty where the commit is not there. */
async function tailFrom({ hash }: RefusedCommit, tail: PendingTail): Promise<TailCommit[]> {
  const found: TailCommit[] = []
  for await (const commit of tail.commits()) {
    if (found.length > 0 || hexOf(commit.entries.at(-1)!.hash) === hash) found.push(commit)
  }
  return found
}
