// How long to wait before the next try.

const BASE_MS = 500
const CAP_MS = 60_000

/**
 * Exponential backoff with full jitter: anything from nothing to `500 ms * 2^(failures - 1)`, at most 60 s. All of
 * the range is used, so that clients which lost the server together do not come back together.
 *
 * @param failures how many tries have failed in a row, from 1
 * @param chance a random number in [0, 1)
 * @see https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
 */
export function backoffMs(failures: number, chance: number): number {
  // Bounded before the power is taken: 2 ** 1024 is no number any more.
  const doublings = Math.min(failures - 1, 30)
  return Math.round(chance * Math.min(CAP_MS, BASE_MS * 2 ** doublings))
}
