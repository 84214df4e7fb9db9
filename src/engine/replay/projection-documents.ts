// What the projector asks of the documents of a projection, whether they come from one stream each or from all.

import type { StoreError } from '../../log/errors.ts'
import type { GlobalPosition, StreamVersion } from '../../log/event.ts'
import type { AnyProjection } from '../../model/app.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation, ReplayReport } from '../../model/replay-report.ts'
import type { LogChange } from '../event-log.ts'
import type { FoldFailure, FoldLog } from './fold.ts'
import type { Skips } from './skipped-events.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import type { Watchers } from './watchers.ts'

export type ProjectionDocument = Readonly<{
  state: unknown
  streamVersion: StreamVersion
  globalPosition: GlobalPosition
  pending: number
}>

export type ProjectionParts = Readonly<{
  log: FoldLog
  name: string
  definition: AnyProjection
  snapshots: SnapshotStore
  skips: Skips
  onFailure: OnFoldFailure
  onReplayed?: ((report: ReplayReport) => void) | undefined
}>

export interface ProjectionDocuments {
  readonly watchers: Watchers
  /** Everything is folded again, and what is given meanwhile is the state from before. */
  readonly isRebuilding: boolean
  /** Every event up to here is in what {@link latest} gives, or was passed by; while rebuilding, in what is folded aside. */
  readonly processedPosition: GlobalPosition
  /** Null for a document into which no event was folded. Folds what is new first, unless that is done in the background. */
  latest(documentId: string): Promise<ProjectionDocument | null>
  /** The document as it was, folded aside. Null for one that had no events then. */
  at(documentId: string, moment: Moment): Promise<ProjectionDocument | null>
  /** What a fold of the document would do that has nothing in memory. */
  explain(documentId: string): Promise<ReplayExplanation>
  /** Of the documents in memory. */
  failures(): readonly StoreError[]
  /** Why the document stands before an event. */
  failureOf(documentId: string): StoreError | null
  /** Folds what is new, as far as that is not left for who asks. */
  process(): Promise<void>
  /** Tries again where a handler failed, or passes by what is skipped now. */
  resume(): Promise<void>
  /** Has all that was folded folded again, from the first event. */
  rebuild(): Promise<void>
  /** Tells the watchers of documents that changed, at once or as soon as that is known. */
  onChange(change: LogChange): void
  /** Folds no further by itself. Resolves when it does not any more. */
  close(): Promise<void>
}

/** Told each time a failure is met; the same one may be met again. */
export type OnFoldFailure = (failure: FoldFailure) => void
