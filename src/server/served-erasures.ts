// A page of what was erased of a store's log.

import type { EventLog } from '../engine/event-log.ts'
import type { Erasure } from '../model/erasure.ts'

/** Ids in one page, about. */
const PAGE_IDS = 20_000

/** Records behind a place in the list, one at least if there is any. */
export function erasuresBehind(after: number, { erasures }: Pick<EventLog, 'erasures'>): readonly Erasure[] {
  const page: Erasure[] = []
  let ids = 0
  for (const { eventIds, reason, erasedAt } of erasures.records.slice(after)) {
    if (ids > 0 && ids + eventIds.length > PAGE_IDS) break
    page.push({ eventIds, reason, erasedAt })
    ids += eventIds.length
  }
  return page
}
