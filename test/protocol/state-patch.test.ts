import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { patchBetween, patched } from '../../src/protocol/state-patch.ts'

/** As it comes out of a message. */
const sent = <T>(value: T): T => structuredClone(value)

function shown(before: unknown, after: unknown): unknown {
  return patched(before, sent(patchBetween(before, after)))
}

test('whatever two states are, the patch between them makes the second of the first, with its keys in order', () => {
  const { value } = fc.letrec<{ value: unknown }>(tie => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(0, -0, 1, '', 'a', true, null, undefined, Number.NaN),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c', '1', '2', '10', '__proto__', 'toString'), tie('value'), {
        maxKeys: 5,
        noNullPrototype: true,
      }),
    ),
  }))
  fc.assert(
    fc.property(value, value, (before, after) => {
      const result = shown(before, after)
      expect(result).toStrictEqual(after)
      expect(JSON.stringify(result)).toBe(JSON.stringify(after))
    }),
    { numRuns: 3_000 },
  )
})

describe('a change of one thing among many', () => {
  const items = Array.from({ length: 10_000 }, (_, id) => ({ id, title: `Item ${id}`, tags: ['a', 'b'] }))
  const byId = Object.fromEntries(items.map(item => [`i${item.id}`, item]))

  test.each([
    ['an element of an array', { items }, { items: items.with(4_711, { ...items[4_711]!, title: 'Other' }) }],
    [
      'a property of an object',
      { byId },
      { byId: { ...byId, i4711: { ...byId['i4711']!, title: 'Other' } } },
    ],
    ['one more at the end', { items }, { items: [...items, { id: 1, title: 'New', tags: [] }] }],
    ['one more at the start', { items }, { items: [{ id: 1, title: 'New', tags: [] }, ...items] }],
    ['one less in the middle', { items }, { items: items.toSpliced(5_000, 1) }],
    ['one more by its name', { byId }, { byId: { ...byId, new: { id: 1, title: 'New', tags: [] } } }],
  ])('%s is sent alone, and the others stay the same objects', (_, before, after) => {
    const patch = patchBetween(before, after)
    expect(JSON.stringify(patch).length).toBeLessThan(200)
    const result = patched(before, sent(patch!)) as Record<string, Record<string, unknown>>
    expect(result).toEqual(after)
    const [name] = Object.keys(before) as [string]
    const old = new Set(Object.values((before as typeof result)[name]!))
    const kept = Object.values(result[name]!).filter(value => old.has(value))
    expect(kept.length).toBeGreaterThanOrEqual(9_999)
  })
})

test('what is no plain object is sent whole', () => {
  const before = { when: new Date(0), map: new Map([[1, 2]]) }
  const after = { when: new Date(1), map: new Map([[1, 3]]) }
  expect(shown(before, after)).toEqual(after)
})

test('nothing different is no patch', () => {
  expect(patchBetween({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).toBeNull()
})
