// Every benchmark there is by its name, and how it is run and kept.

import { BATCH, compare, IN_FLIGHT } from './driver/compare.ts'
import { doorSizes } from './driver/door-sizes.ts'
import { liveClients } from './driver/live-clients.ts'
import { browserVersion, machine } from './driver/machine.ts'
import { pluginCost } from './driver/plugin-cost.ts'
import { runScenario } from './driver/run-scenario.ts'
import { buildSite, namesIn, serveSite } from './driver/site.ts'
import { compareWithBaseline } from './report/baseline.ts'
import { updateReadme } from './report/readme.ts'
import type { BenchResult, Row } from './report/result.ts'
import { readResult, storeResult } from './report/store-result.ts'
import { markdownOf } from './report/table.ts'

/** One run of the comparison gives all of these, each with the measures that belong to it. */
const COMPARISONS: Readonly<Record<string, Readonly<{ title: string; measures: readonly string[] }>>> = {
  append: { title: 'Append, one batch after the other', measures: ['append'] },
  'append-in-flight': { title: 'Append, four batches in flight', measures: ['append', 'append in flight'] },
  replay: { title: 'Replay after a new start', measures: ['replay', 'open and replay'] },
}

type Outside = Readonly<{
  title: string
  notes: readonly string[]
  /** Where it is left out, one round tells as much as many. */
  rounds?: number
  measure: (rounds: number) => Promise<Row[]>
}>

/** What is not measured in a browser. */
const OUTSIDE: Readonly<Record<string, Outside>> = {
  'door-sizes': { title: 'What is loaded', notes: [], measure: doorSizes },
  'plugin-cost': {
    title: 'The build plugin',
    notes: ['The floor is the same without the plugin.'],
    rounds: 5,
    measure: pluginCost,
  },
  'live-clients': {
    title: 'Live clients',
    notes: [
      'The demo’s server, on PGlite, is a process of its own; all 500 clients are another one. 50 events a round, one ' +
        'every 200 ms, so 25,000 delays; each begins with the append, so the 25 ms are in it that a device waits for more to send.',
    ],
    rounds: 5,
    measure: liveClients,
  },
}

const EVENTS = 100_000
const FEWER_EVENTS = 20_000
const QUICK_EVENTS = 5_000
const QUICK_NOTE = 'A quick run: a twentieth of the events that the names tell of. No figures to quote.'
const ROUNDS = 5

export type RunOptions = Readonly<{
  /** A twentieth of everything, one round, nothing stored: shows that it works. */
  isQuick: boolean
  /** Fewer rounds or more, nothing stored: for a look at one thing. */
  rounds?: number
  /** Scenarios: one round, with the functions that took most; nothing stored. */
  isProfiled?: boolean
  /** Stores to compare, nothing stored; all where it is left out. */
  subjects?: readonly string[]
}>

export async function benchmarkNames(): Promise<string[]> {
  return [...Object.keys(COMPARISONS), ...(await namesIn('scenarios')), ...Object.keys(OUTSIDE)]
}

/**
 * Runs benchmarks that {@link benchmarkNames} gives, tells how it goes, and keeps the results. One that fails does not
 * keep the others from running: true when all went well.
 */
export async function runBenchmarks(names: readonly string[], options: RunOptions): Promise<boolean> {
  const comparisons = names.filter(name => name in COMPARISONS)
  const scenarios = names.filter(name => !(name in COMPARISONS) && !(name in OUTSIDE))
  const { isQuick, isProfiled = false, subjects = await namesIn('subjects') } = options
  await buildSite({
    subjects: comparisons.length > 0 ? subjects : [],
    hasScenarios: scenarios.length > 0,
    isReadable: isProfiled,
  })
  const facts = { date: new Date().toISOString(), machine: machine(), browser: await browserVersion() }
  let isFine = true
  const attempt = (running: Promise<void>): Promise<void> =>
    running.catch(error => {
      console.error(error)
      isFine = false
    })
  if (comparisons.length > 0) {
    await attempt(
      runComparison(comparisons, subjects, options).then(async results => {
        for (const result of results) await report({ ...facts, ...result }, options)
      }),
    )
  }
  for (const name of scenarios) {
    await attempt(
      runScenario(name, { isQuick, isProfiled, rounds: roundsOf(options), onProgress: console.log }).then(
        run =>
          report(
            { benchmark: name, ...facts, ...run, notes: [...run.notes, ...(isQuick ? [QUICK_NOTE] : [])] },
            options,
          ),
      ),
    )
  }
  for (const benchmark of names.filter(name => name in OUTSIDE)) {
    const { title, notes, measure, ...usual } = OUTSIDE[benchmark]!
    const rounds = usual.rounds === undefined ? 1 : (roundsOf(options) ?? usual.rounds)
    await attempt(
      measure(rounds).then(rows => report({ benchmark, ...facts, title, notes, rounds, rows }, options)),
    )
  }
  if (isStored(options)) await updateReadme()
  return isFine
}

/** What is stored is what others compare with: always whole. */
const isStored = ({ isQuick, isProfiled, rounds, subjects }: RunOptions): boolean =>
  !isQuick && !isProfiled && !rounds && !subjects

const roundsOf = ({ isQuick, isProfiled, rounds }: RunOptions): number | null =>
  rounds ?? (isQuick || isProfiled ? 1 : null)

type Compared = Omit<BenchResult, 'date' | 'machine' | 'browser'>

async function runComparison(
  names: readonly string[],
  subjects: readonly string[],
  options: RunOptions,
): Promise<Compared[]> {
  const events = options.isQuick ? QUICK_EVENTS : EVENTS
  const rounds = roundsOf(options) ?? ROUNDS
  const site = await serveSite()
  try {
    const rows = await compare({
      siteUrl: site.url,
      subjects,
      rounds,
      events,
      fewerEvents: Math.min(FEWER_EVENTS, events),
      hasBatchesInFlight: names.includes('append-in-flight'),
      onProgress: console.log,
    })
    return names.map(benchmark => {
      const { title, measures } = COMPARISONS[benchmark]!
      return {
        benchmark,
        title,
        rounds,
        notes: notesOf(rows, events),
        rows: rows.filter(({ measure }) => measures.includes(measure)),
      }
    })
  } finally {
    await site.close()
  }
}

function notesOf(rows: readonly Row[], events: number): string[] {
  const slow = new Set(rows.filter(row => row.events !== events).map(({ subject }) => subject))
  return [
    `${events.toLocaleString('en')} events of about 210 bytes in batches of ${BATCH.toLocaleString('en')}, relaxed ` +
      `durability, each store in a browser profile of its own, one after the other in every round. Where batches are ` +
      `in flight, up to ${IN_FLIGHT} are. Replay is in a new browser, of a store in memory in the page that filled it; every store came to the same result.`,
    ...(slow.size > 0 ? [`Fewer events, because all would take minutes: ${[...slow].join(', ')}.`] : []),
  ]
}

async function report(result: BenchResult, options: RunOptions): Promise<void> {
  const baseline = options.isQuick ? null : await readResult(result.benchmark)
  console.log(`\n${markdownOf(result, baseline)}`)
  for (const { row, verdict, factor } of compareWithBaseline(result, baseline)) {
    if (verdict !== 'worse') continue
    console.log(
      `WORSE than the stored baseline: ${row.measure}, ${row.subject}, ${factor!.toFixed(2)} times as good`,
    )
  }
  if (isStored(options)) await storeResult(result, baseline)
}
