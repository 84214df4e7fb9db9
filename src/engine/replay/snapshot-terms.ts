// What a decider or projection wants of its snapshots: which code must have made them, when to make and how long to keep
// them.

import type { HashProvider } from '../../log/hash-provider.ts'
import type { FoldDefinition } from './fold.ts'
import { type FoldCode, foldCodeOf } from './fold-code.ts'
import { type SnapshotSchedule, snapshotScheduleOf } from './snapshot-schedule.ts'

export type SnapshotTerms = Readonly<{ code: FoldCode; schedule: SnapshotSchedule }>

export const termsOf = <S>(definition: FoldDefinition<S>, hash: HashProvider): SnapshotTerms => ({
  code: foldCodeOf(definition, hash),
  schedule: snapshotScheduleOf(definition),
})
