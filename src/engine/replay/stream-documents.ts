// Documents of a projection that folds every stream into a document of its own.

import type { StoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import { categoryTest } from '../../model/category.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation } from '../../model/replay-report.ts'
import type { LogChange } from '../event-log.ts'
import type { FoldedEvents } from './folded.ts'
import type { ProjectionDocument, ProjectionDocuments, ProjectionParts } from './projection-documents.ts'
import { StreamFold } from './stream-fold.ts'
import { Watchers } from './watchers.ts'

export class StreamDocuments implements ProjectionDocuments {
  readonly watchers = new Watchers()
  readonly isRebuilding = false
  readonly #parts: ProjectionParts
  readonly #fold: StreamFold
  readonly #covers: (streamName: string) => boolean

  constructor(parts: ProjectionParts) {
    this.#parts = parts
    this.#fold = new StreamFold({ kind: 'projection', ...parts })
    this.#covers = categoryTest(parts.definition.categories)
  }

  /** Whoever asks for a document has the rest folded first, but for what is behind a failure. */
  get processedPosition(): GlobalPosition {
    const failedAt = this.#fold.failures().map(({ position }) => position)
    return Math.min(this.#parts.log.head(), ...failedAt.map(position => position - 1))
  }

  async latest(streamName: string): Promise<ProjectionDocument | null> {
    if (!this.#covers(streamName)) return null
    await this.#parts.skips.ready()
    const { state, folded, pending, failure } = await this.#fold.current(streamName)
    if (failure) this.#parts.onFailure(failure)
    return documentOf(state, folded, pending)
  }

  async at(streamName: string, moment: Moment): Promise<ProjectionDocument | null> {
    if (!this.#covers(streamName)) return null
    await this.#parts.skips.ready()
    const { folded, pending } = await this.#fold.at(streamName, moment)
    return documentOf(folded.state, folded.folded, pending)
  }

  explain(streamName: string): Promise<ReplayExplanation> {
    const { log } = this.#parts
    return this.#fold.explain(streamName, this.#covers(streamName) ? log.streamVersion(streamName) : 0)
  }

  failures(): readonly StoreError[] {
    return this.#fold.failures().map(({ error }) => error)
  }

  failureOf(streamName: string): StoreError | null {
    return this.#fold.failureOf(streamName)?.error ?? null
  }

  /** Nothing is folded here before somebody asks. */
  async process(): Promise<void> {}

  async resume(): Promise<void> {
    await this.#parts.skips.ready()
    this.watchers.tell(this.#fold.resume())
  }

  async rebuild(): Promise<void> {
    const { name, snapshots } = this.#parts
    await snapshots.dropAll({ kind: 'projection', name })
    this.#fold.forget()
    this.watchers.tell(this.watchers.documentIds())
  }

  /** Nothing is folded here: whether a stream has changed can be told from the index. */
  onChange({ healedFrom, unconfirmedFrom }: LogChange): void {
    if (healedFrom !== null || unconfirmedFrom !== null) this.#fold.forget()
    const watched = this.watchers.documentIds().filter(this.#covers)
    this.watchers.tell(watched.filter(streamName => this.#fold.isStale(streamName)))
  }

  async close(): Promise<void> {}
}

/** Null where nothing was folded. */
function documentOf(state: unknown, folded: FoldedEvents, pending: number): ProjectionDocument | null {
  if (folded.count === 0) return null
  return { state, streamVersion: folded.version, globalPosition: folded.position, pending }
}
