// How long the page's thread was kept busy at a stretch, as a user would feel it.

/** Browsers hold a nested timer back by this much. */
const TIMER_MS = 4

/**
 * Milliseconds of the longest time during the work in which nothing else got its turn. Long tasks are told of from
 * 50 ms on only, so a timer looks for shorter ones: what lies between two of its turns, less its own pause.
 */
export async function longestStretch(work: () => Promise<unknown>): Promise<number> {
  // What was done to get here is in a task of its own.
  await nextTurn()
  const start = performance.now()
  let longest = 0
  let last = start
  let timer = setTimeout(turn, 0)
  const observer = new PerformanceObserver(list => take(list.getEntries()))
  observer.observe({ type: 'longtask' })
  await work()
  const end = performance.now()
  turn()
  await nextTurn()
  take(observer.takeRecords())
  clearTimeout(timer)
  observer.disconnect()
  return longest

  function take(tasks: readonly PerformanceEntry[]): void {
    for (const { startTime, duration } of tasks) {
      if (startTime >= start && startTime < end) longest = Math.max(longest, duration)
    }
  }

  function turn(): void {
    const now = performance.now()
    longest = Math.max(longest, now - last - TIMER_MS)
    last = now
    timer = setTimeout(turn, 0)
  }
}

const nextTurn = (): Promise<void> => new Promise(resolve => setTimeout(resolve))
