// Runs a scenario: prepares what its rounds read, then measures each round in a new browser.

import { startDemoServer } from '../../e2e/support/servers.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { MeasuredRound, ScenarioPage } from '../page/scenario.ts'
import { formatValue } from '../report/format.ts'
import { REFERENCE_SUBJECT, type Row, rowsOf } from '../report/result.ts'
import type { ScenarioFacts, ScenarioRound } from '../scenario.ts'
import { profileText, withCpuProfile } from './cpu-profile.ts'
import { type BenchDatabase, openBenchDatabase } from './database.ts'
import { inPage } from './in-page.ts'
import { BACKENDS, type Backend, createProfile, type Profile } from './profile.ts'
import { type Site, serveSite } from './site.ts'

export type ScenarioOptions = Readonly<{
  isQuick: boolean
  /** Instead of what the scenario says. */
  rounds: number | null
  /** Also tell where the time went. It takes time itself. */
  isProfiled: boolean
  onProgress: (line: string) => void
}>

export type ScenarioRun = Readonly<{ title: string; rounds: number; rows: Row[]; notes: string[] }>

export async function runScenario(name: string, options: ScenarioOptions): Promise<ScenarioRun> {
  let database: BenchDatabase | null = null
  try {
    const facts = await factsOf(name)
    if (facts.needsServer) database = await openBenchDatabase()
    const server = database && (await startDemoServer(database.url))
    const site = await serveSite(server?.url)
    try {
      const syncUrl = server && `${site.url}/sync`
      const rounds = options.rounds ?? facts.rounds
      const rows: Row[] = []
      for (const backend of facts.onBothBackends ? BACKENDS : BACKENDS.slice(0, 1)) {
        const measured = await runRounds(name, { ...facts, ...options, backend, rounds, site, syncUrl })
        rows.push(...rowsIn(measured, backend))
      }
      const notes = database ? [`The sync server is a process of its own, on ${database.name}.`] : []
      return { title: facts.title, rounds, rows, notes }
    } finally {
      await site.close()
      await server?.close()
    }
  } catch (cause) {
    throw new Error(`The scenario ${name} failed`, { cause })
  } finally {
    await database?.drop()
  }
}

type Rounds = ScenarioFacts &
  Omit<ScenarioOptions, 'rounds'> &
  Readonly<{ backend: Backend; rounds: number; site: Site; syncUrl: string | null }>

/** Rounds that read what was prepared share its profile; others have one each. */
async function runRounds(name: string, options: Rounds): Promise<MeasuredRound[]> {
  const { backend, rounds, isPrepared, isProfiled, isQuick, onProgress, site, syncUrl } = options
  const url = pageOf(site)
  const prepared = isPrepared ? await createProfile(backend) : null
  const measured: MeasuredRound[] = []
  try {
    if (prepared) {
      onProgress(`${name} on ${backend}: preparing`)
      await prepare(prepared, url, name, { round: 0, isQuick, syncUrl })
    }
    for (let round = 1; round <= rounds; round++) {
      const profile = prepared ?? (await createProfile(backend))
      try {
        const given = { round, isQuick, syncUrl }
        const onProfiled = isProfiled ? (text: string) => onProgress(text) : null
        const { figures, reference } = await measure({ profile, url, name, given, onProfiled })
        measured.push({ figures, reference })
        const said = figures.map(({ name: what, value, unit }) => `${what}: ${formatValue(value, unit)}`)
        onProgress([`${name} on ${backend}, round ${round}`, ...said].join('\n  '))
      } finally {
        if (profile !== prepared) await profile.remove()
      }
    }
    return measured
  } finally {
    await prepared?.remove()
  }
}

async function factsOf(name: string): Promise<ScenarioFacts> {
  const site = await serveSite()
  const profile = await createProfile()
  try {
    return await profile.inNewBrowser(pageOf(site), page =>
      inPage(page, (bench: ScenarioPage, given: string) => bench.facts(given), name),
    )
  } finally {
    await profile.remove()
    await site.close()
  }
}

const pageOf = ({ url }: Site): string => `${url}/scenarios/scenario.html`

function prepare(profile: Profile, url: string, name: string, given: ScenarioRound): Promise<void> {
  return profile.inNewBrowser(url, page =>
    inPage(
      page,
      (bench: ScenarioPage, scenario: string, round: ScenarioRound) => bench.prepare(scenario, round),
      name,
      given,
    ),
  )
}

type Measuring = Readonly<{
  profile: Profile
  url: string
  name: string
  given: ScenarioRound
  onProfiled: ((text: string) => void) | null
}>

function measure({ profile, url, name, given, onProfiled }: Measuring): Promise<MeasuredRound> {
  return profile.inNewBrowser(url, async page => {
    const measuring = () =>
      inPage(
        page,
        (bench: ScenarioPage, scenario: string, round: ScenarioRound) => bench.measure(scenario, round),
        name,
        given,
      )
    if (!onProfiled) return measuring()
    const [measured, threads] = await withCpuProfile(page, measuring)
    onProfiled(profileText(threads))
    return measured
  })
}

function rowsIn(measured: readonly MeasuredRound[], backend: Backend): Row[] {
  const ours = { subject: 'StreamDingo', version: packageJson.version, backend } as const
  const reference = { subject: REFERENCE_SUBJECT, version: '', backend } as const
  return [
    ...rowsOf(
      ours,
      measured.map(({ figures }) => figures),
    ),
    ...rowsOf(
      reference,
      measured.map(one => one.reference),
    ),
  ]
}
