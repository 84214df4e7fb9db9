// Compares a run with the stored one. Each figure is taken in proportion to raw IndexedDB of its own run, so that a
// slow machine, or a busy one, is no regression.

import { dependsOnSpeed, isRate } from '../measurement.ts'
import type { Summary } from '../statistics.ts'
import { type BenchResult, type Row, referenceRate } from './result.ts'

export type Verdict = 'better' | 'worse' | 'as before' | 'new'

export type Comparison = Readonly<{
  row: Row
  verdict: Verdict
  /** How many times as good as the baseline's median; null for a row that the baseline does not have. */
  factor: number | null
}>

/** Better or worse is only what lies outside the noise: where the rounds of both runs overlap, nothing is claimed. */
export function compareWithBaseline(run: BenchResult, baseline: BenchResult | null): Comparison[] {
  return run.rows.map(row => {
    const before = baseline?.rows.find(one => isSameRow(one, row))
    const now = inProportion(row, run)
    const then = before && baseline && inProportion(before, baseline)
    if (!now || !then) return { row, verdict: 'new', factor: null }
    const isHigher = now.min > then.max
    const isLower = now.max < then.min
    const verdict = isHigher || isLower ? (isHigher === isRate(row.unit) ? 'better' : 'worse') : 'as before'
    const factor = isRate(row.unit) ? now.median / then.median : then.median / now.median
    return { row, verdict, factor }
  })
}

const isSameRow = (a: Row, b: Row): boolean =>
  a.subject === b.subject && a.backend === b.backend && a.measure === b.measure && a.unit === b.unit

/** Rates as multiples of raw IndexedDB's, times as how many events raw IndexedDB would have taken in meanwhile. */
function inProportion(row: Row, run: BenchResult): Summary | null {
  if (!dependsOnSpeed(row.unit)) return row
  const reference = referenceRate(run, row.against)
  if (reference === null) return null
  const scale = (value: number): number => (isRate(row.unit) ? value / reference : value * reference)
  return { median: scale(row.median), min: scale(row.min), max: scale(row.max) }
}
