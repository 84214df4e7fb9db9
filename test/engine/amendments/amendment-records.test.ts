// What is asked of the order of a log that is amended and rebased: the same as all records, looked through, would say.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AmendmentRecord } from '../../../src/engine/amendments/amendment-records.ts'
import { EffectiveOrder } from '../../../src/engine/amendments/effective-order.ts'

const STREAMS = ['a', 'b', 'c']
/** Where the places of each stream stand in the log. */
const newOrder = () =>
  new EffectiveOrder({
    positionAt: (streamName, version) => version * STREAMS.length + STREAMS.indexOf(streamName),
    versionAt: (streamName, position) => (position - STREAMS.indexOf(streamName)) / STREAMS.length,
  })

const countsAt = ({ position, supersededAt }: AmendmentRecord, at: number): boolean =>
  position <= at && (supersededAt === null || supersededAt > at)

function firstOf(records: readonly AmendmentRecord[]): number {
  return Math.min(Infinity, ...records.flatMap(({ touched }) => (touched ? [touched.first] : [])))
}

function lastOf(records: readonly AmendmentRecord[]): number {
  return Math.max(0, ...records.flatMap(({ touched }) => (touched ? [touched.last] : [])))
}

const placesOf = (order: EffectiveOrder, streamName: string) =>
  Array.from({ length: 9 }, (_, i) => order.orderOf(streamName)?.at(i + 1))

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('take' as const),
      streamName: fc.constantFrom(...STREAMS),
      version: fc.integer({ min: 1, max: 9 }),
      after: fc.integer({ min: 0, max: 9 }),
    }),
  },
  fc.record({ type: fc.constant('supersede' as const), last: fc.integer({ min: 1, max: 12 }) }),
)

describe('the order of a log', () => {
  test('knows what changed, and where, of each stream and of all', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), steps => {
        const order = newOrder()
        let head = 100
        for (const one of steps) {
          head++
          if (one.type === 'supersede') order.supersede(head - one.last, head - 1, head)
          else {
            const { streamName, version, after } = one
            order.take({
              streamName,
              position: head,
              version: head,
              changes: [{ kind: 'move', version, after }],
            })
          }
          // Asked for all the time: what is remembered of an answer must not outlive it.
          expectSame(order, head)
        }
        const restored = newOrder()
        restored.restore(JSON.parse(JSON.stringify(order.records)))
        expect(restored.records).toEqual(order.records)
        expectSame(restored, head)
        for (const streamName of STREAMS) {
          expect(placesOf(restored, streamName)).toEqual(placesOf(order, streamName))
        }
      }),
      { numRuns: 50 },
    )
  })

  function expectSame(order: EffectiveOrder, head: number): void {
    const marks = [0, 100, head - 7, head - 2, head].filter(mark => mark >= 0)
    for (const streamName of [...STREAMS, 'never amended', null]) {
      const records = order.records.filter(one => streamName === null || one.streamName === streamName)
      const counting = records.filter(one => one.supersededAt === null)
      const at = Math.max(0, ...records.map(one => one.supersededAt ?? one.position))
      expect(order.changedAt(streamName)).toBe(at)
      expect(order.firstChanged(streamName)).toBe(firstOf(counting))
      if (streamName !== null) expect(order.countingOf(streamName)).toEqual(counting)
      for (const from of marks) {
        const behind = counting.filter(({ position }) => position > from)
        expect(order.settledThrough(from, streamName)).toBe(Math.min(from, firstOf(behind) - 1))
        for (const to of marks) {
          const changed = records.filter(one => countsAt(one, from) !== countsAt(one, to))
          const range = { first: firstOf(changed), last: lastOf(changed) }
          expect(order.changedBetween(from, to, streamName)).toEqual(range)
        }
      }
    }
  }

  test('is that of the recorded stream again where all that amended it is superseded', () => {
    const order = newOrder()
    expect(order.isEmpty).toBe(true)
    order.take({
      streamName: 'a',
      position: 101,
      version: 9,
      changes: [{ kind: 'move', version: 2, after: 0 }],
    })
    expect(order.orderOf('a')!.at(1)).toEqual([2, 1])
    expect(order.orderOf('b')).toBeNull()
    expect(order.supersede(100, 102, 103)).toEqual({ first: 3, last: 6 })
    expect(order.orderOf('a')).toBeNull()
    expect(order.isEmpty).toBe(false)
    expect(order.supersede(100, 103, 104)).toBeNull()
  })
})
