// npm run bench [-- names...]: runs benchmarks, prints their tables and keeps the figures in bench/results. --help tells
// of the options.

import { parseArgs } from 'node:util'
import { startDemoServer } from '../e2e/support/servers.ts'
import { benchPaper } from './bench-paper.ts'
import { benchmarkNames, runBenchmarks } from './benchmarks.ts'
import { buildSite, namesIn, serveSite } from './driver/site.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    profile: { type: 'boolean', default: false },
    subjects: { type: 'string' },
    serve: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const PAPER = 'paper'
const known = [...(await benchmarkNames()), PAPER]
const stores = await namesIn('subjects')
const wanted = values.subjects?.split(',')
const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
const wrong = [
  ...positionals.filter(name => !known.includes(name)).map(name => `There is no benchmark ${name}.`),
  ...(wanted ?? []).filter(name => !stores.includes(name)).map(name => `There is no store ${name}.`),
  ...(rounds === undefined || rounds >= 1 ? [] : [`There are no ${values.rounds} rounds.`]),
]

if (values.help || wrong.length > 0) {
  for (const line of wrong) console.error(line)
  console.log(`Benchmarks: ${known.join(', ')}
  --quick          all of it small, in about two minutes, nothing stored
  --rounds n       so many rounds, nothing stored
  --profile        scenarios: which functions took most, on every thread; nothing stored
  --subjects a,b   compare only these stores, nothing stored: ${stores.join(', ')}
  --serve          the pages, to be opened by hand`)
  process.exitCode = wrong.length > 0 ? 1 : 0
} else if (values.serve) {
  await buildSite({ subjects: stores, hasScenarios: true })
  const server = await startDemoServer()
  console.log(`${(await serveSite(server.url)).url}/menu/menu.html`)
} else {
  const names = positionals.length > 0 ? positionals : known
  const others = names.filter(name => name !== PAPER)
  if (others.length > 0) {
    const isFine = await runBenchmarks(others, {
      isQuick: values.quick,
      isProfiled: values.profile,
      ...(rounds && { rounds }),
      ...(wanted && { subjects: wanted }),
    })
    if (!isFine) process.exitCode = 1
  }
  // A quick run has no small form of it.
  if (names.includes(PAPER) && (!values.quick || positionals.includes(PAPER))) await benchPaper()
}
