// Documents of a projection that is folded in the background: who asks is given what there is. While all is folded again,
// that is the state from before.

import type { StoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation } from '../../model/replay-report.ts'
import type { LogChange } from '../event-log.ts'
import { DocumentLayer, documentIn } from './document-layer.ts'
import { erasedSince, type Mark } from './fold.ts'
import { LogFold } from './log-fold.ts'
import type { ProjectionDocument, ProjectionDocuments, ProjectionParts } from './projection-documents.ts'
import type { FoldSnapshot } from './snapshot-record.ts'
import { Watchers } from './watchers.ts'

export class BackgroundDocuments implements ProjectionDocuments {
  readonly watchers = new Watchers()
  readonly #log: ProjectionParts['log']
  readonly #fold: LogFold
  /** What is given until all is folded again. */
  #older: Layers | null = null
  /** Why the last fold did not get to its end, but for a handler: the storage failed. */
  #error: unknown = null

  constructor(parts: ProjectionParts) {
    this.#log = parts.log
    this.#fold = new LogFold({
      ...parts,
      onTouched: ids => {
        if (!this.#older) this.watchers.tell(ids)
      },
      onOlder: (latest, confirmed) => {
        this.#older = { latest: layerOf(latest), base: layerOf(confirmed) }
      },
    })
    this.#goOn()
  }

  get isRebuilding(): boolean {
    return this.#older !== null
  }

  get processedPosition(): GlobalPosition {
    return this.#fold.processedPosition
  }

  async latest(documentId: string): Promise<ProjectionDocument | null> {
    await this.#fold.restored()
    if (this.#error) throw this.#error
    if (!this.#older) return this.#fold.document(documentId)
    return documentIn(this.#older.latest, this.#older.base, documentId)
  }

  at(documentId: string, moment: Moment): Promise<ProjectionDocument | null> {
    return this.#fold.at(documentId, moment)
  }

  explain(): Promise<ReplayExplanation> {
    return this.#fold.explain()
  }

  failures(): readonly StoreError[] {
    return this.#fold.failure ? [this.#fold.failure.error] : []
  }

  failureOf(): StoreError | null {
    return this.#fold.failure?.error ?? null
  }

  async process(): Promise<void> {
    await this.#fold.advance()
    this.#switchOver()
  }

  async resume(): Promise<void> {
    await this.#fold.resume()
    this.#goOn()
  }

  async rebuild(): Promise<void> {
    await this.#fold.restored()
    this.#older ??= this.#fold.copy()
    await this.#fold.forget()
    this.#goOn()
  }

  onChange(change: LogChange): void {
    this.#fold.note(change)
    if (this.#older && (change.healedFrom !== null || !this.#mayBeGiven(this.#older.latest.mark))) {
      this.#older = null
    }
    this.#goOn()
  }

  /** What was erased is not given out, nor what a rebase took back. */
  #mayBeGiven({ position, erasures }: Mark): boolean {
    return this.#log.isEffective(position) && erasedSince(erasures, null, this.#log) > position
  }

  #goOn(): void {
    this.process().then(
      () => {
        this.#error = null
      },
      error => {
        this.#error = error
        this.watchers.tell(this.watchers.documentIds())
      },
    )
  }

  /** Behind a handler that fails, the state from before stays. */
  #switchOver(): void {
    if (!this.#older) return
    if (!this.#fold.failure) this.#older = null
    this.watchers.tell(this.watchers.documentIds())
  }
}

type Layers = ReturnType<LogFold['copy']>

function layerOf(snapshot: FoldSnapshot | null): DocumentLayer {
  const layer = new DocumentLayer()
  if (snapshot) layer.restore(snapshot)
  return layer
}
