// Documents of a projection that folds every stream into a document of its own.

import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation } from '../../model/replay-report.ts'
import type { LogChange } from '../event-log.ts'
import type { FoldedEvents } from './folded.ts'
import type {
  OnFoldFailure,
  ProjectionDocument,
  ProjectionDocuments,
  ProjectionParts,
} from './projection-documents.ts'
import { StreamFold } from './stream-fold.ts'
import { Watchers } from './watchers.ts'

export class StreamDocuments implements ProjectionDocuments {
  readonly watchers = new Watchers()
  readonly #fold: StreamFold
  readonly #onFailure: OnFoldFailure

  constructor({ onFailure, ...parts }: ProjectionParts) {
    this.#fold = new StreamFold({ kind: 'projection', ...parts })
    this.#onFailure = onFailure
  }

  async latest(streamName: string): Promise<ProjectionDocument | null> {
    const { state, folded, pending, failure } = await this.#fold.current(streamName)
    if (failure) this.#onFailure(failure)
    return documentOf(state, folded, pending)
  }

  async at(streamName: string, moment: Moment): Promise<ProjectionDocument | null> {
    const { folded, pending } = await this.#fold.at(streamName, moment)
    return documentOf(folded.state, folded.folded, pending)
  }

  explain(streamName: string): Promise<ReplayExplanation> {
    return this.#fold.explain(streamName)
  }

  /** Nothing is folded here: whether a stream has changed can be told from the index. */
  onChange({ healedFrom }: LogChange): void {
    if (healedFrom !== null) this.#fold.forget()
    this.watchers.tell(this.watchers.documentIds().filter(streamName => this.#fold.isStale(streamName)))
  }
}

/** Null where nothing was folded. */
function documentOf(state: unknown, folded: FoldedEvents, pending: number): ProjectionDocument | null {
  if (folded.count === 0) return null
  return { state, streamVersion: folded.version, globalPosition: folded.position, pending }
}
