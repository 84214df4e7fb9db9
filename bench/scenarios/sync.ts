// To the demo's server on the same machine and back: pushed by one device, pulled by a second one.

import type { Measurement } from '../measurement.ts'
import { perSecond, timed } from '../page/clock.ts'
import {
  assertFolded,
  importEvents,
  openBenchStore,
  openSecondDevice,
  type Store,
  withStore,
} from '../page/store.ts'
import type { Scenario } from '../scenario.ts'

const EVENTS = 100_000

export const scenario: Scenario = {
  title: 'Sync',
  rounds: 3,
  needsServer: true,
  async measure({ round, scaled, syncUrl }) {
    const count = scaled(EVENTS)
    const storeId = `bench-${round}`
    await withStore(storeId, store => importEvents(store, count))
    const figures: Measurement[] = []
    for (const [name, open] of [
      ['pushed to the server', openBenchStore],
      ['pulled by a second device', openSecondDevice],
    ] as const) {
      const store = await open(storeId, syncUrl)
      const ms = await timed(() => confirmed(store, count))
      assertFolded(await store.projection('total').get('all'), count)
      await store.close()
      figures.push({ name, unit: 'events/s', value: perSecond(count, ms) })
    }
    return figures
  },
}

/** Resolves when everything is on this device and confirmed by the server. */
async function confirmed(store: Store, events: number): Promise<void> {
  const status = store.sync.status()
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      const { pending, serverPosition, error } = status.getSnapshot()
      if (error) reject(new Error(error.message))
      if (pending > 0 || serverPosition < events) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = status.subscribe(look)
    look()
  })
}
