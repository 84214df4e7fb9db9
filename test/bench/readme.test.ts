import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { README, readResults, withMeasured } from '../../bench/report/readme.ts'
import { madeUpResult, madeUpRow } from './made-up-result.ts'

const readme = await readFile(README, 'utf8')

test("the README's figures are those of the stored results (npm run bench writes them)", async () => {
  expect(readme).toBe(withMeasured(readme, await readResults()))
})

test('a figure that changed changes the README', () => {
  const results = (rate: number) => {
    const append = madeUpResult(10_000, [madeUpRow('StreamDingo', [rate])])
    const rows = append.rows.map(row => ({ ...row, measure: 'replay' }))
    return new Map([
      ['append', append],
      ['replay', { ...append, benchmark: 'replay', rows }],
    ])
  }
  const before = withMeasured(readme, results(200_000))
  expect(before).toContain('| StreamDingo 1.2.3 | 200,000 (20×) | 200,000 (20×) |')
  expect(withMeasured(before, results(250_000))).toContain('| StreamDingo 1.2.3 | 250,000 (25×) |')
  expect(withMeasured(before, results(200_000))).toBe(before)
})

test('a README without the marks is refused', () => {
  expect(() => withMeasured('# StreamDingo', new Map())).toThrow('<!-- measured')
})
