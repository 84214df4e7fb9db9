// Documents of a projection that folds every stream into a document of its own.

import type { AnyProjection } from '../../model/app.ts'
import type { LogChange } from '../event-log.ts'
import type { FoldLog } from './fold.ts'
import type { OnFoldFailure, ProjectionDocument, ProjectionDocuments } from './projection-documents.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import { StreamFold } from './stream-fold.ts'
import { Watchers } from './watchers.ts'

export type StreamDocumentsOptions = Readonly<{
  log: FoldLog
  name: string
  definition: AnyProjection
  snapshots: SnapshotStore
  onFailure: OnFoldFailure
}>

export class StreamDocuments implements ProjectionDocuments {
  readonly watchers = new Watchers()
  readonly #fold: StreamFold
  readonly #onFailure: OnFoldFailure

  constructor({ log, name, definition, snapshots, onFailure }: StreamDocumentsOptions) {
    this.#fold = new StreamFold({ log, kind: 'projection', name, definition, snapshots })
    this.#onFailure = onFailure
  }

  async latest(streamName: string): Promise<ProjectionDocument | null> {
    const { state, folded, pending, failure } = await this.#fold.current(streamName)
    if (failure) this.#onFailure(failure)
    if (folded.count === 0) return null
    return { state, streamVersion: folded.version, globalPosition: folded.position, pending }
  }

  /** Nothing is folded here: whether a stream has changed can be told from the index. */
  onChange({ healedFrom }: LogChange): void {
    if (healedFrom !== null) this.#fold.forget()
    this.watchers.tell(this.watchers.documentIds().filter(streamName => this.#fold.isStale(streamName)))
  }
}
