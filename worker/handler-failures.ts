// Handlers of the app that failed in this worker: which documents stand before the event, and why.

import type { HandlerFailure } from '../src/engine/replay/projector.ts'
import type { StoreError } from '../src/log/errors.ts'
import type { App } from '../src/model/app.ts'

export class HandlerFailures {
  readonly #app: App
  readonly #failures: HandlerFailure[] = []

  constructor(app: App) {
    this.#app = app
  }

  add(failure: HandlerFailure): void {
    this.#failures.push(failure)
  }

  /** The first failure that holds a document back; null when none does. */
  holdingBack(projection: string, documentId: string): StoreError | null {
    // A projection over all streams is folded in one go: one failure holds all of its documents back.
    const isOfOneStream = !this.#app.projections?.[projection]?.getDocumentId
    const failure = this.#failures.find(
      ({ projection: name, error }) =>
        name === projection && (!isOfOneStream || error.facts['streamName'] === documentId),
    )
    return failure?.error ?? null
  }
}
