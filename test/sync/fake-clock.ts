// A clock that stands still until a test moves it.

import type { Clock } from '../../src/sync/clock.ts'

export type FakeClock = Clock &
  Readonly<{
    /** Moves on and fires what is due on the way, in order of time. */
    advance: (ms: number) => void
    /** How far off each waiting timer is, soonest first. */
    waiting: () => readonly number[]
  }>

export function createFakeClock(start = 1_700_000_000_000): FakeClock {
  let now = start
  const timers = new Set<{ at: number; callback: () => void }>()

  return {
    now: () => now,
    setTimeout(callback, delayMs) {
      const timer = { at: now + delayMs, callback }
      timers.add(timer)
      return timer
    },
    clearTimeout: timer => {
      timers.delete(timer as { at: number; callback: () => void })
    },
    advance(ms) {
      const end = now + ms
      for (let next = soonest(); next && next.at <= end; next = soonest()) {
        now = Math.max(now, next.at)
        timers.delete(next)
        next.callback()
      }
      now = end
    },
    waiting: () => [...timers].map(({ at }) => at - now).sort((a, b) => a - b),
  }

  function soonest() {
    return [...timers].sort((a, b) => a.at - b.at)[0]
  }
}
