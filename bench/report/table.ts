// A result as a Markdown table, beside its floor, raw IndexedDB and the stored baseline.

import { isRate } from '../measurement.ts'
import { compareWithBaseline, type Verdict } from './baseline.ts'
import { formatNumber } from './format.ts'
import { type BenchResult, type Row, referenceRate } from './result.ts'

export function markdownOf(result: BenchResult, baseline: BenchResult | null): string {
  const { title, date, machine, browser, rounds, notes } = result
  const gibibytes = Math.round(machine.memory / 2 ** 30)
  return [
    `# ${title}`,
    '',
    `${machine.model}, ${machine.cores} cores, ${gibibytes} GiB, ${machine.platform}; ${browser}; Node ${machine.node}; ` +
      `${date.slice(0, 10)}. ${rounds === 1 ? 'One round.' : `Median of ${rounds} rounds, with the least and the most.`}`,
    '',
    ...notes.flatMap(note => [note, '']),
    ...tableOf(result, baseline),
    '',
  ].join('\n')
}

/** Columns without anything in them are left out. */
function tableOf(result: BenchResult, baseline: BenchResult | null): string[] {
  const comparisons = compareWithBaseline(result, baseline)
  const columns: [title: string, cells: string[]][] = [
    ['what', result.rows.map(({ measure }) => measure)],
    ['store', result.rows.map(({ subject, version }) => `${subject} ${version}`.trim())],
    ['backend', result.rows.map(({ backend }) => backend ?? '')],
    ['events', result.rows.map(({ events }) => (events === undefined ? '' : events.toLocaleString('en')))],
    ['median', result.rows.map(({ median, unit }) => `${formatNumber(median)} ${unit}`)],
    ['min to max', result.rows.map(({ min, max }) => `${formatNumber(min)} to ${formatNumber(max)}`)],
    ['× raw IndexedDB', result.rows.map(row => multipleOfReference(row, result))],
    [
      'floor',
      result.rows.map(({ floor, unit }) => (floor === undefined ? '' : `${formatNumber(floor)} ${unit}`)),
    ],
    ['× floor', result.rows.map(distanceFromFloor)],
    ['than before', comparisons.map(({ verdict, factor }) => comparisonCell(verdict, factor))],
  ]
  const shown = columns.filter(([, cells]) => cells.some(cell => cell !== ''))
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(shown.map(([title]) => title)),
    line(shown.map(([title]) => (TEXT_COLUMNS.has(title) ? '---' : '---:'))),
    ...result.rows.map((_, i) => line(shown.map(([, cells]) => cells[i]!))),
  ]
}

const TEXT_COLUMNS = new Set(['what', 'store', 'backend', 'than before'])

function multipleOfReference(row: Row, result: BenchResult): string {
  const reference = referenceRate(result, row.against)
  if (row.unit !== 'events/s' || reference === null) return ''
  return formatNumber(row.median / reference)
}

/** How many times as long as the floor it takes. */
function distanceFromFloor({ median, floor, unit }: Row): string {
  if (floor === undefined) return ''
  return formatNumber(isRate(unit) ? floor / median : median / floor)
}

function comparisonCell(verdict: Verdict, factor: number | null): string {
  return factor === null ? '' : `${verdict} (${formatNumber(factor)}×)`
}
