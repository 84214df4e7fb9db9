// The state machine of sync in all states that two clients, a server and the messages between them can come to, up to
// a bound.

import { expect, test } from 'vitest'
import { checkModel } from './model-check.ts'

test('all rules hold in more than 100,000 states, and there is a way out of each that is tried', {
  timeout: 300_000,
}, () => {
  const { states, transitions, depth, healed } = checkModel({
    bounds: { appends: 2, restores: 1 },
    maxStates: 100_000,
    healEvery: 100,
  })
  console.log(`${states} states, ${transitions} transitions, ${depth} steps deep, ${healed} healed`)
  expect(states).toBeGreaterThan(100_000)
  expect(transitions).toBeGreaterThan(states)
  expect(healed).toBeGreaterThan(500)
})

test('a client that appends nothing comes to few states, and all of them are gone through', () => {
  const { isComplete, states } = checkModel({
    bounds: { appends: 0, restores: 0 },
    maxStates: 100_000,
    healEvery: 1,
  })
  expect(isComplete).toBe(true)
  expect(states).toBeGreaterThan(100)
})
