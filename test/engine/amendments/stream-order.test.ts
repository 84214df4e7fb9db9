// Places come to the same as taking events out of a list and putting them in.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StreamOrder } from '../../../src/engine/amendments/stream-order.ts'
import { newVersionIn, type OrderChange } from '../../../src/log/amendment.ts'
import { changeList, type ListChange } from './list-order.ts'

/** Versions in the order in which they count. */
const flat = (order: StreamOrder, head: number): number[] =>
  Array.from({ length: head }, (_, i) => order.at(i + 1)).flat()

function changeOf(change: OrderChange): ListChange<number> {
  const { kind, version: item } = change
  if (kind === 'replace') return { kind, item, by: change.by }
  return kind === 'remove' ? { kind, item } : { kind, item, after: change.after || null }
}

type Wish = Readonly<{ kind: OrderChange['kind']; one: number; other: number }>

/** What an amendment behind `head` may say; it stands at `end`, behind the events that it puts in. */
function changesOf(wishes: readonly Wish[], head: number): { changes: OrderChange[]; end: number } {
  let next = head + 1
  const changes = wishes.flatMap<OrderChange>(({ kind, one, other }) => {
    const after = other % next
    if (kind === 'insert') return { kind, version: next++, after }
    if (next === 1) return []
    const version = 1 + (one % (next - 1))
    if (kind === 'replace') return { kind, version, by: next++ }
    if (kind === 'remove') return { kind, version }
    return after === version ? [] : { kind, version, after }
  })
  return { changes, end: next }
}

test('whatever is changed, the order and what has no effect are those of a list', () => {
  const seen = { without: 0, crowded: 0 }
  const wish = fc.record({
    kind: fc.constantFrom<Wish['kind']>('insert', 'replace', 'remove', 'move', 'move'),
    one: fc.nat(60),
    other: fc.nat(60),
  })
  const step = fc.record({ events: fc.nat(4), wishes: fc.array(wish, { minLength: 1, maxLength: 6 }) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), steps => {
      const order = new StreamOrder()
      const list: number[] = []
      let head = 0
      for (const { events, wishes } of steps) {
        for (let i = 0; i < events; i++) list.push(++head)
        const { changes, end } = changesOf(wishes, head)
        while (head < end - 1) list.push(++head)
        head = end
        order.leaveOut(end)
        const added = new Set(changes.map(newVersionIn))
        for (const change of changes) {
          const before = Array.from({ length: head }, (_, i) => order.at(i + 1))
          const touched = order.apply(change)
          expect(touched !== null).toBe(changeList(list, changeOf(change)))
          expect(flat(order, head)).toEqual(list)
          if (touched === null) seen.without++
          for (let place = 1; place <= head; place++) {
            const isTold = touched?.includes(place) || added.has(place)
            if (!isTold) expect(order.at(place)).toEqual(before[place - 1])
            if (order.at(place).length > 2) seen.crowded++
          }
        }
        for (let version = 1; version <= head; version++) {
          const place = order.placeOf(version)
          expect(place !== null).toBe(list.includes(version))
          if (place !== null) expect(order.at(place)).toContain(version)
        }
      }
    }),
    { numRuns: 1_000 },
  )
  expect(seen.without).toBeGreaterThan(500)
  expect(seen.crowded).toBeGreaterThan(500)
})

describe('of five events', () => {
  const HEAD = 9
  const ordered = (...changes: OrderChange[]) => {
    const order = new StreamOrder()
    for (let version = 6; version <= HEAD; version++) order.leaveOut(version)
    const touched = changes.map(change => order.apply(change))
    return { order: flat(order, HEAD), touched }
  }

  test.each<[string, OrderChange, number[], number[]]>([
    ['one put in', { kind: 'insert', version: 6, after: 2 }, [1, 2, 6, 3, 4, 5], [2]],
    ['one put in at the beginning', { kind: 'insert', version: 6, after: 0 }, [6, 1, 2, 3, 4, 5], [1]],
    ['one put in at the end', { kind: 'insert', version: 6, after: 5 }, [1, 2, 3, 4, 5, 6], [5]],
    ['one replaced', { kind: 'replace', version: 2, by: 6 }, [1, 6, 3, 4, 5], [2]],
    ['one removed', { kind: 'remove', version: 5 }, [1, 2, 3, 4], [5]],
    ['one moved back', { kind: 'move', version: 4, after: 1 }, [1, 4, 2, 3, 5], [4, 1]],
    ['one moved on', { kind: 'move', version: 2, after: 4 }, [1, 3, 4, 2, 5], [2, 4]],
    ['one moved to the beginning', { kind: 'move', version: 3, after: 0 }, [3, 1, 2, 4, 5], [3, 1]],
    ['one moved where it is', { kind: 'move', version: 3, after: 2 }, [1, 2, 3, 4, 5], [3, 2]],
  ])('%s', (_, change, expected, touched) => {
    expect(ordered(change)).toEqual({ order: expected, touched: [touched] })
  })

  test.each<[string, OrderChange]>([
    ['removed twice', { kind: 'remove', version: 2 }],
    ['moved', { kind: 'move', version: 2, after: 4 }],
    ['replaced', { kind: 'replace', version: 2, by: 6 }],
    ['stood behind', { kind: 'insert', version: 6, after: 2 }],
    ['gone behind', { kind: 'move', version: 4, after: 2 }],
  ])('one that is removed cannot be %s', (_, change) => {
    expect(ordered({ kind: 'remove', version: 2 }, change).touched).toEqual([[2], null])
  })

  test('one that was put in can be moved, replaced and removed, and others stand behind it', () => {
    const insert: OrderChange = { kind: 'insert', version: 6, after: 1 }
    expect(ordered(insert, { kind: 'insert', version: 7, after: 6 }).order).toEqual([1, 6, 7, 2, 3, 4, 5])
    expect(ordered(insert, { kind: 'move', version: 6, after: 4 }).order).toEqual([1, 2, 3, 4, 6, 5])
    expect(ordered(insert, { kind: 'replace', version: 6, by: 7 }).order).toEqual([1, 7, 2, 3, 4, 5])
    expect(ordered(insert, { kind: 'remove', version: 6 }).order).toEqual([1, 2, 3, 4, 5])
  })

  test('what stands behind one that goes stays where it is', () => {
    const insert: OrderChange = { kind: 'insert', version: 6, after: 2 }
    expect(ordered(insert, { kind: 'remove', version: 2 }).order).toEqual([1, 6, 3, 4, 5])
    expect(ordered(insert, { kind: 'move', version: 2, after: 5 }).order).toEqual([1, 6, 3, 4, 5, 2])
    expect(ordered(insert, { kind: 'remove', version: 1 }, { kind: 'remove', version: 2 }).order).toEqual([
      6, 3, 4, 5,
    ])
  })

  test('one comes back to its own place', () => {
    const there: OrderChange = { kind: 'move', version: 2, after: 5 }
    expect(ordered(there, { kind: 'move', version: 2, after: 1 }).order).toEqual([1, 2, 3, 4, 5])
  })
})
