// The stores that are open in this worker: one for each id, for all the pages that have it open.

import type { EventLog } from '../src/engine/event-log.ts'
import { createEventStore } from '../src/engine/event-store.ts'
import type { Followers } from '../src/engine/replay/followers.ts'
import type { Projector } from '../src/engine/replay/projector.ts'
import type { ReadModels } from '../src/engine/replay/read-models.ts'
import { StoreError } from '../src/log/errors.ts'
import type { PageApi, PageValues } from '../src/protocol/worker-api.ts'
import type { IntegrityWatch } from './integrity-watch.ts'
import { Pages } from './pages.ts'
import type { ReplayReports } from './replay-reports.ts'
import { SubscriptionFeeds } from './subscription-feeds.ts'
import type { SyncSwitch } from './sync-role.ts'
import { ViewFeeds } from './view-feeds.ts'

/** An open store with all that stands on it, for all of its pages. */
export type OpenedStore = Readonly<{
  log: EventLog
  projector: Projector
  followers: Followers
  readModels: Pick<ReadModels, 'process'> | null
  replays: ReplayReports
  sync: SyncSwitch
  integrity: IntegrityWatch
  /** Another page has come, with values of its own. */
  joined: (values: PageValues) => void
  close: () => Promise<void>
}>

/** An open store, for one of its pages. */
export type StoreParts = OpenedStore &
  Readonly<{
    views: ViewFeeds
    subscriptions: SubscriptionFeeds
    /** Resolves when the page is let go, and with the last one the store closed. A page that is gone is waited for no more. */
    leave: (isGone: boolean) => Promise<void>
  }>

/** In what two pages do not mean the same store. */
export type Difference = 'database' | 'server' | 'streams'

export type StoreOpener = Readonly<{
  /** @param signal ends an import */
  open: (values: PageValues, pages: Pages, hooks: OpenHooks) => Promise<OpenedStore>
  /** Null where both mean the same store. */
  differenceOf: (one: PageValues, other: PageValues) => Difference | null
}>

export type OpenHooks = Readonly<{
  signal: AbortSignal
  /** The storage ended on its own: who comes from now on opens it again. */
  onLost: () => void
}>

export class StoreHost {
  readonly #opener: StoreOpener
  readonly #stores = new Map<string, HostedStore>()

  constructor(opener: StoreOpener) {
    this.#opener = opener
  }

  /** Opens the store, or joins those that have it open. A log that is begun anew is opened beside the one before. */
  async enter(values: PageValues, page: PageApi, signal: AbortSignal): Promise<StoreParts> {
    const { storeId } = values
    const isBegunAnew = values.restore === true || values.importFrom !== undefined
    const known = isBegunAnew ? undefined : this.#stores.get(storeId)
    if (known) return known.enter(values, page)
    const store: HostedStore = new HostedStore(this.#opener, values, signal, () => {
      if (this.#stores.get(storeId) === store) this.#stores.delete(storeId)
    })
    if (!isBegunAnew) this.#stores.set(storeId, store)
    const parts = await store.enter(values, page)
    if (isBegunAnew) this.#stores.set(storeId, store)
    return parts
  }
}

class HostedStore {
  readonly #opener: StoreOpener
  readonly #values: PageValues
  readonly #opened: Promise<OpenedStore>
  readonly #pages = new Pages()
  /** From now on nobody joins it. */
  readonly #retire: () => void

  constructor(opener: StoreOpener, values: PageValues, signal: AbortSignal, retire: () => void) {
    this.#opener = opener
    this.#values = values
    this.#retire = retire
    // Behind this tick: the page that opens it is asked meanwhile.
    this.#opened = Promise.resolve().then(() => opener.open(values, this.#pages, { signal, onLost: retire }))
  }

  /** @throws what opening threw; `worker-mismatch` for a page that means another database or server. */
  async enter(values: PageValues, page: PageApi): Promise<StoreParts> {
    const difference = this.#opener.differenceOf(this.#values, values)
    if (difference) throw otherStore(values.storeId, difference)
    this.#pages.add(page)
    try {
      const opened = await this.#opened
      opened.joined(values)
      return this.#partsFor(page, opened, values)
    } catch (error) {
      this.#pages.remove(page)
      this.#retire()
      throw error
    }
  }

  #partsFor(page: PageApi, opened: OpenedStore, { freeze }: PageValues): StoreParts {
    const { log, projector } = opened
    const views = new ViewFeeds(projector, page, freeze)
    const subscriptions = new SubscriptionFeeds(createEventStore(log), () => log.head(), page)
    let leaving: Promise<void> | null = null
    return {
      ...opened,
      views,
      subscriptions,
      leave: isGone => {
        views.close()
        subscriptions.close()
        leaving ??= this.#leave(page, opened)
        if (isGone) this.#pages.remove(page)
        return leaving
      },
    }
  }

  /** The last page closes the store, and is asked until that is done: it may have to keep something. */
  async #leave(page: PageApi, opened: OpenedStore): Promise<void> {
    if (this.#pages.size === 1) {
      this.#retire()
      await opened.close()
    }
    this.#pages.remove(page)
  }
}

function otherStore(storeId: string, difference: Difference): StoreError {
  return new StoreError(
    'worker-mismatch',
    `Another page has this store open in the same shared worker, with ${OTHER[difference]}: close it, or start a SharedWorker with another name`,
    { storeId, difference },
  )
}

const OTHER: Readonly<Record<Difference, string>> = {
  database: 'another database',
  server: 'another server',
  streams: 'another choice of streams',
}
