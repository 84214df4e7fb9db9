// Subscriptions: no gap, no double, and an end that is told.

import { describe, expect } from 'vitest'
import type { RecordedEvent } from '../log/event.ts'
import type { EventStore } from '../model/event-store.ts'
import { all, type Behaviour, numbered, numbers } from './event-store-suite.ts'

export function describeSubscriptions(name: string, behaviour: Behaviour): void {
  describe(`${name}: subscriptions`, () => {
    /** Collects events until there are so many. */
    const collector = (count: number) => {
      const events: RecordedEvent[] = []
      let done: () => void
      const complete = new Promise<void>(resolve => {
        done = resolve
      })
      return {
        events,
        complete,
        take: (event: RecordedEvent) => {
          if (events.push(event) >= count) done()
        },
      }
    }

    behaviour('from the start: what there is and what comes, no gap and no double', async store => {
      const got = collector(40)
      await store.appendToStream('a', [numbered(0), numbered(1)])
      const subscription = await store.subscribe(got.take)
      await Promise.all(Array.from({ length: 38 }, (_, i) => store.appendToStream('a', [numbered(i + 2)])))
      await got.complete
      expect(got.events.map(({ metadata }) => metadata.globalPosition)).toEqual(
        Array.from({ length: 40 }, (_, i) => i + 1),
      )
      await subscription.unsubscribe()
    })

    behaviour('from the end, and from behind a position', async store => {
      await store.appendToStream('a', [numbered(1), numbered(2)])
      const late = collector(1)
      const behind = collector(2)
      const subscriptions = [
        await store.subscribe(late.take, { from: 'end' }),
        await store.subscribe(behind.take, { from: 1 }),
      ]
      await store.appendToStream('a', [numbered(3)])
      await Promise.all([late.complete, behind.complete])
      expect(numbers(late.events)).toEqual([3])
      expect(numbers(behind.events)).toEqual([2, 3])
      for (const one of subscriptions) await one.unsubscribe()
    })

    behaviour(
      'of a stream that does not exist yet; what is passed by still moves the position',
      async store => {
        const got = collector(1)
        const subscription = await store.subscribe(got.take, { streamName: 'late' })
        await store.appendToStream('other', [numbered(1), numbered(2)])
        await store.appendToStream('late', [numbered(3)])
        await got.complete
        await expect.poll(() => subscription.position()).toBe(3)
        await store.appendToStream('other', [numbered(4)])
        await expect.poll(() => subscription.position()).toBe(4)
        expect(numbers(got.events)).toEqual([3])
        await subscription.unsubscribe()
      },
    )

    behaviour('says when it has caught up, also in an empty store', async store => {
      const subscription = { current: null as Awaited<ReturnType<EventStore['subscribe']>> | null }
      await new Promise<void>((resolve, reject) => {
        store
          .subscribe(() => {}, { onCaughtUp: resolve })
          .then(s => {
            subscription.current = s
          }, reject)
      })
      await expect.poll(() => subscription.current).not.toBeNull()
      await subscription.current!.unsubscribe()
    })

    behaviour('says when it fell behind, and when it has caught up again', async store => {
      const told: string[] = []
      const got = collector(1500)
      const subscription = await store.subscribe(got.take, {
        onCaughtUp: () => told.push('caught up'),
        onFellBehind: () => told.push('fell behind'),
      })
      await expect.poll(() => told).toEqual(['caught up'])
      await store.appendToStream(
        'a',
        Array.from({ length: 1500 }, (_, i) => numbered(i)),
      )
      await got.complete
      await expect.poll(() => told).toEqual(['caught up', 'fell behind', 'caught up'])
      await subscription.unsubscribe()
    })

    behaviour('a handler that throws ends the subscription with its reason', async store => {
      await store.appendToStream('a', [numbered(1), numbered(2)])
      const seen: number[] = []
      const reason = await new Promise<Error>(resolve => {
        void store.subscribe(
          event => {
            seen.push((event.data as { n: number }).n)
            throw new Error('cannot take this')
          },
          { onDropped: resolve },
        )
      })
      expect(reason.message).toContain('cannot take this')
      expect(seen).toEqual([1])
    })

    behaviour('ends by unsubscribe, twice without harm, and by signal', async store => {
      const controller = new AbortController()
      const seen: number[] = []
      const take = (event: RecordedEvent): void => void seen.push((event.data as { n: number }).n)
      const first = await store.subscribe(take)
      const second = await store.subscribe(take, { signal: controller.signal })
      await first.unsubscribe()
      await first.unsubscribe()
      controller.abort()
      await second.unsubscribe()
      await store.appendToStream('a', [numbered(1)])
      await all(store.readAll())
      expect(seen).toEqual([])
    })
  })
}
