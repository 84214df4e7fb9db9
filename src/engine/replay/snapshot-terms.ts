// What a decider or projection wants of its snapshots: which code must have made them, when to make and how long to keep
// them.

import type { FoldDefinition, FoldLog } from './fold.ts'
import { type FoldCode, foldCodeOf } from './fold-code.ts'
import { type SnapshotSchedule, snapshotScheduleOf } from './snapshot-schedule.ts'

export type SnapshotTerms = Readonly<{ code: FoldCode; schedule: SnapshotSchedule }>

export const termsOf = <S>(
  definition: FoldDefinition<S>,
  log: Pick<FoldLog, 'hash' | 'today'>,
  build: string | null = null,
): SnapshotTerms => ({
  code: foldCodeOf(definition, log, build),
  schedule: snapshotScheduleOf(definition),
})
