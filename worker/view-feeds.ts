// Feeds the page's views: a change only marks a view, and the latest snapshot goes out when the page has room.

import { deepFreeze } from '../src/model/deep-freeze.ts'
import type { Snapshot } from '../src/model/snapshot.ts'
import { patchBetween, type StatePatch } from '../src/protocol/state-patch.ts'
import { wireErrorOf } from '../src/protocol/wire-error.ts'
import type { PageApi, ViewUpdate } from '../src/protocol/worker-api.ts'
import { createLatestSender } from './latest-sender.ts'

/** What a view needs of the projector. */
export type DocumentSource = Readonly<{
  watch: (projection: string, documentId: string, onDirty: () => void, signal: AbortSignal) => void
  latest: (projection: string, documentId: string) => Promise<Snapshot<unknown> | null>
  /** What holds the document back behind the events there are. */
  failureOf: (projection: string, documentId: string) => Error | null
}>

export class ViewFeeds {
  readonly #documents: DocumentSource
  readonly #page: Pick<PageApi, 'showView'>
  readonly #isFrozen: boolean
  readonly #watching = new Map<number, AbortController>()

  /** @param isFrozen whether states are to be frozen before they are shown */
  constructor(documents: DocumentSource, page: Pick<PageApi, 'showView'>, isFrozen = false) {
    this.#documents = documents
    this.#page = page
    this.#isFrozen = isFrozen
  }

  /** @throws `StoreError` `unknown-projection`. */
  watch(viewId: number, projection: string, documentId: string): void {
    const life = new AbortController()
    let shown: Shown = null
    const mark = createLatestSender(async () => {
      const { snapshot, error } = await this.#latest(projection, documentId)
      if (life.signal.aborted) return
      const isShown = await this.#show({ viewId, snapshot, error }, shown)
      if (isShown === 'stop') this.unwatch(viewId)
      else if (snapshot !== undefined) shown = isShown === 'shown' ? snapshot : null
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
      const failure = this.#documents.failureOf(projection, documentId)
      return { snapshot, error: failure && wireErrorOf(failure) }
    } catch (error) {
      return { snapshot: undefined, error: wireErrorOf(error) }
    }
  }

  /** Whole, or what is different from what was shown before. */
  async #show(update: ViewUpdate, before: Shown): Promise<'shown' | 'failed' | 'stop'> {
    const { snapshot } = update
    if (snapshot && this.#isFrozen) deepFreeze(snapshot.state)
    try {
      const patch = snapshot && before ? patchOf(before, snapshot) : undefined
      const answer = await this.#page.showView(
        patch === undefined ? update : { ...update, snapshot: { ...snapshot!, state: undefined }, patch },
      )
      if (answer !== 'whole') return answer === 'stop' ? 'stop' : 'shown'
      return (await this.#page.showView(update)) === 'stop' ? 'stop' : 'shown'
    } catch (error) {
      // A state that structured clone refuses, such as one with a function in it.
      const failed = { ...update, snapshot: undefined, error: wireErrorOf(error) }
      return (await this.#page.showView(failed)) === 'stop' ? 'stop' : 'failed'
    }
  }
}

/** What the page shows of a document: the base of the next patch. */
type Shown = Snapshot<unknown> | null

/**
 * Undefined: to be sent whole. The same object after other events may have been changed in place, and then what the page
 * has of it is not what it was.
 */
function patchOf(before: Snapshot<unknown>, after: Snapshot<unknown>): StatePatch | null | undefined {
  const isSameObject = typeof after.state === 'object' && after.state === before.state
  if (isSameObject && after.globalPosition !== before.globalPosition) return undefined
  return patchBetween(before.state, after.state)
}
