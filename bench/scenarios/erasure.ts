// Erasing: one event, and all events of a subject, in a log of 100,000.

import { makeEvents } from '../events.ts'
import { timed } from '../page/clock.ts'
import { assertFolded, batchesOf, withStore } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'
import { streamRuns } from '../stream-runs.ts'

const EVENTS = 100_000
const SUBJECTS = 100
const SINGLE = 20

export const scenario: Scenario = {
  title: 'Erasure',
  rounds: 3,
  async measure({ round, scaled }) {
    const events = makeEvents(0, scaled(EVENTS))
    const subjectOf = new Map(events.map(({ id }, i) => [id, `customer-${i % SUBJECTS}`]))
    return withStore(`erasure-${round}`, async store => {
      for (const batch of batchesOf(events)) {
        const runs = streamRuns(batch).map(run => ({
          ...run,
          events: run.events.map(event => ({ ...event, metadata: { subject: subjectOf.get(event.id)! } })),
        }))
        await store.appendToStreams(runs)
      }
      const single = events.filter(({ id }) => subjectOf.get(id) === 'customer-1').slice(0, SINGLE)
      const singleMs = await timed(async () => {
        for (const { id } of single) await store.eraseEvent(id)
      })
      let erased = 0
      const subjectMs = await timed(async () => {
        erased = (await store.eraseSubject('subject', 'customer-0')).eventIds.length
      })
      assertFolded(await store.projection('total').get('all'), events.length - single.length - erased)
      return [
        { name: 'one event', unit: 'ms', value: singleMs / single.length },
        { name: 'all of a subject, one event in a hundred', unit: 'ms', value: subjectMs },
      ]
    })
  },
}
