// What the projector asks of the documents of a projection, whether they come from one stream each or from all.

import type { GlobalPosition, StreamVersion } from '../../log/event.ts'
import type { AnyProjection } from '../../model/app.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation, ReplayReport } from '../../model/replay-report.ts'
import type { LogChange } from '../event-log.ts'
import type { FoldFailure, FoldLog } from './fold.ts'
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
  onFailure: OnFoldFailure
  onReplayed?: ((report: ReplayReport) => void) | undefined
}>

export interface ProjectionDocuments {
  readonly watchers: Watchers
  /** Folds what is new first. Null for a document into which no event was folded. */
  latest(documentId: string): Promise<ProjectionDocument | null>
  /** The document as it was, folded aside. Null for one that had no events then. */
  at(documentId: string, moment: Moment): Promise<ProjectionDocument | null>
  /** What a fold of the document would do that has nothing in memory. */
  explain(documentId: string): Promise<ReplayExplanation>
  /** Tells the watchers of documents that changed, at once or as soon as that is known. */
  onChange(change: LogChange): void
}

/** Told each time a failure is met; the same one may be met again. */
export type OnFoldFailure = (failure: FoldFailure) => void
