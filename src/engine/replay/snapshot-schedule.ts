// When a snapshot is due, by the definition's policy.

import type { SinceSnapshot, SnapshotPolicy, SnapshotRetention } from '../../model/snapshot-policy.ts'
import type { FoldDefinition } from './fold.ts'

export type SnapshotSchedule = Readonly<{
  isDue: (since: SinceSnapshot) => boolean
  /** Events before which there can be no snapshot; infinite where there never is one. */
  fewestEvents: number
  retention: SnapshotRetention
  /** Least distance of snapshots that are made in passing; see {@link versionsInPassing}. */
  gapInPassing: number
}>

const DEFAULT_EVERY = 1_000

export function snapshotScheduleOf({
  snapshot = {},
}: Pick<FoldDefinition<unknown>, 'snapshot'>): SnapshotSchedule {
  if (snapshot === 'never') return NEVER
  const { everyMs, replayMs, when, keep = {} } = snapshot
  const every = everyOf(snapshot)
  return {
    isDue: since =>
      since.events > 0 &&
      (since.events >= every ||
        (everyMs !== undefined && since.ms >= everyMs) ||
        (replayMs !== undefined && since.replayMs >= replayMs) ||
        when?.(since) === true),
    fewestEvents: hasOtherCondition(snapshot) ? 1 : every,
    retention: keep,
    gapInPassing:
      keep.spaced === false ? Infinity : Math.max(Number.isFinite(every) ? every : DEFAULT_EVERY, 1),
  }
}

const NEVER: SnapshotSchedule = {
  isDue: () => false,
  fewestEvents: Infinity,
  retention: {},
  gapInPassing: Infinity,
}

type Conditions = Exclude<SnapshotPolicy, 'never'>

const hasOtherCondition = ({ everyMs, replayMs, when }: Conditions): boolean =>
  everyMs !== undefined || replayMs !== undefined || when !== undefined

const everyOf = (policy: Conditions): number =>
  policy.every ?? (hasOtherCondition(policy) ? Infinity : DEFAULT_EVERY)

/**
 * Where to make snapshots in passing while a long history is folded in one go, so that it has those which it would have
 * kept of all: twice `gap` events before the end, as at the end itself one is made, and each of the others twice as far
 * away as the one behind it. Nearest to the beginning first.
 */
export function versionsInPassing(from: number, to: number, gap: number): number[] {
  const versions: number[] = []
  for (let distance = 2 * gap; to - distance > from; distance *= 2) versions.unshift(to - distance)
  return versions
}
