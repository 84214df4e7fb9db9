// Folds documents of all streams aside, from a snapshot on: for what is not kept in memory.

import type { GlobalPosition } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import { DocumentLayer, type LayerStep, layerStepOf } from './document-layer.ts'
import { type FoldLog, isStanding, markNow, settledThrough } from './fold.ts'
import { Pace } from './pace.ts'
import { NO_BOUND, pastBoundsOf } from './past.ts'
import type { ProjectionDocument, ProjectionParts } from './projection-documents.ts'
import type { FoldSnapshot, SnapshotOwner } from './snapshot-record.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import { type SnapshotTerms, termsOf } from './snapshot-terms.ts'

export class LogAside {
  readonly owner: SnapshotOwner
  readonly step: LayerStep
  readonly #definition: ProjectionParts['definition']
  readonly #log: FoldLog
  readonly #snapshots: SnapshotStore
  #terms: SnapshotTerms

  constructor({
    log,
    name,
    definition,
    snapshots,
    skips,
  }: Pick<ProjectionParts, 'log' | 'name' | 'definition' | 'snapshots' | 'skips'>) {
    this.owner = { kind: 'projection', name, streamName: null }
    this.step = layerStepOf(definition, log, skips)
    this.#definition = definition
    this.#log = log
    this.#snapshots = snapshots
    this.#terms = termsOf(definition, log)
  }

  get terms(): SnapshotTerms {
    return this.#terms
  }

  /** From now on, only what was folded for this build is gone on with. */
  useBuild(build: string | null): void {
    this.#terms = termsOf(this.#definition, this.#log, build)
  }

  /** @throws `StoreError` `handler-failed` */
  async readInto(layer: DocumentLayer, to: GlobalPosition, touched = new Set<string>()): Promise<void> {
    const pace = new Pace()
    layer.mark = markNow(layer.mark, null, this.#log)
    for await (const events of this.#log.readAll({ from: layer.mark.position + 1, to })) {
      const failure = this.step(layer, events, touched)
      if (failure) throw failure.error
      await pace.breathe()
    }
  }

  /** The state of all documents. */
  async refold(from: FoldSnapshot | null, to: GlobalPosition): Promise<unknown> {
    const layer = new DocumentLayer()
    if (from) layer.restore(from)
    await this.readInto(layer, to)
    return layer.toSnapshot()?.state
  }

  /**
   * A document as it was.
   *
   * @throws `StoreError` `handler-failed` when a handler fails before that moment; `invalid-argument`.
   */
  async at(documentId: string, moment: Moment): Promise<ProjectionDocument | null> {
    const readBackwards = () => this.#log.readAll({ direction: 'backwards' })
    for (;;) {
      const { maxVersion, maxPosition } = await pastBoundsOf(moment, readBackwards, this.#log.order)
      const confirmedThrough = settledThrough(this.#log, null)
      const past = await this.#foldThrough(documentId, maxVersion, maxPosition)
      const document = past.get(documentId)
      const confirmed =
        document && document.position > confirmedThrough
          ? (await this.#foldThrough(documentId, maxVersion, confirmedThrough)).get(documentId)
          : document
      // A rebase in the meantime takes back what was just folded.
      if (!isStanding(past.mark, null, this.#log)) continue
      if (!document) return null
      const { state, count, position } = document
      return {
        state,
        streamVersion: count,
        globalPosition: position,
        pending: count - (confirmed?.count ?? 0),
      }
    }
  }

  /** Up to a position, or until the document has so many events. */
  async #foldThrough(
    documentId: string,
    maxCount: number,
    maxPosition: GlobalPosition,
  ): Promise<DocumentLayer> {
    const layer = await this.#loadBefore(documentId, maxCount, maxPosition)
    const to = Math.min(maxPosition, this.#log.head())
    if (maxCount === NO_BOUND) await this.readInto(layer, to)
    else await this.#readUntil(layer, documentId, maxCount, to)
    return layer
  }

  /** Event by event, as the document must not have one more. */
  async #readUntil(
    layer: DocumentLayer,
    documentId: string,
    maxCount: number,
    to: GlobalPosition,
  ): Promise<void> {
    const pace = new Pace()
    layer.mark = markNow(layer.mark, null, this.#log)
    for await (const events of this.#log.readAll({ from: layer.mark.position + 1, to })) {
      for (const event of events) {
        if ((layer.get(documentId)?.count ?? 0) >= maxCount) return
        const failure = this.step(layer, [event], new Set())
        if (failure) throw failure.error
      }
      await pace.breathe()
    }
  }

  /** The newest snapshot in which the document has no more than so many events. */
  async #loadBefore(documentId: string, maxCount: number, through: GlobalPosition): Promise<DocumentLayer> {
    for (let maxPosition = through; maxPosition > 0; ) {
      const snapshot = await this.#snapshots.load(this.owner, this.terms, { maxPosition })
      if (!snapshot) break
      const layer = new DocumentLayer()
      layer.restore(snapshot)
      if ((layer.get(documentId)?.count ?? 0) <= maxCount) return layer
      maxPosition = snapshot.position - 1
    }
    return new DocumentLayer()
  }
}
