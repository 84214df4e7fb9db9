// How far the rows of a read model have come, as it is written beside them. What is written there by anybody else, or by
// another version of this library, is as good as nothing: the rows are made anew.

import type { GlobalPosition, Hash } from '../../log/event.ts'
import type { RowProgress } from '../../model/row-store.ts'
import { type Mark, NOTHING_READ } from './fold.ts'
import type { FoldCode } from './fold-code.ts'
import { isMadeBy } from './replay-plan.ts'

export type RowMarks = Readonly<{
  /** Everything up to here is in the rows. */
  latest: Mark
  /** What lies behind can be taken back to here: no rebase reaches farther, or only one that has all made anew. */
  settled: Mark
  /** The rows are not to be gone on with, whatever else is said of them. */
  isOutdated: boolean
}>

export const NO_ROWS: RowMarks = { latest: NOTHING_READ, settled: NOTHING_READ, isOutdated: false }

type StoredMark = Omit<Mark, 'types'> &
  Readonly<{ types: readonly (readonly [type: string, last: GlobalPosition, handler: string | null])[] }>

type StoredProgress = Readonly<{
  format: number
  base: string
  latest: StoredMark
  settled: StoredMark
  isOutdated: boolean
}>

const FORMAT = 1

/** The same for the same, to the letter: it is what tabs compare. */
export function progressOf({ latest, settled, isOutdated }: RowMarks, code: FoldCode): string {
  const stored = ({ types, ...mark }: Mark): StoredMark => ({
    ...mark,
    types: [...types].map(([type, last]) => [type, last, code.hashOf(type)]),
  })
  const progress: StoredProgress = {
    format: FORMAT,
    base: code.base,
    latest: stored(latest),
    settled: stored(settled),
    isOutdated,
  }
  return JSON.stringify(progress)
}

/** Null where there is none, and where today's code would have made other rows of the same events. */
export function marksOf(progress: RowProgress, code: FoldCode): RowMarks | null {
  const stored = progress === null ? null : parse(progress)
  if (stored?.format !== FORMAT) return null
  const { base, latest, settled, isOutdated } = stored
  if (isOutdated || !isMadeBy({ base, types: latest.types }, code)) return null
  return { latest: markOf(latest), settled: markOf(settled), isOutdated }
}

/** What is said of rows, whatever code made them; null where nothing can be read. */
export function anyMarksOf(progress: RowProgress): RowMarks | null {
  const stored = progress === null ? null : parse(progress)
  if (stored?.format !== FORMAT) return null
  return { latest: markOf(stored.latest), settled: markOf(stored.settled), isOutdated: stored.isOutdated }
}

function parse(text: string): StoredProgress | null {
  try {
    return JSON.parse(text) as StoredProgress
  } catch {
    return null
  }
}

const markOf = ({ types, eventHash, ...mark }: StoredMark): Mark => ({
  ...mark,
  eventHash: eventHash as Hash | null,
  types: new Map(types.map(([type, last]) => [type, last])),
})
