import { describe, expect, test } from 'vitest'
import { type LaneRow, lanesOf } from '../../demo/src/timeline/lanes.ts'

/** Newest first, such as `board 3` or `card 2 pending`. */
const lanes = (...events: string[]): LaneRow[] =>
  lanesOf(
    events.map(event => {
      const [streamName, version, status] = event.split(' ')
      return {
        streamName: streamName!,
        streamVersion: Number(version),
        status: status === 'pending' ? 'pending' : 'confirmed',
      }
    }),
    'board',
  )

const [solid, dashed] = [
  (lane: number) => ({ lane, isPending: false }),
  (lane: number) => ({ lane, isPending: true }),
]

describe('lanes of the timeline', () => {
  test('lead from each event down to the one before it in its stream', () => {
    expect(lanes('board 2', 'board 1')).toEqual([
      { lane: 0, above: [], below: [solid(0)] },
      { lane: 0, above: [solid(0)], below: [] },
    ])
  })

  test('lead past the end of the list where earlier events are not shown', () => {
    expect(lanes('board 7')).toEqual([{ lane: 0, above: [], below: [solid(0)] }])
  })

  test('pass by the events of other streams', () => {
    const [, card, between] = lanes('board 2', 'card 2', 'board 1', 'card 1')
    expect(card).toEqual({ lane: 1, above: [solid(0)], below: [solid(0), solid(1)] })
    expect(between).toEqual({ lane: 0, above: [solid(0), solid(1)], below: [solid(1)] })
  })

  test('are dashed where the later event is pending', () => {
    const [pending, confirmed] = lanes('board 2 pending', 'board 1')
    expect(pending!.below).toEqual([dashed(0)])
    expect(confirmed!.above).toEqual([dashed(0)])
  })

  test('are free again above the newest event of a stream', () => {
    expect(lanes('later 1', 'card 1').map(({ lane }) => lane)).toEqual([1, 1])
    expect(lanes('later 1', 'card 2', 'later2 1', 'card 1').map(({ lane }) => lane)).toEqual([1, 1, 2, 1])
  })

  test('stay where they are when an event comes in above', () => {
    const before = lanes('board 3', 'card 1', 'board 2')
    const after = lanes('other 1', 'board 3', 'card 1', 'board 2')
    expect(after.slice(1).map(({ lane }) => lane)).toEqual(before.map(({ lane }) => lane))
  })

  test('are shared when there are more streams than lanes', () => {
    const events = ['a 2', 'b 2', 'c 2', 'c 1', 'b 1', 'a 1']
    expect(Math.max(...lanes(...events).map(({ lane }) => lane))).toBe(2)
  })
})
