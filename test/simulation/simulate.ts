// Runs a seed, and makes the list of what was done shorter as long as it still fails.

import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { type Plan, planOf } from './actions.ts'
import type { StorageKind } from './disk.ts'
import { ownGlobals } from './own-globals.ts'
import { Random } from './random.ts'
import { World } from './world.ts'

export type RunResult = Readonly<{
  plan: Plan
  trace: readonly string[]
  /** Null where everything held. */
  failure: string | null
}>

/** Steps that are spent on making a run shorter, at most: some fail only when they find no end. */
const SHRINKING_STEPS = 300_000

export function simulateSeed(seed: number, storage: StorageKind): Promise<RunResult> {
  return simulate(planOf(seed, storage))
}

export async function simulate(plan: Plan): Promise<RunResult> {
  // Compiled once a thread, and before time is the run's.
  await createSha256()
  globalThis.indexedDB = new IDBFactory()
  const world = new World(plan)
  const giveBack = ownGlobals(world.scheduler.clock, new Random(plan.seed ^ 0xc0de))
  let failure: string | null = null
  try {
    world.start()
    for (const action of plan.actions) await world.act(action)
    await world.heal(new Random(plan.seed ^ 0x4ea1))
  } catch (error) {
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  } finally {
    await world.end()
    giveBack()
  }
  return { plan, trace: world.scheduler.trace, failure }
}

/** Leaves out ever smaller runs of actions for as long as it fails without them, by whatever rule. */
export async function shrink(failed: RunResult, run = simulate): Promise<RunResult> {
  let best = failed
  let steps = 0
  for (let size = Math.ceil(failed.plan.actions.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < best.plan.actions.length && steps < SHRINKING_STEPS; ) {
      const actions = best.plan.actions.toSpliced(from, size)
      const shorter = await run({ ...best.plan, actions })
      steps += shorter.trace.length
      if (shorter.failure) best = shorter
      else from += size
    }
  }
  return best
}
