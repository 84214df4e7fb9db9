// Turns to another choice of the server's streams: what was confirmed of the one before is superseded, and is pulled anew.
// Only where nothing is pending: what its author saw is what is left.

import { CompactRange } from '../integrity/compact-range.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import type { RejoinParts } from './rejoin-job.ts'
import { SERVER_TREE_KEY, serverTreeValue } from './server-tree.ts'
import { partOf, REJOIN_FACT_TYPE, syncFactEntry } from './sync-fact.ts'
import type { Job } from './writer.ts'

export function resubscribeJob(
  streams: readonly StreamPattern[] | undefined,
  { index, hash, now }: RejoinParts,
): Job<boolean> {
  return {
    isAlone: true,
    async plan(draft) {
      if (index.pending > 0) return false
      const tree = new CompactRange(hash)
      const { epoch } = index.cursor
      draft.addValue(SERVER_TREE_KEY, await serverTreeValue(tree, hash))
      const cursor = { epoch, serverPosition: 0, confirmedThrough: 0 }
      const fact = { ...cursor, supersededFrom: 1, ...partOf(streams, tree) }
      await draft.addSystemEntry(syncFactEntry(fact, now(), REJOIN_FACT_TYPE))
      return true
    },
  }
}
