// Raw IndexedDB in the same round: what says how fast the machine was when the other figures were taken.

import { fold, makeEvents, NOTHING } from '../events.ts'
import { assertFolded } from '../expected-fold.ts'
import type { Measurement } from '../measurement.ts'
import type { ScenarioContext } from '../scenario.ts'
import type { BenchEvent, Folded } from '../subject.ts'
import { openBareStore } from './bare-store.ts'
import { perSecond, timed } from './clock.ts'
import { batchesOf } from './store.ts'

const EVENTS = 10_000

export async function measureReference({ scaled }: ScenarioContext): Promise<Measurement[]> {
  const name = `reference-${Date.now()}`
  const count = scaled(EVENTS)
  const batches = batchesOf(makeEvents(0, count))
  const written = await openBareStore(name)
  const appendMs = await timed(async () => {
    for (const batch of batches) await written.put(batch)
  })
  written.close()
  const reopened = await openBareStore(name)
  let folded: Folded = NOTHING
  const replayMs = await timed(async () => {
    folded = ((await reopened.getAll()) as BenchEvent[]).reduce(fold, NOTHING)
  })
  reopened.close()
  assertFolded(folded, count)
  return [
    { name: 'append', unit: 'events/s', value: perSecond(count, appendMs) },
    { name: 'replay', unit: 'events/s', value: perSecond(count, replayMs), against: 'replay' },
  ]
}
