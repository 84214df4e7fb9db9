// Takes up with a log that took the place of the server's: what of the confirmed entries it has not is pending again.
// Nothing is moved: they stay where they are, and what follows is what follows for any pending tail.

import type { CommonPrefix } from './common-prefix.ts'
import type { RejoinOutcome, SyncCursor } from './event-log.ts'
import { SERVER_TREE_KEY, type ServerTreeParts, serverTreeValue } from './server-tree.ts'
import { partOf, REJOIN_FACT_TYPE, syncFactEntry } from './sync-fact.ts'
import type { Job } from './writer.ts'

export type RejoinParts = Pick<ServerTreeParts, 'index' | 'hash'> & Readonly<{ now: () => number }>

export function rejoinJob(found: CommonPrefix, { index, hash, now }: RejoinParts): Job<RejoinOutcome | null> {
  return {
    isAlone: true,
    async plan(draft) {
      const { tree, epoch, cursor } = found
      // Another tab took something in meanwhile, or did the same as this one.
      if (!isSame(index.cursor, cursor)) return null
      const serverPosition = tree.size
      const unconfirmed = cursor.serverPosition - serverPosition
      const confirmedThrough = unconfirmed === 0 ? cursor.confirmedThrough : found.position
      draft.addValue(SERVER_TREE_KEY, await serverTreeValue(tree, hash))
      const part = partOf(cursor.streams, tree)
      const fact = { epoch, serverPosition, confirmedThrough, supersededFrom: null, ...part }
      await draft.addSystemEntry(syncFactEntry(fact, now(), REJOIN_FACT_TYPE))
      return { serverPosition, unconfirmed }
    },
  }
}

const isSame = (a: SyncCursor, b: SyncCursor): boolean =>
  a.epoch === b.epoch && a.serverPosition === b.serverPosition && a.confirmedThrough === b.confirmedThrough
