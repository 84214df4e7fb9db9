// The first histories, without anything that makes them shorter: what test/mutations runs with each rule switched off.

import { expect, test } from 'vitest'
import { simulateSeed } from './simulate.ts'

const SEEDS = 300

test(`all rules hold in the first ${SEEDS} histories`, { timeout: 120_000 }, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { failure } = await simulateSeed(seed, 'memory')
    expect(failure, `seed ${seed}`).toBeNull()
  }
})
