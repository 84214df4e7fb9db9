// The README's figures, made from the stored results: what is written by hand there goes stale unseen.

import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { formatNumber, formatValue } from './format.ts'
import { type BenchResult, REFERENCE_SUBJECT, type Row } from './result.ts'
import { readResult } from './store-result.ts'

export const README = fileURLToPath(new URL('../../README.md', import.meta.url))

const BEGIN = '<!-- measured: written by npm run bench -->'
const END = '<!-- /measured -->'

/** Rows of scenarios that the README shows, by benchmark. */
const HEADLINES: readonly (readonly [benchmark: string, measures: readonly string[]])[] = [
  [
    'writes',
    [
      'in batches of 1,000, four in flight, persisted',
      '10,000 single appends, none waited for, persisted',
      '10,000 single appends, the same worker after 50,000',
    ],
  ],
  ['latency', ['accepted, p99', 'persisted, p99', 'a bare put, one relaxed transaction, p99']],
  ['replays', ['all streams, cold, verified', 'all streams, warm', 'every hash recomputed, no fold']],
  [
    'big-store',
    [
      'opened, to the first view, from a snapshot',
      'a stream of 1,000 events, written at once, p99',
      'memory of page and worker',
    ],
  ],
  ['snapshots', ['documents asked for, a snapshot of each written']],
  ['main-thread', ['longest stretch while 100,000 events are imported']],
  ['door-sizes', ['the page, minified, gzip', 'the worker, minified, gzip']],
  ['sync', ['pushed to the server', 'pulled by a second device']],
  ['live-clients', ['appended on one device until 500 others have heard of it, p99']],
  ['read-models', ['events in the rows, from nothing']],
  ['growth', ['append, cost at 100,000 streams against 10', 'replay, cost at 100,000 streams against 10']],
]

export type Results = ReadonlyMap<string, BenchResult>

export async function readResults(): Promise<Results> {
  const results = new Map<string, BenchResult>()
  for (const name of ['append', 'replay', ...HEADLINES.map(([benchmark]) => benchmark)]) {
    const result = await readResult(name)
    if (result) results.set(name, result)
  }
  return results
}

export async function updateReadme(): Promise<void> {
  const readme = await readFile(README, 'utf8')
  await writeFile(README, withMeasured(readme, await readResults()))
}

/** @throws when the README has lost the marks between which the figures stand. */
export function withMeasured(readme: string, results: Results): string {
  const begin = readme.indexOf(BEGIN)
  const end = readme.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`The README has no ${BEGIN} … ${END}`)
  return [readme.slice(0, begin + BEGIN.length), measured(results), readme.slice(end)].join('\n\n')
}

function measured(results: Results): string {
  const parts = [comparison(results), headlines(results)].filter(part => part !== '')
  return parts.length > 0 ? parts.join('\n\n') : 'No figures are stored yet.'
}

/** Every store beside the others, the fastest writer first. */
function comparison(results: Results): string {
  const append = results.get('append')
  const replay = results.get('replay')
  if (!append || !replay) return ''
  const rows = append.rows
    .filter(row => row.backend === 'LevelDB')
    .sort((a, b) => b.median - a.median)
    .map(row => {
      const read = replay.rows.find(
        one => one.subject === row.subject && one.backend === row.backend && one.measure === 'replay',
      )
      const cells = [rateCell(row, append), read ? rateCell(read, replay) : '']
      return `| ${row.subject} ${row.version} | ${cells.join(' | ')} |`
    })
  const { machine, browser, date } = append
  return [
    `${browser}, ${machine.cores} cores, ${date.slice(0, 10)}; events a second, and how many times raw IndexedDB that ` +
      'is. [Append](bench/results/append.md) is from the page until it is persisted, [replay](bench/results/replay.md) ' +
      'in a new browser.',
    '',
    '| store | append | replay |',
    '| --- | ---: | ---: |',
    ...rows,
  ].join('\n')
}

function rateCell({ median }: Row, { rows }: BenchResult): string {
  const reference = rows.find(row => row.subject === REFERENCE_SUBJECT && row.backend === 'LevelDB')
  const factor = reference ? ` (${formatNumber(median / reference.median)}×)` : ''
  return `${formatNumber(median)}${factor}`
}

function headlines(results: Results): string {
  const rows = HEADLINES.flatMap(([benchmark, measures]) => {
    const result = results.get(benchmark)
    if (!result) return []
    return measures.flatMap(measure => {
      const row = result.rows.find(one => one.measure === measure)
      if (!row) return []
      const floor = row.floor === undefined ? '' : formatValue(row.floor, row.unit)
      const title = `[${result.title}](bench/results/${benchmark}.md): ${measure}`
      return [`| ${title} | ${formatValue(row.median, row.unit)} | ${floor} |`]
    })
  })
  if (rows.length === 0) return ''
  return ['| StreamDingo alone | median | floor |', '| --- | ---: | ---: |', ...rows].join('\n')
}
