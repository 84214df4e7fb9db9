// The page of one subject: appends, and reads back what was appended, each timed around nothing else.

import { subject } from 'bench:subject'
import { makeEvents } from '../events.ts'
import type { BenchEvent, Folded } from '../subject.ts'
import { runByHand } from './by-hand.ts'

export type AppendRound = Readonly<{
  database: string
  events: number
  batch: number
  /** How many batches may be on their way before the first one is waited for. */
  inFlight: number
}>

export type ReplayedRound = Readonly<{ openMs: number; replayMs: number; folded: Folded }>

export const bench = {
  facts() {
    const { name, version, isInMemory = false } = subject
    return { name, version, isInMemory }
  },

  /** Milliseconds from the first call to the last answer. */
  async append({ database, events, batch, inFlight }: AppendRound): Promise<number> {
    await subject.open(database)
    const batches: BenchEvent[][] = []
    for (let from = 0; from < events; from += batch) {
      batches.push(makeEvents(from, Math.min(batch, events - from)))
    }
    const start = performance.now()
    await appendAll(batches, inFlight)
    const ms = performance.now() - start
    await subject.close()
    return ms
  },

  async replay(database: string): Promise<ReplayedRound> {
    const start = performance.now()
    await subject.open(database)
    const opened = performance.now()
    const folded = await subject.replay()
    const replayMs = performance.now() - opened
    await subject.close()
    return { openMs: opened - start, replayMs, folded }
  },
}

export type SubjectPage = typeof bench

async function appendAll(batches: readonly BenchEvent[][], inFlight: number): Promise<void> {
  const waiting: Promise<void>[] = []
  for (const batch of batches) {
    if (waiting.length === inFlight) await waiting.shift()
    waiting.push(subject.append(batch))
  }
  await Promise.all(waiting)
}

Object.assign(globalThis, { bench })

runByHand(async (_, show) => {
  const round = { database: `by-hand-${Date.now()}`, events: 20_000, batch: 1_000, inFlight: 1 }
  const rate = (ms: number): string =>
    `${Math.round((round.events / ms) * 1_000).toLocaleString('en')} events/s`
  show(`${subject.name} ${subject.version}, ${round.events.toLocaleString('en')} events`)
  show(`append: ${rate(await bench.append(round))}`)
  const { openMs, replayMs } = await bench.replay(round.database)
  show(`open: ${openMs.toFixed(0)} ms`)
  show(`replay: ${rate(replayMs)}`)
})
