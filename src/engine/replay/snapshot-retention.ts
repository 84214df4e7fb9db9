// Which snapshots of one owner are worth their room.

import type { GlobalPosition } from '../../log/event.ts'
import type { SnapshotRetention } from '../../model/snapshot-policy.ts'
import type { Kept } from './snapshot-key.ts'

export type RetentionFacts = Readonly<{
  /** Whether it is known to be of use to today's code. */
  isOfUse: (kept: Kept) => boolean
  /** No rebase reaches a snapshot at or before. */
  confirmedThrough: GlobalPosition
}>

const DEFAULT_LATEST = 3
/** Of so many other codes snapshots are kept: another tab may run one of them, or a release may be taken back. */
const OTHER_CODES = 2

/**
 * Of snapshots in order of position, those to keep: the latest few; of older ones some, each about twice as far from the
 * end as the next, so that any event has one before it that is not many times as far away, eight at most; and the last
 * one that nothing can supersede. Of other codes than today's the same, of those two that reach farthest.
 */
export function retained(
  snapshots: readonly Kept[],
  retention: SnapshotRetention,
  { isOfUse, confirmedThrough }: RetentionFacts,
): ReadonlySet<Kept> {
  const own = snapshots.filter(isOfUse)
  const others = byCode(snapshots.filter(kept => !isOfUse(kept)))
  const confirmed = own.findLast(({ position }) => position <= confirmedThrough)
  const kept = new Set(spacedOut(own, retention))
  if (confirmed) kept.add(confirmed)
  for (const group of others.slice(0, OTHER_CODES)) {
    for (const one of spacedOut(group, retention)) kept.add(one)
  }
  return withinBytes(kept, new Set([own.at(-1), confirmed]), own, retention)
}

/** The code that reaches farthest first. */
function byCode(snapshots: readonly Kept[]): Kept[][] {
  const groups = new Map<string, Kept[]>()
  for (const kept of snapshots) groups.set(kept.codeId, [...(groups.get(kept.codeId) ?? []), kept])
  return [...groups.values()].toSorted((a, b) => b.at(-1)!.position - a.at(-1)!.position)
}

function spacedOut(
  snapshots: readonly Kept[],
  { latest = DEFAULT_LATEST, spaced = true }: SnapshotRetention,
): Kept[] {
  const newest = snapshots.at(-1)
  if (!newest) return []
  const recent = snapshots.slice(-Math.max(latest, 1))
  if (!spaced) return recent
  // The oldest of each: it is the next to come into the one behind.
  const oldestAt = new Map<number, Kept>()
  for (const kept of snapshots) {
    const distance = Math.floor(Math.log2(newest.version - kept.version + 1))
    if (!oldestAt.has(distance)) oldestAt.set(distance, kept)
  }
  return [...oldestAt.values(), ...recent]
}

/** Gives up those of other codes first, then the oldest. */
function withinBytes(
  kept: ReadonlySet<Kept>,
  needed: ReadonlySet<Kept | undefined>,
  own: readonly Kept[],
  { maxBytes = Infinity }: SnapshotRetention,
): ReadonlySet<Kept> {
  let bytes = [...kept].reduce((sum, one) => sum + one.bytes, 0)
  if (bytes <= maxBytes) return kept
  const isOwn = new Set(own)
  const byWorth = [...kept].toSorted(
    (a, b) => Number(isOwn.has(a)) - Number(isOwn.has(b)) || a.position - b.position,
  )
  const left = new Set(kept)
  for (const one of byWorth) {
    if (bytes <= maxBytes) break
    if (needed.has(one)) continue
    left.delete(one)
    bytes -= one.bytes
  }
  return left
}
