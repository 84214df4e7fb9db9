// Gives the documents of the app's projections, current, and tells when they changed.

import { stateHashOf } from '../../integrity/state-hash.ts'
import { StoreError } from '../../log/errors.ts'
import type { App } from '../../model/app.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation, ReplayReport } from '../../model/replay-report.ts'
import type { HashedSnapshot, Snapshot } from '../../model/snapshot.ts'
import type { SnapshotCodec } from '../../model/snapshot-codec.ts'
import { Audit, type AuditFailure, type AuditOptions } from './audit.ts'
import { BackgroundDocuments } from './background-documents.ts'
import type { FoldLog } from './fold.ts'
import { foldCodeOf } from './fold-code.ts'
import type { Follower } from './followers.ts'
import { LogDocuments } from './log-documents.ts'
import type { ProjectionDocument, ProjectionDocuments, ProjectionParts } from './projection-documents.ts'
import { type HandlerFailure, reportOnce } from './report-once.ts'
import { SkippedEvents } from './skipped-events.ts'
import type { SnapshotOwner } from './snapshot-record.ts'
import { type SnapshotDrop, SnapshotStore } from './snapshot-store.ts'
import { StreamDocuments } from './stream-documents.ts'

export type ProjectorOptions = Readonly<{
  log: FoldLog
  app: App
  /**
   * Told once of each event whose handler fails. The document stays as it was before that event (a projection
   * over all streams: all of its documents), and later events are not folded into it.
   */
  onHandlerFailed?: (failure: HandlerFailure) => void
  /** Told of every snapshot that was dropped, or could not be written. What it costs is a longer fold. */
  onSnapshotDropped?: (drop: SnapshotDrop) => void
  /** Told of each fold that did not go on from what is in memory. */
  onReplayed?: (report: ReplayReport) => void
  snapshotCodec?: SnapshotCodec
  /** How often states are folded a second time; false: never. */
  audit?: AuditOptions | false
  /** Told of each projection that is found not to be deterministic: it writes no snapshots any more. */
  onAuditFailed?: (failure: AuditFailure) => void
}>

/** @throws `StoreError` `unknown-projection` from each method that takes a name. */
export interface Projector {
  /** Null for a document without events. Behind a handler that failed: the last good state. In the background: what there is. */
  latest(projection: string, documentId: string): Promise<Snapshot<unknown> | null>
  /** As {@link latest}. @throws `InvalidEvent` with the path of what JSON cannot carry in the state. */
  snapshot(projection: string, documentId: string): Promise<HashedSnapshot<unknown> | null>
  /**
   * The document as it was at a moment, folded aside.
   *
   * @throws `StoreError` `handler-failed` when a handler fails before that moment; `invalid-argument`.
   */
  at(projection: string, documentId: string, moment: Moment): Promise<HashedSnapshot<unknown> | null>
  /** What a fold of the document would do that has nothing in memory: how much, from where, and why. */
  explain(projection: string, documentId: string): Promise<ReplayExplanation>
  /** Why the document, as it was given last, stands before an event: the handler of that failed. */
  failureOf(projection: string, documentId: string): StoreError | null
  /** All of them, to be asked how far they are. */
  readonly followers: ReadonlyMap<string, Follower>
  /**
   * Calls `onDirty` after each change that touched the document or how much of it is pending; now and then also
   * without need, never less. It is called in the middle of a change and must return at once.
   */
  watch(projection: string, documentId: string, onDirty: () => void, signal: AbortSignal): void
  /** Resolves when nothing is written any more. */
  close(): Promise<void>
}

export function createProjector(options: ProjectorOptions): Projector {
  const { log, app, onSnapshotDropped, onReplayed, snapshotCodec: codec } = options
  const life = new AbortController()
  const audit = options.audit === false ? undefined : auditOf(options, owner => snapshots.dropAll(owner))
  const snapshots: SnapshotStore = new SnapshotStore({ log, onSnapshotDropped, audit, codec })
  const projections = new Map(
    Object.entries(app.projections ?? {}).map(([name, definition]) => {
      const code = foldCodeOf(definition, log)
      const skips = new SkippedEvents(log, name, code)
      const onFailure = reportOnce(name, options.onHandlerFailed)
      const documents = documentsOf({ log, name, definition, snapshots, skips, onFailure, onReplayed })
      return [name, { documents, skips, handlerVersion: code.id }]
    }),
  )
  const projectionNamed = (name: string) => {
    const projection = projections.get(name)
    if (projection) return projection
    throw new StoreError('unknown-projection', `The app has no projection "${name}"`, { projection: name })
  }
  log.onChange(change => {
    if (change.healedFrom !== null) snapshots.forget()
    for (const { documents } of projections.values()) documents.onChange(change)
  }, life.signal)

  const shown = (document: ProjectionDocument | null): Snapshot<unknown> | null =>
    document && { ...document, confirmedPosition: log.cursor().serverPosition }
  const hashed = (document: ProjectionDocument | null, handlerVersion: string) => {
    const snapshot = shown(document)
    return snapshot && { ...snapshot, handlerVersion, stateHash: stateHashOf(snapshot.state, log.hash) }
  }
  return {
    async latest(projection, documentId) {
      return shown(await projectionNamed(projection).documents.latest(documentId))
    },
    async snapshot(projection, documentId) {
      const { documents, handlerVersion } = projectionNamed(projection)
      return hashed(await documents.latest(documentId), handlerVersion)
    },
    async at(projection, documentId, moment) {
      const { documents, handlerVersion } = projectionNamed(projection)
      return hashed(await documents.at(documentId, moment), handlerVersion)
    },
    async explain(projection, documentId) {
      return projectionNamed(projection).documents.explain(documentId)
    },
    failureOf: (projection, documentId) => projectionNamed(projection).documents.failureOf(documentId),
    followers: new Map(
      [...projections].map(([name, { documents: progress, skips }]) => [name, { progress, skips }]),
    ),
    watch(projection, documentId, onDirty, signal) {
      projectionNamed(projection).documents.watchers.add(documentId, onDirty, signal)
    },
    async close() {
      life.abort()
      await Promise.all([...projections.values()].map(({ documents }) => documents.close()))
      await audit?.close()
      await snapshots.flush()
    },
  }
}

function documentsOf(parts: ProjectionParts): ProjectionDocuments {
  const { handling, getDocumentId } = parts.definition
  if (handling === 'async') return new BackgroundDocuments(parts)
  return getDocumentId ? new LogDocuments(parts) : new StreamDocuments(parts)
}

function auditOf(
  { log, audit: options = {}, onAuditFailed }: ProjectorOptions,
  dropAll: (owner: SnapshotOwner) => Promise<void>,
): Audit {
  return new Audit({
    log,
    options: options || {},
    onFailure(failure) {
      onAuditFailed?.(failure)
      // What stays is audited again, and dropped, when the next one is written after the next opening.
      dropAll(failure.owner).catch(() => {})
    },
  })
}
