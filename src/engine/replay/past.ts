// Up to where a fold goes that shows a document as it was.

import { StoreError } from '../../log/errors.ts'
import type { GlobalPosition, RecordedEvent } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import { type FoldLog, placeOf } from './fold.ts'

export const NO_BOUND = Number.MAX_SAFE_INTEGER

/** Both hold. */
export type PastBounds = Readonly<{ maxVersion: number; maxPosition: GlobalPosition }>

/**
 * @param readBackwards the events that count, the last one first
 * @throws `StoreError` `invalid-argument` for a moment that is none.
 */
export async function pastBoundsOf(
  moment: Moment,
  readBackwards: () => AsyncIterable<readonly RecordedEvent[]>,
  order: FoldLog['order'],
): Promise<PastBounds> {
  const [[kind, value] = ['', Number.NaN]] = Object.entries(moment) as [string, number][]
  if (!Number.isFinite(value) || (kind !== 'time' && (!Number.isSafeInteger(value) || value < 0))) {
    const problem = 'A moment is a version or position from 0 on, or a time in milliseconds'
    throw new StoreError('invalid-argument', problem, { moment })
  }
  if (kind === 'version') return { maxVersion: value, maxPosition: NO_BOUND }
  if (kind === 'position') return { maxVersion: NO_BOUND, maxPosition: value }
  return { maxVersion: NO_BOUND, maxPosition: await lastRecordedBy(value, readBackwards(), order) }
}

/** Where the last event counts that was recorded at or before a time; 0 where there is none. */
async function lastRecordedBy(
  time: number,
  backwards: AsyncIterable<readonly RecordedEvent[]>,
  order: FoldLog['order'],
): Promise<GlobalPosition> {
  for await (const events of backwards) {
    const last = events.find(({ metadata }) => metadata.recordedAt <= time)
    if (last) return placeOf(last, order).position
  }
  return 0
}
