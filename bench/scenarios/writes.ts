// Events from the page into the log, as fast as they go.

import { makeEvents } from '../events.ts'
import { perSecond, timed } from '../page/clock.ts'
import { appendFloor, measureFloors } from '../page/floors.ts'
import { assertFolded, importEvents, type Store, withStore } from '../page/store.ts'

import type { Scenario } from '../scenario.ts'
import type { BenchEvent } from '../subject.ts'

const BATCHED = 100_000
const SINGLE = 10_000
/** So often before the engine has optimised the code of the worker, which is a new one in each round. */
const WARM_UP = 5

export const scenario: Scenario = {
  title: 'Append',
  onBothBackends: true,
  async measure({ round, scaled }) {
    const batched = scaled(BATCHED)
    const batchedMs = await withStore(`batched-${round}`, async store => {
      const ms = await importEvents(store, batched)
      assertFolded(await store.projection('total').get('all'), batched)
      return ms
    })
    const single = scaled(SINGLE)
    const singleMs = await withStore(`single-${round}`, async store => {
      const ms: number[] = []
      for (let i = 0; i <= WARM_UP; i++) ms.push(await appendSingly(store, makeEvents(i * single, single)))
      assertFolded(await store.projection('total').get('all'), single * ms.length)
      return ms
    })
    const floor = appendFloor(await measureFloors(scaled(BATCHED)))
    return [
      {
        name: 'in batches of 1,000, four in flight, persisted',
        unit: 'events/s',
        value: perSecond(batched, batchedMs),
        floor,
      },
      {
        name: '10,000 single appends, none waited for, persisted',
        unit: 'events/s',
        value: perSecond(single, singleMs[0]!),
        floor,
      },
      {
        name: '10,000 single appends, the same worker after 50,000',
        unit: 'events/s',
        value: perSecond(single, singleMs.at(-1)!),
        floor,
      },
    ]
  },
}

function appendSingly(store: Store, events: readonly BenchEvent[]): Promise<number> {
  return timed(() =>
    Promise.all(
      events.map(({ id, stream, type, data }) => store.appendToStream(stream, [{ id, type, data }])),
    ),
  )
}
