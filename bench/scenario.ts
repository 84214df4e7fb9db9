// A scenario: something an application does with StreamDingo, measured in the page. A file in scenarios/ exports one
// as `scenario`, and is known by its name.

import type { Measurement } from './measurement.ts'

export interface Scenario {
  readonly title: string
  /** Where five would take too long. */
  readonly rounds?: number
  /** Measured on each of Chromium's two backends of IndexedDB, and not on LevelDB alone. */
  readonly onBothBackends?: boolean
  /** The demo's sync server has to run; its address is in the context. */
  readonly needsServer?: boolean
  /** Fills the database that all rounds read, in a browser that is closed then: the rounds begin cold. */
  prepare?(context: ScenarioContext): Promise<void>
  /** One round, in a browser of its own. @throws when what was read back is not what was written. */
  measure(context: ScenarioContext): Promise<readonly Measurement[]>
}

export type ScenarioContext = Readonly<{
  /** From 1; 0 while preparing. A round that writes does so in a database of its own. */
  round: number
  /** How many to take of something: a twentieth in a quick run. */
  scaled: (count: number) => number
  /** Null without a server. */
  syncUrl: string | null
}>

/** What of a context crosses from the driver into the page. */
export type ScenarioRound = Readonly<{ round: number; isQuick: boolean; syncUrl: string | null }>

export function contextOf({ round, isQuick, syncUrl }: ScenarioRound): ScenarioContext {
  return { round, syncUrl, scaled: count => (isQuick ? Math.ceil(count / QUICK_DIVISOR) : count) }
}

export type ScenarioFacts = Readonly<{
  title: string
  rounds: number
  needsServer: boolean
  onBothBackends: boolean
  isPrepared: boolean
}>

const QUICK_DIVISOR = 20
