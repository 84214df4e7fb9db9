// The comparison: every store takes in the same events in the same batches and folds them after a new start, one
// store after the other in each round, each in a browser profile of its own.

import type { Page } from 'playwright-core'
import { assertFolded } from '../expected-fold.ts'
import type { Measurement } from '../measurement.ts'
import type { AppendRound, ReplayedRound, SubjectPage } from '../page/subject.ts'
import { REFERENCE_SUBJECT, type Row, rowsOf } from '../report/result.ts'
import { inPage } from './in-page.ts'
import { type Backend, createProfile, type Profile } from './profile.ts'

export type CompareOptions = Readonly<{
  siteUrl: string
  subjects: readonly string[]
  rounds: number
  events: number
  /** For stores that would take minutes with all of them. */
  fewerEvents: number
  /** Also with several batches on their way at once. */
  hasBatchesInFlight: boolean
  onProgress: (line: string) => void
}>

export const BATCH = 1_000
export const IN_FLIGHT = 4

const REFERENCE_FILE = 'raw-indexeddb'
/** Stores that run on both of Chromium's backends of IndexedDB. */
const ON_BOTH_BACKENDS = new Set(['streamdingo', REFERENCE_FILE])
/** A store that takes longer for all events gets fewer. */
const LIMIT_MS = 30_000
const PROBE_EVENTS = 2_000

type Contender = Readonly<{
  url: string
  name: string
  version: string
  backend: Backend
  isInMemory: boolean
  events: number
}>

export async function compare(options: CompareOptions): Promise<Row[]> {
  const contenders: Contender[] = []
  for (const subject of options.subjects) contenders.push(await prepareContender(subject, 'LevelDB', options))
  for (const subject of options.subjects) {
    if (ON_BOTH_BACKENDS.has(subject)) contenders.push(await prepareContender(subject, 'SQLite', options))
  }
  const measured = new Map(contenders.map(contender => [contender, [] as Measurement[][]]))
  for (let round = 1; round <= options.rounds; round++) {
    for (const contender of contenders) {
      const figures = await measure(contender, options)
      measured.get(contender)!.push(figures)
      const said = figures.map(
        ({ name, value, unit }) => `${name} ${Math.round(value).toLocaleString('en')} ${unit}`,
      )
      options.onProgress(`round ${round}, ${contender.name} on ${contender.backend}: ${said.join(', ')}`)
    }
  }
  return [...measured].flatMap(([{ name: subject, version, backend, events }, rounds]) =>
    rowsOf({ subject, version, backend, events }, rounds),
  )
}

/** Asks who it is, and how much it can take: the first start of a browser is in nobody's figures, too. */
async function prepareContender(
  subject: string,
  backend: Backend,
  { siteUrl, events, fewerEvents }: CompareOptions,
): Promise<Contender> {
  const url = `${siteUrl}/subjects/${subject}/subject.html`
  return inProfile(`${subject} on ${backend}`, backend, profile =>
    profile.inNewBrowser(url, async page => {
      const facts = await inPage(page, (bench: SubjectPage) => bench.facts())
      const probe = { database: 'probe', events: PROBE_EVENTS, batch: BATCH, inFlight: 1 }
      const ms = await inPage(page, (bench: SubjectPage, round: AppendRound) => bench.append(round), probe)
      const isSlow = (ms / PROBE_EVENTS) * events > LIMIT_MS
      const name = subject === REFERENCE_FILE ? REFERENCE_SUBJECT : facts.name
      return { ...facts, name, url, backend, events: isSlow ? fewerEvents : events }
    }),
  )
}

function measure(
  { url, name, backend, events, isInMemory }: Contender,
  { hasBatchesInFlight }: CompareOptions,
): Promise<Measurement[]> {
  const appendAndReplay = async (profile: Profile, round: AppendRound): Promise<[number, ReplayedRound]> => {
    const append = (page: Page) =>
      inPage(page, (bench: SubjectPage, given: AppendRound) => bench.append(given), round)
    const replay = (page: Page) =>
      inPage(page, (bench: SubjectPage, database: string) => bench.replay(database), round.database)
    if (isInMemory) return profile.inNewBrowser(url, async page => [await append(page), await replay(page)])
    return [await profile.inNewBrowser(url, append), await profile.inNewBrowser(url, replay)]
  }
  return inProfile(`${name} on ${backend}`, backend, async profile => {
    const rate = (ms: number): number => (events / ms) * 1_000
    const figures: Measurement[] = []
    for (const inFlight of hasBatchesInFlight ? [1, IN_FLIGHT] : [1]) {
      const round = { database: `bench-${inFlight}`, events, batch: BATCH, inFlight }
      const [ms, { openMs, replayMs, folded }] = await appendAndReplay(profile, round)
      assertFolded(folded, events)
      if (inFlight === 1) {
        figures.push(
          { name: 'append', unit: 'events/s', value: rate(ms) },
          { name: 'replay', unit: 'events/s', value: rate(replayMs), against: 'replay' },
          { name: 'open and replay', unit: 'events/s', value: rate(openMs + replayMs), against: 'replay' },
        )
      } else figures.push({ name: 'append in flight', unit: 'events/s', value: rate(ms) })
    }
    return figures
  })
}

async function inProfile<T>(
  name: string,
  backend: Backend,
  work: (profile: Profile) => Promise<T>,
): Promise<T> {
  const profile = await createProfile(backend)
  try {
    return await work(profile)
  } catch (cause) {
    throw new Error(`${name} failed`, { cause })
  } finally {
    await profile.remove()
  }
}
