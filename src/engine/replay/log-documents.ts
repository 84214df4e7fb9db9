// Documents of a projection over all streams, folded when somebody asks, or watches.

import type { StoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation } from '../../model/replay-report.ts'
import type { LogChange } from '../event-log.ts'
import { LogFold } from './log-fold.ts'
import type { ProjectionDocument, ProjectionDocuments, ProjectionParts } from './projection-documents.ts'
import { Watchers } from './watchers.ts'

export class LogDocuments implements ProjectionDocuments {
  readonly watchers = new Watchers()
  readonly isRebuilding = false
  readonly #fold: LogFold
  readonly #log: ProjectionParts['log']
  /** Watchers were told that nothing could be folded. */
  #hasFailed = false

  constructor(parts: ProjectionParts) {
    this.#log = parts.log
    this.#fold = new LogFold({
      ...parts,
      onTouched: ids => this.watchers.tell(ids ?? this.watchers.documentIds()),
    })
  }

  /** Whoever asks has the rest folded first. */
  get processedPosition(): GlobalPosition {
    return this.#fold.failure ? this.#fold.processedPosition : this.#log.head()
  }

  latest(documentId: string): Promise<ProjectionDocument | null> {
    return this.#fold.current(documentId)
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

  /** All of them are folded in one go: one failure holds all back. */
  failureOf(): StoreError | null {
    return this.#fold.failure?.error ?? null
  }

  process(): Promise<void> {
    return this.#fold.advance()
  }

  async resume(): Promise<void> {
    await this.#fold.resume()
    await this.#fold.advance()
  }

  async rebuild(): Promise<void> {
    await this.#fold.rebuild()
    await this.#fold.advance()
  }

  onChange(change: LogChange): void {
    this.#fold.note(change)
    // Which documents an event belongs to is known once it is folded; while nobody watches, that can wait.
    if (this.watchers.isEmpty) return
    this.#fold.advance().then(
      () => this.#advanced(true),
      // Who asks for the document now is given the error.
      () => this.#advanced(false),
    )
  }

  close(): Promise<void> {
    return this.#fold.close()
  }

  #advanced(isDone: boolean): void {
    if (!isDone || this.#hasFailed) this.watchers.tell(this.watchers.documentIds())
    this.#hasFailed = !isDone
  }
}
