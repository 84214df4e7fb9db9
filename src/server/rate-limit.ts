// How often somebody may ask: token buckets, kept in memory.

/** Somewhere else than in memory it may count for several servers at once. */
export type RateLimiter = Readonly<{
  /** Takes one from what `key` may have. 0, or how many milliseconds until there is one again. */
  take: (key: string) => number | Promise<number>
}>

export type TokenBucketOptions = Readonly<{
  /** Requests a second, in the long run. */
  perSecond: number
  /** Requests at once, after a rest. Default: those of ten seconds, one at least. */
  burst?: number
  /** Most keys that are remembered; the one that was let through longest ago is forgotten first. Default 100,000. */
  maxKeys?: number
  /** Milliseconds, of a clock that does not go back. */
  now?: () => number
}>

/**
 * Counts in this process alone: of several servers, each lets as much through. What is refused costs nothing, so who
 * asks all the time gets `perSecond`.
 */
export function createTokenBuckets(options: TokenBucketOptions): RateLimiter {
  const {
    perSecond,
    burst = Math.max(1, perSecond * 10),
    maxKeys = 100_000,
    now = () => performance.now(),
  } = options
  const costMs = 1000 / perSecond
  // When a key's bucket will be full again is all there is to know of it. In the order in which they were let through.
  const fullAt = new Map<string, number>()

  return {
    take(key) {
      const at = now()
      const next = Math.max(at, fullAt.get(key) ?? at) + costMs
      const waitMs = next - at - burst * costMs
      if (waitMs > 0) return Math.ceil(waitMs)
      fullAt.delete(key)
      fullAt.set(key, next)
      if (fullAt.size > maxKeys) fullAt.delete(fullAt.keys().next().value!)
      return 0
    },
  }
}
