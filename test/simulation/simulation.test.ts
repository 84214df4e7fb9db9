// Many short histories of devices and a server in a world where everything that can go wrong does. How to replay one of
// them is said in README.md.

import { describe, expect, test } from 'vitest'
import { planOf } from './actions.ts'
import type { StorageKind } from './disk.ts'
import { type RunResult, shrink, simulate, simulateSeed } from './simulate.ts'

const SEEDS = { memory: 1_900, 'fake-indexeddb': 100 } as const satisfies Record<StorageKind, number>

/** How lines of a trace end of which there must be some: a history to which nothing happens shows nothing. */
const HAPPENINGS = [
  ...['full', 'timeout', 'unreadable', 'crash-before', 'crash-after'].map(fault => `meets ${fault}`),
  ...['lost', 'answer-lost', 'doubled', 'late', 'hanging', 'cut', 'failing', 'dies-sending'].map(
    fault => `will be ${fault}`,
  ),
  'POST /v1/log arrives late',
  'POST /v1/log is answered 409',
  'POST /v1/log is answered 413',
  'device 0 is put back',
  'the server is put back',
]

describe.each(['memory', 'fake-indexeddb'] as const)('on %s', storage => {
  test(`all rules hold in ${SEEDS[storage]} histories, and all is the same in the end`, {
    timeout: 600_000,
  }, async () => {
    const missing = new Set(HAPPENINGS)
    for (let seed = 1; seed <= SEEDS[storage]; seed++) {
      const result = await simulateSeed(seed, storage)
      if (result.failure) throw new Error(await reportOf(result))
      for (const one of missing) if (result.trace.some(line => line.endsWith(one))) missing.delete(one)
    }
    expect([...missing]).toEqual([])
  })

  test('the same seed gives the same history, whatever ran before it', async () => {
    const first = await simulateSeed(7, storage)
    await simulateSeed(8, storage)
    const again = await simulateSeed(7, storage)
    expect(again.trace).toEqual(first.trace)
    expect(first.trace.length).toBeGreaterThan(100)
  })
})

test('another seed gives another history', async () => {
  const [one, other] = [await simulateSeed(1, 'memory'), await simulateSeed(2, 'memory')]
  expect(one.trace).not.toEqual(other.trace)
})

test('the platform is as it was behind a run', async () => {
  const before = [Date.now, Math.random, setTimeout, performance.now, crypto.getRandomValues]
  await simulateSeed(1, 'memory')
  expect([Date.now, Math.random, setTimeout, performance.now, crypto.getRandomValues]).toEqual(before)
})

test('a history that fails is made shorter, down to what it takes', async () => {
  const run = async (plan: RunResult['plan']): Promise<RunResult> => {
    const kinds = plan.actions.map(({ kind }) => kind)
    const fails = kinds.includes('append') && kinds.lastIndexOf('netFault') > kinds.indexOf('append')
    return { plan, trace: [], failure: fails ? 'a rule' : null }
  }
  const plan = planOf(3, 'memory')
  expect(plan.actions.length).toBeGreaterThan(20)
  const { plan: shortest, failure } = await shrink(await run(plan), run)
  expect(failure).toBe('a rule')
  expect(shortest.actions.map(({ kind }) => kind)).toEqual(['append', 'netFault'])
})

async function reportOf(failed: RunResult): Promise<string> {
  const { plan, trace, failure } = await shrink(failed, simulate)
  const { seed, storage, actions } = failed.plan
  return [
    `seed ${seed}: ${failed.failure}`,
    `npm run sim -- --seed ${seed} --storage ${storage}`,
    `with ${plan.actions.length} of its ${actions.length} actions: ${failure}`,
    ...trace,
  ].join('\n')
}
