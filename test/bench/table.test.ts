import { expect, test } from 'vitest'
import { chartsOf } from '../../bench/report/charts.ts'
import { formatNumber } from '../../bench/report/format.ts'
import { rowsOf } from '../../bench/report/result.ts'
import { markdownOf } from '../../bench/report/table.ts'
import { madeUpResult, madeUpRow } from './made-up-result.ts'

test('numbers keep the digits that mean something', () => {
  expect([123_456.7, 12.345, 1.2345, 0].map(formatNumber)).toEqual(['123,457', '12.3', '1.23', '0'])
})

test('a row says how many times raw IndexedDB it is', () => {
  const table = markdownOf(
    madeUpResult(10_000, [madeUpRow('StreamDingo', [190_000, 200_000, 210_000])]),
    null,
  )
  expect(table).toContain(
    '| append | StreamDingo 1.2.3 | LevelDB | 200,000 events/s | 190,000 to 210,000 | 20 |',
  )
})

test('a row stands beside its floor, as how many times as long it takes, for rates and times', () => {
  const rate = madeUpRow('StreamDingo', [100_000], { floor: 250_000 })
  const time = madeUpRow('StreamDingo', [3], { measure: 'persisted', unit: 'ms', floor: 2 })
  const table = markdownOf(madeUpResult(10_000, [rate, time]), null)
  expect(table).toContain('| 250,000 events/s | 2.5 |')
  expect(table).toContain('| 2 ms | 1.5 |')
})

test('columns without anything in them are left out', () => {
  const table = markdownOf(madeUpResult(10_000, []), null)
  expect(table).not.toContain('floor')
  expect(table).not.toContain('than before')
})

test('beside a baseline each row says whether it is better or worse', () => {
  const before = madeUpResult(10_000, [madeUpRow('StreamDingo', [100_000])])
  const run = madeUpResult(10_000, [madeUpRow('StreamDingo', [300_000])])
  expect(markdownOf(run, before)).toContain('| better (3×) |')
})

test('figures of one name are one row with a sample a round; the floor is the middle one', () => {
  const facts = { subject: 'StreamDingo', version: '1.2.3', backend: 'LevelDB' } as const
  const rounds = [1, 3, 2].map(value => [{ name: 'persisted', unit: 'ms' as const, value, floor: value / 2 }])
  expect(rowsOf(facts, rounds)).toEqual([
    {
      ...facts,
      measure: 'persisted',
      unit: 'ms',
      samples: [1, 3, 2],
      median: 2,
      min: 1,
      max: 3,
      floor: 1,
      against: 'append',
    },
  ])
})

test('there is a chart for each unit that has something to compare, and every row is in one', () => {
  const memory = madeUpRow('StreamDingo', [80], { unit: 'MB' })
  const result = madeUpResult(10_000, [madeUpRow('StreamDingo', [200_000]), memory])
  const [chart, ...others] = chartsOf(result)
  expect(others).toEqual([])
  expect(chart).toMatchObject({ name: '-rates', unit: 'events/s' })
  for (const text of [
    '<svg',
    'xmlns="http://www.w3.org/2000/svg"',
    'raw IndexedDB',
    'StreamDingo',
    '200,000',
  ]) {
    expect(chart!.svg).toContain(text)
  }
})
