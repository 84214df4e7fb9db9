// What of old snapshots still holds when handlers have changed. Pure: headers in, answers out.

import type { GlobalPosition } from '../../log/event.ts'
import type { PlaceRange } from '../amendments/amendment-records.ts'
import type { FoldCode } from './fold-code.ts'
import type { SnapshotHeader } from './snapshot-record.ts'

type Made = Pick<SnapshotHeader, 'base' | 'types' | 'position' | 'amendedAt'>

/** Where the order of events is another one at one place of the log than at the other. */
export type OrderChanges = (from: GlobalPosition, to: GlobalPosition) => PlaceRange

/** How events are folded today, and in which order. */
export type Today = Readonly<{ code: FoldCode; amendedAt: GlobalPosition; changedBetween: OrderChanges }>

/** Types before a snapshot that are folded by other code today; null where everything is, whatever its type. */
export function changedTypes(
  { base, types }: Pick<Made, 'base' | 'types'>,
  code: FoldCode,
): readonly string[] | null {
  if (base !== code.base) return null
  return types.filter(([type, , handler]) => handler !== code.hashOf(type)).map(([type]) => type)
}

/** Every event in it would be folded the same way today. */
export const isMadeBy = (made: Pick<Made, 'base' | 'types'>, code: FoldCode): boolean =>
  changedTypes(made, code)?.length === 0

/** Where folding may end early: if the state at `at` is the one that is kept there, those `to` the last are right, too. */
export type EarlyEnd<T extends Made = SnapshotHeader> = Readonly<{
  at: T
  /**
   * Made by the code that `at` was made by, of the same events up to `at`; what lies between is what it was, and today's
   * code makes the same of it. At least one.
   */
  to: readonly T[]
}>

/**
 * In order of position, as the snapshots are. A snapshot ahead is right if it is on the way that `at` is on, and no type
 * that is folded differently today lies behind `at`.
 */
export function earlyEnds<T extends Made>(ahead: readonly T[], today: Today): EarlyEnd<T>[] {
  return ahead.flatMap((at, i) => {
    const to = ahead
      .slice(i + 1)
      .filter(later => isOnTheWayOf(at, later, today) && isSameBehind(at, later, today))
    return to.length > 0 ? [{ at, to }] : []
  })
}

/** The code that made the later one makes the earlier one, too, and of the same events. */
export function isOnTheWayOf(earlier: Made, later: Made, { changedBetween }: Today): boolean {
  if (changedBetween(earlier.amendedAt, later.amendedAt).first <= earlier.position) return false
  const handlers = new Map(later.types.map(([type, , handler]) => [type, handler]))
  return (
    earlier.base === later.base && earlier.types.every(([type, , handler]) => handlers.get(type) === handler)
  )
}

function isSameBehind({ position }: Made, later: Made, { code, amendedAt, changedBetween }: Today): boolean {
  const { base, types } = later
  return (
    base === code.base &&
    changedBetween(later.amendedAt, amendedAt).last <= position &&
    types.every(([type, last, handler]) => last <= position || handler === code.hashOf(type))
  )
}
