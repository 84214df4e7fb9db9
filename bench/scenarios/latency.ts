// Single appends, each waited for before the next one: how long until one is accepted, and until it is persisted.

import { makeEvents } from '../events.ts'
import type { Measurement } from '../measurement.ts'
import { openBareStore } from '../page/bare-store.ts'
import { timed } from '../page/clock.ts'
import { withStore } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'
import { percentile } from '../statistics.ts'

const APPENDS = 2_000
/** Left out: code that runs for the first time is slower. */
const WARM_UP = 100

export const scenario: Scenario = {
  title: 'One append after the other',
  onBothBackends: true,
  async measure({ round, scaled }) {
    const events = makeEvents(0, WARM_UP + scaled(APPENDS))
    const accepted: number[] = []
    const persisted: number[] = []
    const bare: number[] = []
    const bareStore = await openBareStore(`bare-${round}`)
    await withStore(`latency-${round}`, async store => {
      // Taking turns, both meet the same machine.
      for (const { id, stream, type, data } of events) {
        const start = performance.now()
        const onAccepted = (): void => void accepted.push(performance.now() - start)
        await store.appendToStream(stream, [{ id, type, data }], { onAccepted })
        persisted.push(performance.now() - start)
        bare.push(await timed(() => bareStore.put([data])))
      }
    })
    bareStore.close()
    if (accepted.length !== events.length) throw new Error(`${accepted.length} of ${events.length} accepted`)
    return [
      ...percentiles('accepted', accepted),
      ...percentiles('persisted', persisted, bare),
      ...percentiles('a bare put, one relaxed transaction', bare).map(put => ({
        ...put,
        subject: 'raw IndexedDB',
      })),
    ]
  },
}

function percentiles(name: string, times: readonly number[], floors?: readonly number[]): Measurement[] {
  return [50, 95, 99].map(percent => ({
    name: `${name}, p${percent}`,
    unit: 'ms',
    value: percentile(times.slice(WARM_UP), percent),
    ...(floors && { floor: percentile(floors.slice(WARM_UP), percent) }),
  }))
}
