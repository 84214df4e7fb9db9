import { expect, test } from 'vitest'
import { deepFreeze } from '../../src/model/deep-freeze.ts'

test('all that is in a value is frozen, but for bytes, which cannot be', () => {
  const value = { list: [{ n: 1 }], bytes: new Uint8Array(2), none: null }
  expect(deepFreeze(value)).toBe(value)
  expect(() => value.list.push({ n: 2 })).toThrow(TypeError)
  expect(() => {
    value.list[0]!.n = 2
  }).toThrow(TypeError)
  value.bytes[0] = 1
  expect(value.bytes[0]).toBe(1)
})
