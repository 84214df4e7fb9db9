// The benchmark of the real input: runs it, prints its table and keeps the figures.

import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import setup from '../e2e/support/build.ts'
import { machine } from './driver/machine.ts'
import { type PaperRun, readPaper, runPaper } from './paper.ts'

const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

export async function benchPaper(): Promise<void> {
  const input = await readPaper()
  if (!input) {
    console.log('left out: paper (automerge-paper.json.gz is not in DATA_DIR)')
    return
  }
  setup()
  const run = await runPaper(input, ({ name: phase, ms }) =>
    console.log(`${phase}: ${(ms / 1000).toFixed(2)} s`),
  )
  const table = tableOf(run)
  console.log(`\n${table}`)
  const { phases, events, heapBytes, storedBytes } = run
  await mkdir(RESULTS, { recursive: true })
  const on = { date: new Date().toISOString(), ...machine() }
  const result = { benchmark: 'paper', machine: on, events, phases, heapBytes, storedBytes }
  await writeFile(`${RESULTS}paper.json`, `${JSON.stringify(result, null, 2)}\n`)
  await writeFile(`${RESULTS}paper.md`, table)
}

function tableOf({ events, phases, heapBytes, storedBytes }: PaperRun): string {
  const rows = phases.map(({ name: phase, ms, detail }) => {
    const rate = Math.round((events / ms) * 1000).toLocaleString('en')
    return `| ${phase} | ${(ms / 1000).toFixed(2)} s | ${rate} | ${detail} |`
  })
  const mebibytes = (bytes: number | null): string =>
    bytes === null ? 'not told' : `${(bytes / 2 ** 20).toFixed(0)} MiB`
  return [
    `${events.toLocaleString('en')} edits of a paper, one event an edit, through the page.`,
    '',
    '| phase | time | events/s | |',
    '| --- | ---: | ---: | --- |',
    ...rows,
    '',
    `Memory of page and worker: ${mebibytes(heapBytes)}. Stored: ${mebibytes(storedBytes)}.`,
    '',
  ].join('\n')
}
