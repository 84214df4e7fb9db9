// Reads the server's log once more from some place on, for what was lost here.

import type { ConfirmedSource, ReadOutcome } from '../engine/recovery/healing.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import type { ServerAccess } from './authorized-fetch.ts'
import { systemClock } from './clock.ts'
import { type SyncFailure, verdictOn } from './sync-failure.ts'
import { createTransport } from './transport.ts'

export type ConfirmedCommitsOptions = ServerAccess &
  Readonly<{
    hash: HashProvider
    /** Those that this replica holds; all where they are left out. */
    streams?: readonly StreamPattern[] | undefined
    signal: AbortSignal
  }>

export function confirmedCommits({ signal, streams, ...access }: ConfirmedCommitsOptions): ConfirmedSource {
  const transport = createTransport({ ...access, clock: systemClock })
  return async ({ epoch, position }, take) => {
    for (let after = position; ; ) {
      const answer = await transport.pull(after, signal, streams)
      if (answer.type !== 'ok') return outcomeOf(answer)
      const page = answer.value
      if (page.epoch !== epoch) return { type: 'refused', reason: 'the server has another log than before' }
      for (const [n, commit] of page.commits.entries()) {
        if (!take(commit, page.cut?.includes(n) ?? false)) return { type: 'read' }
      }
      if (page.next === after) return { type: 'read' }
      after = page.next
    }
  }
}

/** Without a token that the server takes, it can be asked later. */
function outcomeOf(failure: SyncFailure): ReadOutcome {
  const { type, error } = verdictOn(failure)
  if (type === 'wait' || error.code === 'sync-refused') return { type: 'unanswered' }
  return { type: 'refused', reason: error.message }
}
