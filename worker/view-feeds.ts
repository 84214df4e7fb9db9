// Feeds the page's views: a change only marks a view, and the latest snapshot goes out when the page has room.

import type { Snapshot } from '../src/model/snapshot.ts'
import { wireErrorOf } from '../src/protocol/wire-error.ts'
import type { PageApi, ViewUpdate } from '../src/protocol/worker-api.ts'
import { createLatestSender } from './latest-sender.ts'

/** What a view needs of the projector. */
export type DocumentSource = Readonly<{
  watch: (projection: string, documentId: string, onDirty: () => void, signal: AbortSignal) => void
  latest: (projection: string, documentId: string) => Promise<Snapshot<unknown> | null>
  /** What holds the document back behind the events there are. */
  failure: (projection: string, documentId: string) => Error | null
}>

export class ViewFeeds {
  readonly #documents: DocumentSource
  readonly #page: Pick<PageApi, 'showView'>
  readonly #watching = new Map<number, AbortController>()

  constructor(documents: DocumentSource, page: Pick<PageApi, 'showView'>) {
    this.#documents = documents
    this.#page = page
  }

  /** @throws `StoreError` `unknown-projection`. */
  watch(viewId: number, projection: string, documentId: string): void {
    const life = new AbortController()
    const mark = createLatestSender(async () => {
      const update = { viewId, ...(await this.#latest(projection, documentId)) }
      if (!life.signal.aborted && (await this.#show(update)) === 'stop') this.unwatch(viewId)
    }, life.signal)
    this.#documents.watch(projection, documentId, mark, life.signal)
    this.#watching.set(viewId, life)
    mark()
  }

  unwatch(viewId: number): void {
    this.#watching.get(viewId)?.abort()
    this.#watching.delete(viewId)
  }

  close(): void {
    for (const viewId of [...this.#watching.keys()]) this.unwatch(viewId)
  }

  async #latest(projection: string, documentId: string): Promise<Omit<ViewUpdate, 'viewId'>> {
    try {
      const snapshot = await this.#documents.latest(projection, documentId)
      const failure = this.#documents.failure(projection, documentId)
      return { snapshot, error: failure && wireErrorOf(failure) }
    } catch (error) {
      return { snapshot: undefined, error: wireErrorOf(error) }
    }
  }

  async #show(update: ViewUpdate): Promise<'continue' | 'stop'> {
    try {
      return await this.#page.showView(update)
    } catch (error) {
      // A state that structured clone refuses, such as one with a function in it.
      return this.#page.showView({ ...update, snapshot: undefined, error: wireErrorOf(error) })
    }
  }
}
