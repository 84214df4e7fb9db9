// npm run bench -- <name>: runs a benchmark, prints its table and keeps the figures in bench/results.

import { mkdir, writeFile } from 'node:fs/promises'
import { arch, cpus, platform, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import setup from '../e2e/support/build.ts'
import { type PaperRun, readPaper, runPaper } from './paper.ts'

const RESULTS = fileURLToPath(new URL('results/', import.meta.url))

const BENCHMARKS: Readonly<Record<string, () => Promise<void>>> = { paper }

const [name = 'paper'] = process.argv.slice(2)
const benchmark = BENCHMARKS[name]
if (!benchmark) {
  console.error(`No such benchmark: ${name}. There is: ${Object.keys(BENCHMARKS).join(', ')}`)
  process.exit(1)
}
setup()
await benchmark()

async function paper(): Promise<void> {
  const input = await readPaper()
  if (!input) {
    console.log('left out: paper (automerge-paper.json.gz is not in DATA_DIR)')
    return
  }
  const run = await runPaper(input, ({ name: phase, ms }) =>
    console.log(`${phase}: ${(ms / 1000).toFixed(2)} s`),
  )
  const table = tableOf(run)
  console.log(`\n${table}`)
  const { phases, events, heapBytes, storedBytes } = run
  await mkdir(RESULTS, { recursive: true })
  const result = { benchmark: 'paper', machine: machine(), events, phases, heapBytes, storedBytes }
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

function machine() {
  const { model } = cpus()[0]!
  return {
    date: new Date().toISOString(),
    platform: platform(),
    arch: arch(),
    cores: cpus().length,
    model,
    memory: totalmem(),
    node: process.version,
  }
}
