// The behaviour every EventStore has to show, wherever its log is kept and whatever port lies between.

import { describe, expect } from 'vitest'
import { newEventId } from '../log/event-id.ts'
import { describeAmending } from './amending-contract.ts'
import { describeAmendmentRefusals } from './amendment-refusals-contract.ts'
import { describeAppending } from './appending-contract.ts'
import { behaviourOf, numbered, numbers, type OpenStore } from './event-store-suite.ts'
import { describePayloads } from './payloads-contract.ts'
import { describeProofs } from './proofs-contract.ts'
import { describeReading } from './reading-contract.ts'
import { describeSubscriptions } from './subscriptions-contract.ts'

export type { OpenStore } from './event-store-suite.ts'

/** Runs the suite; `freshLog` is called for each test and says how to open a store on a log of its own. */
export function describeEventStore(name: string, freshLog: () => OpenStore): void {
  const behaviour = behaviourOf(freshLog)
  describeAppending(name, behaviour)
  describeReading(name, behaviour)
  describeAmending(name, behaviour)
  describeAmendmentRefusals(name, behaviour)
  describeProofs(name, behaviour)
  describePayloads(name, behaviour)
  describeSubscriptions(name, behaviour)

  describe(`${name}: across reopening`, () => {
    behaviour('keeps streams, versions, ids and the chain', async (store, reopen) => {
      const id = newEventId()
      const events = [numbered(1, id), numbered(2)]
      const first = await store.appendToStream('a', events, { expectedStreamVersion: 0 })
      const again = await reopen()
      expect(numbers((await again.readStream('a')).events)).toEqual([1, 2])
      const retried = await again.appendToStream('a', [numbered(1, id)], { expectedStreamVersion: 0 })
      expect(retried).toMatchObject({ idempotent: true })
      const next = await again.appendToStream('a', [numbered(3)], { expectedStreamVersion: 2 })
      expect(next.lastEventGlobalPosition).toBe(3)
      const [third] = (await again.readStream('a', { from: 3 })).events
      expect(third!.metadata.previousHash).toBe(first.headHash)
      expect(await again.verify()).toMatchObject({ ok: true, events: 3, headPosition: 3 })
    })
  })
}
