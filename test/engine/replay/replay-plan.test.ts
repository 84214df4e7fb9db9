import { describe, expect, test } from 'vitest'
import type { PlaceRange } from '../../../src/engine/amendments/amendment-records.ts'
import { changedTypes, earlyEnds, isMadeBy } from '../../../src/engine/replay/replay-plan.ts'

type Types = Readonly<Record<string, readonly [last: number, handler: string | null]>>

const snapshotAt = (position: number, types: Types, base = 'b', amendedAt = 0) => ({
  position,
  amendedAt,
  base,
  types: Object.entries(types).map(([type, [last, handler]]) => [type, last, handler] as const),
})
const codeOf = (handlers: Readonly<Record<string, string>>, base = 'b') => ({
  id: '',
  base,
  hashOf: (type: string) => handlers[type] ?? null,
  isWeak: false,
})
const TODAY = codeOf({ A: 'a', B: 'b2' })
const ends = (...ahead: ReturnType<typeof snapshotAt>[]) => endsAfter({ first: Infinity, last: 0 }, ...ahead)

/** At 100, the order was amended at places from first to last. */
const endsAfter = (range: PlaceRange, ...ahead: ReturnType<typeof snapshotAt>[]) =>
  earlyEnds(ahead, {
    code: TODAY,
    amendedAt: range.last > 0 ? 100 : 0,
    changedBetween: (from, to) => (from === to ? { first: Infinity, last: 0 } : range),
  }).map(({ at, to }) => [at.position, to.map(({ position }) => position)])

describe('a snapshot holds', () => {
  test.each([
    ['with the same handlers', snapshotAt(9, { A: [9, 'a'] }), []],
    ['not with another handler', snapshotAt(9, { A: [9, 'a'], B: [4, 'b1'] }), ['B']],
    ['with a type that nothing handled and nothing handles', snapshotAt(9, { X: [3, null] }), []],
    ['not with a type that was passed by and is handled', snapshotAt(9, { A: [9, null] }), ['A']],
    ['not with a type that was handled and is passed by', snapshotAt(9, { X: [9, 'x'] }), ['X']],
    ['not with another base', snapshotAt(9, { A: [9, 'a'] }, 'other'), null],
  ])('%s', (_, snapshot, changed) => {
    expect(changedTypes(snapshot, TODAY)).toEqual(changed)
    expect(isMadeBy(snapshot, TODAY)).toBe(changed?.length === 0)
  })
})

describe('folding may end early', () => {
  test('at a snapshot behind the last event of a changed type, and what comes behind on the same way is right', () => {
    const ahead = [5, 20, 30].map(position => snapshotAt(position, { A: [position, 'a'], B: [5, 'b1'] }))
    expect(ends(...ahead)).toEqual([
      [5, [20, 30]],
      [20, [30]],
    ])
  })

  test('not while an event of a changed type lies ahead', () => {
    expect(
      ends(
        snapshotAt(5, { A: [4, 'a'], B: [5, 'b1'] }),
        snapshotAt(20, { A: [20, 'a'], B: [12, 'b1'] }),
        snapshotAt(30, { A: [30, 'a'], B: [12, 'b1'] }),
      ),
    ).toEqual([[20, [30]]])
  })

  test('not where another code made what is behind, unless it makes what is before, too', () => {
    expect(
      ends(snapshotAt(5, { A: [4, 'a'], B: [5, 'b1'] }), snapshotAt(20, { A: [20, 'a'], B: [5, 'b0'] })),
    ).toEqual([])
    expect(
      ends(
        snapshotAt(5, { A: [4, 'old'], B: [5, 'b1'] }),
        snapshotAt(20, { A: [4, 'old'], B: [5, 'b1'], X: [20, null] }),
      ),
    ).toEqual([[5, [20]]])
  })

  test('not where what counts for every event is another one', () => {
    expect(ends(snapshotAt(5, { A: [5, 'a'] }, 'other'), snapshotAt(20, { A: [20, 'a'] }, 'other'))).toEqual(
      [],
    )
    expect(ends(snapshotAt(5, { A: [5, 'a'] }, 'other'), snapshotAt(20, { A: [20, 'a'] }))).toEqual([])
  })
})

describe('where the order was amended, folding may end early', () => {
  const made = (position: number, amendedAt = 0) =>
    snapshotAt(position, { A: [position, 'a'] }, 'b', amendedAt)
  const old = [5, 20, 30].map(position => made(position))

  test('behind the last place that was touched', () => {
    expect(endsAfter({ first: 4, last: 5 }, ...old)).toEqual([
      [5, [20, 30]],
      [20, [30]],
    ])
    expect(endsAfter({ first: 4, last: 12 }, ...old)).toEqual([[20, [30]]])
  })

  test('not while a place that was touched lies ahead', () => {
    expect(endsAfter({ first: 4, last: 25 }, ...old)).toEqual([])
    expect(endsAfter({ first: 4, last: 99 }, ...old)).toEqual([])
  })

  test('not from one order to the other, unless they are the same up to there', () => {
    expect(endsAfter({ first: 4, last: 5 }, made(5, 100), made(20))).toEqual([])
    expect(endsAfter({ first: 4, last: 5 }, made(5), made(20, 100))).toEqual([])
    expect(endsAfter({ first: 6, last: 8 }, made(5), made(20, 100))).toEqual([[5, [20]]])
  })

  test('not where a handler changed, too, and its type lies ahead', () => {
    const changed = [5, 20, 30].map(position => snapshotAt(position, { B: [20, 'b1'] }))
    expect(endsAfter({ first: 4, last: 5 }, ...changed)).toEqual([[20, [30]]])
  })
})
