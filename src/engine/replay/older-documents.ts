// What is given while a projection is folded again: documents as they were.

import { DocumentLayer } from './document-layer.ts'
import { type FoldLog, settledThrough } from './fold.ts'
import type { LogAside } from './log-aside.ts'
import { todayOf } from './replay.ts'
import { isOnTheWayOf } from './replay-plan.ts'
import type { FoundSnapshots, SnapshotStore } from './snapshot-store.ts'

export type OlderDocuments = Readonly<{
  latest: DocumentLayer
  /** Of confirmed events alone; of none where that is not known. */
  base: DocumentLayer
}>

/** The newest ones that snapshots of other code have, or of another order of events; null where there are none. */
export async function olderDocumentsIn(
  { ahead }: FoundSnapshots,
  { owner, terms }: Pick<LogAside, 'owner' | 'terms'>,
  { log, snapshots }: Readonly<{ log: FoldLog; snapshots: SnapshotStore }>,
): Promise<OlderDocuments | null> {
  const newest = ahead.at(-1)
  const latest = newest && (await snapshots.fetch(owner, newest))
  if (!latest) return null
  const confirmedThrough = settledThrough(log, null)
  const today = todayOf({ owner, terms, log })
  // Of the same code: another one may never have come to its end.
  const below = ahead.findLast(one => one.position <= confirmedThrough && isOnTheWayOf(one, newest, today))
  const confirmed = below && (await snapshots.fetch(owner, below))
  return { latest: layerOf(latest), base: confirmed ? layerOf(confirmed) : new DocumentLayer() }
}

function layerOf(snapshot: Parameters<DocumentLayer['restore']>[0]): DocumentLayer {
  const layer = new DocumentLayer()
  layer.restore(snapshot)
  return layer
}
