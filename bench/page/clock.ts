// Milliseconds that work takes, and what they make of a count.

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export const perSecond = (count: number, ms: number): number => (count / ms) * 1_000
