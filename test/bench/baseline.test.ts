import { expect, test } from 'vitest'
import { compareWithBaseline } from '../../bench/report/baseline.ts'
import type { BenchResult, Row } from '../../bench/report/result.ts'
import { madeUpResult, madeUpRow } from './made-up-result.ts'

const ours = (...samples: number[]): Row => madeUpRow('StreamDingo', samples)
const baseline = madeUpResult(10_000, [ours(95_000, 100_000, 105_000)])

function ourComparison(run: BenchResult, before: BenchResult | null = baseline) {
  return compareWithBaseline(run, before).find(({ row }) => row.subject === 'StreamDingo')!
}

test('the same figures on the same machine are as before', () => {
  expect(ourComparison(baseline)).toMatchObject({ verdict: 'as before', factor: 1 })
})

test('half as fast on a machine that is half as fast is as before', () => {
  const slower = madeUpResult(5_000, [ours(47_000, 50_000, 53_000)])
  expect(ourComparison(slower)).toMatchObject({ verdict: 'as before', factor: 1 })
})

test('half as fast on the same machine is worse', () => {
  const run = madeUpResult(10_000, [ours(47_000, 50_000, 53_000)])
  expect(ourComparison(run)).toMatchObject({ verdict: 'worse', factor: 0.5 })
})

test('as fast as before on a machine that is half as fast is better', () => {
  const run = madeUpResult(5_000, [ours(95_000, 100_000, 105_000)])
  expect(ourComparison(run)).toMatchObject({ verdict: 'better', factor: 2 })
})

test('slower by less than the rounds lie apart is as before', () => {
  const run = madeUpResult(10_000, [ours(80_000, 90_000, 96_000)])
  expect(ourComparison(run)).toMatchObject({ verdict: 'as before', factor: 0.9 })
})

test('a time is worse when it is longer, seen against the speed of the machine', () => {
  const taking = (...samples: number[]): Row =>
    madeUpRow('StreamDingo', samples, { unit: 'ms', measure: 'persisted, p99' })
  const before = madeUpResult(10_000, [taking(1, 1.1)])
  expect(ourComparison(madeUpResult(10_000, [taking(2, 2.2)]), before).verdict).toBe('worse')
  expect(ourComparison(madeUpResult(5_000, [taking(2, 2.2)]), before).verdict).toBe('as before')
  expect(ourComparison(madeUpResult(5_000, [taking(1, 1.1)]), before).verdict).toBe('better')
})

test('memory is compared as it is: a slow machine has no smaller objects', () => {
  const holding = (...samples: number[]): Row => madeUpRow('StreamDingo', samples, { unit: 'MB' })
  const before = madeUpResult(10_000, [holding(100, 101)])
  expect(ourComparison(madeUpResult(5_000, [holding(100, 101)]), before).verdict).toBe('as before')
  expect(ourComparison(madeUpResult(5_000, [holding(150, 151)]), before).verdict).toBe('worse')
})

test('a row that the baseline does not have is new, and so is everything without a baseline', () => {
  const onSqlite = madeUpResult(10_000, [madeUpRow('StreamDingo', [1], { backend: 'SQLite' })])
  expect(ourComparison(onSqlite)).toMatchObject({ verdict: 'new', factor: null })
  expect(ourComparison(baseline, null)).toMatchObject({ verdict: 'new', factor: null })
})

test('without raw IndexedDB in the run nothing is claimed', () => {
  const alone = { ...baseline, rows: [ours(1, 2)] }
  expect(ourComparison(alone).verdict).toBe('new')
})
