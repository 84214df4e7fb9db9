// A next release of the app, with one handler changed: what is folded again of the history when it opens the store.

import type { ReplayReport, StoreClient } from 'streamdingo'
import { Cell } from '../cell.ts'
import { ACTIVITY_ID, type Activity, type Release } from '../domain/activity.ts'
import type { DemoApp } from '../domain/app.ts'
import type { Parts } from '../parts.ts'

export type Replayed = Readonly<{
  activity: Activity | null
  /** What was folded to show it since the page was opened; null where there was nothing to fold from. */
  report: ReplayReport | null
}>

export class Replaying extends Cell<Replayed> {
  readonly #parts: Pick<Parts, 'store' | 'replica' | 'notices'>

  constructor(parts: Pick<Parts, 'store' | 'replica' | 'notices'>) {
    super({ activity: null, report: null })
    this.#parts = parts
    const { store, notices } = parts
    const view = store.view('activity', ACTIVITY_ID)
    view.subscribe(() => {
      this.#show(view.getSnapshot()?.state ?? null).catch(error => notices.error(error))
    })
  }

  get release(): Release {
    return this.#parts.replica.release
  }

  /** Closed first, so that what is folded now is kept. */
  async open(release: Release): Promise<void> {
    const { store, notices } = this.#parts
    try {
      await store.close()
      const address = new URL(location.href)
      address.searchParams.delete('release')
      if (release) address.searchParams.set('release', release)
      location.assign(address)
    } catch (error) {
      notices.error(error)
    }
  }

  async #show(activity: Activity | null): Promise<void> {
    const report = this.getSnapshot().report ?? (await reportOf(this.#parts.store))
    this.set({ activity, report })
  }
}

async function reportOf(store: StoreClient<DemoApp>): Promise<ReplayReport | null> {
  const reports = await store.replayReports()
  return reports.find(({ name }) => name === 'activity') ?? null
}
