import fc from 'fast-check'
import { expect, test } from 'vitest'
import { utf8 } from '../../src/log/bytes.ts'
import { InvalidEvent } from '../../src/log/errors.ts'
import { jsonTextOf, MAX_JSON_DEPTH, nestsTooDeep } from '../../src/log/json-text.ts'

const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])

test('takes every JSON value and gives text that reads back to it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6, noUnicodeString: false }), value => {
      fc.pre(!holdsMinusZero(value))
      expect(JSON.parse(jsonTextOf(value, 'data'))).toEqual(value)
    }),
  )
})

/** JSON writes it as 0. */
function holdsMinusZero(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0)
  return Object.values(value).some(holdsMinusZero)
}

test('refuses nesting over the bound and takes nesting up to it', () => {
  expect(jsonTextOf(nested(MAX_JSON_DEPTH), 'data')).toHaveLength(MAX_JSON_DEPTH * 2 + 1)
  expect(() => jsonTextOf(nested(MAX_JSON_DEPTH + 1), 'data')).toThrow(InvalidEvent)
})

test('takes plain objects without a prototype and refuses what pretends to be plain', () => {
  expect(jsonTextOf(Object.assign(Object.create(null), { a: 1 }), 'data')).toBe('{"a":1}')
  expect(() => jsonTextOf({ toJSON: () => 7 }, 'data')).toThrow(InvalidEvent)
  expect(() => jsonTextOf(new (class Money {})(), 'data')).toThrow(/Money/)
  expect(() => jsonTextOf(new Uint8Array(2), 'data')).toThrow(/Uint8Array/)
})

test('names the path of a key that is no text', () => {
  expect(() => jsonTextOf({ a: { 'b\ud800': 1 } }, 'data')).toThrow(InvalidEvent)
})

test('sees depth in bytes without parsing them, and is not misled by strings', () => {
  expect(nestsTooDeep(utf8('['.repeat(20_000)))).toBe(true)
  expect(nestsTooDeep(utf8(`"${'['.repeat(20_000)}"`))).toBe(false)
  expect(nestsTooDeep(utf8(`"\\"${'['.repeat(20_000)}"`))).toBe(false)
  expect(nestsTooDeep(utf8(`["\\\\",${'['.repeat(70)}`))).toBe(true)
  expect(nestsTooDeep(utf8(JSON.stringify(nested(MAX_JSON_DEPTH))))).toBe(false)
})
