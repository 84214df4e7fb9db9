import { expect, test } from 'vitest'
import { percentile, summaryOf } from '../../bench/statistics.ts'

test('the median of an odd number of samples is the one in the middle, whatever their order', () => {
  expect(percentile([30, 10, 20], 50)).toBe(20)
})

test('the median of an even number of samples lies between the two in the middle', () => {
  expect(percentile([1, 2, 4, 8], 50)).toBe(3)
})

test('a high percentile is near the largest sample, and not beyond it', () => {
  const samples = Array.from({ length: 101 }, (_, i) => i)
  expect(percentile(samples, 99)).toBe(99)
  expect(percentile(samples, 100)).toBe(100)
})

test('samples are sorted as numbers', () => {
  expect(summaryOf([9, 100, 10])).toEqual({ median: 10, min: 9, max: 100 })
})

test('nothing has no summary', () => {
  expect(() => summaryOf([])).toThrow(RangeError)
})
