// npm run sim: runs seeds, or replays one of them with all that happened in it.

import { parseArgs } from 'node:util'
import type { StorageKind } from './disk.ts'
import { shrink, simulateSeed } from './simulate.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    storage: { type: 'string', default: 'memory' },
    // Stops sooner, and says how far it came.
    minutes: { type: 'string', default: 'Infinity' },
  },
})
const storage = storageOf(values.storage)
if (values.seed === undefined)
  await runSeeds(Number(values.from), Number(values.seeds), Number(values.minutes))
else await replay(Number(values.seed))

async function runSeeds(from: number, count: number, minutes: number): Promise<void> {
  const started = performance.now()
  const minutesGone = () => (performance.now() - started) / 60_000
  let seed = from
  let happened = 0
  let failed = 0
  for (; seed < from + count && minutesGone() < minutes; seed++) {
    const result = await simulateSeed(seed, storage)
    happened += result.trace.length
    if (result.failure) {
      failed++
      console.log(`seed ${seed}: ${result.failure}`)
    }
    if ((seed - from + 1) % 1_000 === 0) console.log(`${seed - from + 1} of ${count} seeds, ${failed} failed`)
  }
  const took = minutesGone().toFixed(1)
  console.log(
    `${seed - from} seeds from ${from} on ${storage}: ${failed} failed, ${happened} steps, ${took} min`,
  )
  process.exitCode = failed > 0 ? 1 : 0
}

async function replay(seed: number): Promise<void> {
  const result = await simulateSeed(seed, storage)
  if (!result.failure) {
    console.log(result.trace.join('\n'))
    console.log(`seed ${seed} holds`)
    return
  }
  const { trace, plan, failure } = await shrink(result)
  console.log(trace.join('\n'))
  console.log(
    `seed ${seed}, with ${plan.actions.length} of ${result.plan.actions.length} actions: ${failure}`,
  )
  process.exitCode = 1
}

function storageOf(text: string): StorageKind {
  if (text === 'memory' || text === 'fake-indexeddb') return text
  throw new Error(`--storage is memory or fake-indexeddb, not ${text}`)
}
