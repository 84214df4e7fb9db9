// What of old snapshots still holds when handlers have changed. Pure: headers in, answers out.

import type { FoldCode } from './fold-code.ts'
import type { SnapshotHeader } from './snapshot-record.ts'

type Made = Pick<SnapshotHeader, 'base' | 'types' | 'position'>

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
  /** Made by the code that `at` was made by, and today's code makes the same of what lies between. At least one. */
  to: readonly T[]
}>

/**
 * In order of position, as the snapshots are. A snapshot ahead is right if it is on the way that `at` is on, and no type
 * that is folded differently today lies behind `at`.
 */
export function earlyEnds<T extends Made>(ahead: readonly T[], code: FoldCode): EarlyEnd<T>[] {
  return ahead.flatMap((at, i) => {
    const to = ahead.slice(i + 1).filter(later => isOnTheWayOf(at, later) && isSameBehind(at, later, code))
    return to.length > 0 ? [{ at, to }] : []
  })
}

/** The code that made the later one makes the earlier one, too. */
function isOnTheWayOf(earlier: Made, later: Made): boolean {
  const handlers = new Map(later.types.map(([type, , handler]) => [type, handler]))
  return (
    earlier.base === later.base && earlier.types.every(([type, , handler]) => handlers.get(type) === handler)
  )
}

function isSameBehind({ position }: Made, { base, types }: Made, code: FoldCode): boolean {
  return (
    base === code.base &&
    types.every(([type, last, handler]) => last <= position || handler === code.hashOf(type))
  )
}
