// A result as charts: one for each unit, the best row first, each a dot with a line from its least to its most, and a
// bar at its floor.

import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { isRate, type Unit } from '../measurement.ts'
import { formatNumber } from './format.ts'
import { type BenchResult, REFERENCE_SUBJECT, type Row } from './result.ts'

/** `name` goes into the file's, behind the benchmark's. */
export type Chart = Readonly<{ name: string; unit: Unit; svg: string }>

/** A unit that has only one row needs no chart, nor one in which only the machine was measured. */
export function chartsOf({ title, rows }: BenchResult): Chart[] {
  const units = [...new Set(rows.map(({ unit }) => unit))]
  return units
    .map(unit => ({ unit, rows: rows.filter(row => row.unit === unit && row.min > 0) }))
    .filter(chart => chart.rows.length > 1 && chart.rows.some(row => row.subject !== REFERENCE_SUBJECT))
    .map(chart => ({
      name: FILE_NAMES[chart.unit],
      unit: chart.unit,
      svg: svgOf(`${title}, ${chart.unit}`, bestFirst(chart.rows)),
    }))
}

const FILE_NAMES: Readonly<Record<Unit, string>> = {
  'events/s': '-rates',
  'documents/s': '-documents',
  ms: '-times',
  µs: '-costs',
  MB: '-memory',
  kB: '-sizes',
  events: '-events',
  '×': '-factors',
}

function svgOf(title: string, rows: readonly Row[]): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const marks = rows.map(row => ({ ...row, name: nameOf(row, rows), figure: formatNumber(row.median) }))
  const longest = Math.max(...marks.map(({ name }) => name.length))
  const chart = Plot.plot({
    document: document as unknown as Document,
    width: 860,
    height: 85 + rows.length * ROW_HEIGHT,
    marginLeft: 20 + longest * LETTER_WIDTH,
    marginRight: 60,
    marginTop: 40,
    marginBottom: 45,
    style: { fontSize: '12px', fontFamily: 'sans-serif' },
    // From one percent to a hundredfold on one scale.
    x: { type: 'log', grid: true, label: `${title} (logarithmic) →`, tickFormat: formatNumber, ticks: 5 },
    y: { label: null, domain: marks.map(({ name }) => name) },
    color: { domain: [true, false], range: ['#c2410c', '#475569'] },
    marks: [
      Plot.ruleY(marks, { y: 'name', x1: 'min', x2: 'max', strokeWidth: 3, strokeOpacity: 0.4 }),
      Plot.tickX(marks, { y: 'name', x: 'floor', strokeWidth: 2, strokeDasharray: '2 2' }),
      Plot.dot(marks, { x: 'median', y: 'name', r: 5, fill: row => row.subject === 'StreamDingo' }),
      Plot.text(marks, { x: 'median', y: 'name', text: 'figure', dy: -11 }),
    ],
  })
  // A picture of its own: it needs the namespace, and a ground to stand on in a dark page.
  chart.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  const ground = '<rect width="100%" height="100%" fill="white"/>'
  return `${chart.outerHTML.replace('</style>', `</style>${ground}`)}\n`
}

const bestFirst = (rows: readonly Row[]): Row[] =>
  rows.toSorted((a, b) => (isRate(a.unit) ? b.median - a.median : a.median - b.median))

const LETTER_WIDTH = 6.6
const ROW_HEIGHT = 30

/** Says no more than it takes to tell the rows apart. */
function nameOf(row: Row, rows: readonly Row[]): string {
  const tells = (key: 'measure' | 'subject'): boolean => new Set(rows.map(one => one[key])).size > 1
  return [
    tells('subject') ? row.subject : '',
    tells('measure') ? row.measure : '',
    row.backend === 'SQLite' ? 'on SQLite' : '',
  ]
    .filter(part => part !== '')
    .join(', ')
}
