// When the lead is stolen, and how often at most.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SilenceWatch } from '../../worker/silence-watch.ts'
import { FakeLocks } from './fake-locks.ts'

const TIMINGS = { heartbeatMs: 5_000, silenceMs: 20_000 }
const LOCK = 'lead'

let locks: FakeLocks
let end: AbortController

beforeEach(() => {
  locks = new FakeLocks()
  end = new AbortController()
  vi.stubGlobal('navigator', { locks })
  vi.useFakeTimers()
})

afterEach(() => {
  end.abort()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** Holds the lead without a word: as a tab that is frozen. */
function freezeWithLead({ steal = false } = {}): void {
  locks.request(LOCK, { steal }, () => new Promise(() => {})).catch(() => {})
}

function watch(onSilent: () => void): SilenceWatch {
  const made = new SilenceWatch({ name: LOCK, timings: TIMINGS, onSilent, signal: end.signal })
  made.heard()
  return made
}

test('a leader that is not heard for 20 to 30 s is silent', async () => {
  freezeWithLead()
  const onSilent = vi.fn()
  watch(onSilent)
  await vi.advanceTimersByTimeAsync(19_999)
  expect(onSilent).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(10_002)
  expect(onSilent).toHaveBeenCalledOnce()
})

test('one that is heard from time to time is not', async () => {
  freezeWithLead()
  const onSilent = vi.fn()
  const watched = watch(onSilent)
  for (let i = 0; i < 50; i++) {
    await vi.advanceTimersByTimeAsync(19_000)
    watched.heard()
  }
  expect(onSilent).not.toHaveBeenCalled()
})

test('who took the lead meanwhile and has not said so yet has a whole silence, too', async () => {
  freezeWithLead()
  const onSilent = vi.fn()
  watch(onSilent)
  await vi.advanceTimersByTimeAsync(19_000)
  freezeWithLead({ steal: true })
  await vi.advanceTimersByTimeAsync(20_000)
  expect(onSilent).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(21_001)
  expect(onSilent).toHaveBeenCalled()
})

describe('thieves that freeze, one after the other', () => {
  test('are no storm: of ten tabs, one steals in a silence', async () => {
    freezeWithLead()
    const stolenAt: number[] = []
    for (let tab = 0; tab < 10; tab++) {
      watch(() => {
        stolenAt.push(Date.now())
        freezeWithLead({ steal: true })
      })
    }
    await vi.advanceTimersByTimeAsync(600_000)
    const between = stolenAt.slice(1).map((at, i) => at - stolenAt[i]!)
    expect(Math.min(...between)).toBeGreaterThanOrEqual(TIMINGS.silenceMs)
    // And sync never stands still for longer than two silences.
    expect(Math.max(...between)).toBeLessThanOrEqual(3 * TIMINGS.silenceMs)
    expect(stolenAt.length).toBeGreaterThan(9)
  })
})

test('where the locks may not be asked, time alone tells', async () => {
  vi.stubGlobal('navigator', {})
  const onSilent = vi.fn()
  watch(onSilent)
  await vi.advanceTimersByTimeAsync(30_001)
  expect(onSilent).toHaveBeenCalledOnce()
})
