import { describe, expect, test } from 'vitest'
import { isWithin, streamMatcher } from '../../src/log/stream-pattern.ts'

test('a pattern is a whole name, or the beginning of names', () => {
  const matches = streamMatcher(['settings', 'cart-*'])
  expect(['settings', 'cart-1', 'cart-'].map(matches)).toEqual([true, true, true])
  expect(['settings-1', 'Cart-1', 'xcart-1', 'cart'].map(matches)).toEqual([false, false, false, false])
})

test.each(['a*b', '*a', '**'])('%s is no pattern', pattern => {
  expect(() => streamMatcher([pattern])).toThrow(TypeError)
})

describe('what lies within', () => {
  test.each([
    [['cart-1'], ['cart-*']],
    [['cart-1*'], ['cart-*']],
    [['cart-*'], ['cart-*']],
    [
      ['a', 'b*'],
      ['b*', 'a'],
    ],
    [['anything', 'a*'], ['*']],
    [[], []],
  ])('%j does in %j', (patterns, allowed) => {
    expect(isWithin(patterns, allowed)).toBe(true)
  })

  test.each([
    [['*'], ['cart-*']],
    [['cart*'], ['cart-*']],
    [['cart-*'], ['cart-1', 'cart-2']],
    [['cart-'], ['cart']],
    [['a', 'b'], ['a']],
    [['a'], []],
  ])('%j does not in %j', (patterns, allowed) => {
    expect(isWithin(patterns, allowed)).toBe(false)
  })
})
