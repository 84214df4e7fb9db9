// The page of the scenarios: measures one round of one of them, and beside it how fast raw IndexedDB is here and now.

import type { Measurement } from '../measurement.ts'
import { contextOf, type Scenario, type ScenarioFacts, type ScenarioRound } from '../scenario.ts'
import { runByHand } from './by-hand.ts'
import { measureReference } from './reference.ts'

export type MeasuredRound = Readonly<{
  reference: readonly Measurement[]
  figures: readonly Measurement[]
}>

const ROUNDS = 5

const modules = import.meta.glob<{ scenario: Scenario }>('../scenarios/*.ts', { eager: true })

export const bench = {
  facts(name: string): ScenarioFacts {
    const {
      title,
      rounds = ROUNDS,
      needsServer = false,
      onBothBackends = false,
      prepare,
    } = scenarioNamed(name)
    return { title, rounds, needsServer, onBothBackends, isPrepared: prepare !== undefined }
  },

  async prepare(name: string, round: ScenarioRound): Promise<void> {
    await scenarioNamed(name).prepare?.(contextOf(round))
  },

  async measure(name: string, round: ScenarioRound): Promise<MeasuredRound> {
    // The scenario first: it wants the browser cold.
    const figures = await scenarioNamed(name).measure(contextOf(round))
    return { figures, reference: await measureReference(contextOf(round)) }
  },
}

export type ScenarioPage = typeof bench

function scenarioNamed(name: string): Scenario {
  const module = modules[`../scenarios/${name}.ts`]
  if (!module) throw new Error(`There is no scenario ${name}`)
  return module.scenario
}

Object.assign(globalThis, { bench })

runByHand(async (name, show) => {
  const { title, isPrepared } = bench.facts(name)
  show(title)
  // A number that no round before had: its databases are still there.
  const round = { round: Date.now(), isQuick: true, syncUrl: `${location.origin}/sync` }
  if (isPrepared) show('Run by hand it is not cold: what was just written is still in memory.')
  await bench.prepare(name, { ...round, round: 0 })
  const { figures } = await bench.measure(name, round)
  for (const { name: figure, value, unit } of figures) show(`${figure}: ${value.toFixed(2)} ${unit}`)
})
