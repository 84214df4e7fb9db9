// Documents of a projection that is folded in the background: who asks is given what there is. While all is folded again,
// that is the state from before.

import type { StoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation } from '../../model/replay-report.ts'
import type { LogChange } from '../event-log.ts'
import { documentIn } from './document-layer.ts'
import { erasedSince, type Mark, settledThrough } from './fold.ts'
import { LogFold } from './log-fold.ts'
import type { OlderDocuments } from './older-documents.ts'
import type { ProjectionDocument, ProjectionDocuments, ProjectionParts } from './projection-documents.ts'
import { Watchers } from './watchers.ts'

export class BackgroundDocuments implements ProjectionDocuments {
  readonly watchers = new Watchers()
  readonly #log: ProjectionParts['log']
  readonly #fold: LogFold
  /** What is given until all is folded again. */
  #older: OlderDocuments | null = null
  /** What was given last does not count any more, and what does is not folded yet. */
  #isTakenBack = false
  /** Why the last fold did not get to its end, but for a handler: the storage failed. */
  #error: unknown = null

  constructor(parts: ProjectionParts) {
    this.#log = parts.log
    this.#fold = new LogFold({
      ...parts,
      onTouched: ids => this.#folded(ids),
      onOlder: older => {
        this.#older ??= this.#fitToGive(older)
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
    while (this.#isTakenBack && !this.#older) await this.process()
    if (!this.#older) return this.#fold.document(documentId)
    const { latest, base } = this.#older
    const isSettled = latest.mark.position <= settledThrough(this.#log, null)
    return documentIn(latest, isSettled ? latest : base, documentId)
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
    try {
      await this.#fold.advance()
    } catch (error) {
      this.#error = error
      this.#tellAll()
      throw error
    }
    if (this.#error === null) return
    this.#error = null
    this.#tellAll()
  }

  async resume(): Promise<void> {
    await this.#fold.resume()
    this.#goOn()
  }

  async rebuild(): Promise<void> {
    await this.#fold.rebuild()
    this.#goOn()
  }

  onChange(change: LogChange): void {
    this.#fold.note(change)
    const before = this.#older
    if (before) this.#older = change.healedFrom === null ? this.#fitToGive(before) : null
    if (this.#older !== before) this.#tellAll()
    const isGood = change.healedFrom === null && this.#mayBeGiven(this.#fold.mark)
    if (!this.#older && !isGood) this.#isTakenBack = true
    this.#goOn()
  }

  close(): Promise<void> {
    return this.#fold.close()
  }

  /** What was erased is not given out, nor what a rebase took back: then the confirmed part of it, if that is known. */
  #fitToGive(older: OlderDocuments): OlderDocuments | null {
    const { latest, base } = older
    if (this.#mayBeGiven(latest.mark)) return older
    return base.mark.position > 0 && this.#mayBeGiven(base.mark) ? { latest: base, base } : null
  }

  #mayBeGiven({ position, erasures }: Mark): boolean {
    if (position === 0) return true
    return this.#log.isEffective(position) && erasedSince(erasures, null, this.#log) > position
  }

  #goOn(): void {
    // Who asks is told.
    this.process().catch(() => {})
  }

  /** Behind a handler that fails, the state from before stays. */
  #folded(documentIds: readonly string[] | null): void {
    this.#isTakenBack = false
    const isComplete = this.#older !== null && !this.#fold.failure
    if (isComplete) this.#older = null
    if (isComplete || documentIds === null) this.#tellAll()
    else if (!this.#older) this.watchers.tell(documentIds)
  }

  #tellAll(): void {
    this.watchers.tell(this.watchers.documentIds())
  }
}
