// Where results lie: figures as JSON, the table, and a chart for each unit.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { chartsOf } from './charts.ts'
import type { BenchResult } from './result.ts'
import { markdownOf } from './table.ts'

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url))

/** Null where none is stored. */
export async function readResult(benchmark: string): Promise<BenchResult | null> {
  const text = await readFile(`${RESULTS}${benchmark}.json`, 'utf8').catch(() => null)
  return text === null ? null : (JSON.parse(text) as BenchResult)
}

/** Takes the place of what was stored, which the table still compares with. */
export async function storeResult(result: BenchResult, baseline: BenchResult | null): Promise<void> {
  const file = `${RESULTS}${result.benchmark}`
  await mkdir(RESULTS, { recursive: true })
  await writeFile(`${file}.json`, `${JSON.stringify(result, null, 2)}\n`)
  const charts = chartsOf(result)
  for (const { name, svg } of charts) await writeFile(`${file}${name}.svg`, svg)
  const pictures = charts.map(
    ({ name, unit }) => `![${result.title}, ${unit}](${result.benchmark}${name}.svg)\n`,
  )
  await writeFile(`${file}.md`, [markdownOf(result, baseline), ...pictures].join('\n'))
}
