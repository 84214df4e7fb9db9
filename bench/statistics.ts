// What many timings come to: the middle, the ends, and the tail.

export type Summary = Readonly<{ median: number; min: number; max: number }>

/** @throws `RangeError` without a sample. */
export function summaryOf(samples: readonly number[]): Summary {
  return { median: percentile(samples, 50), min: percentile(samples, 0), max: percentile(samples, 100) }
}

/**
 * The value that so many in a hundred samples do not exceed, interpolated between the two next to that place.
 *
 * @throws `RangeError` without a sample.
 */
export function percentile(samples: readonly number[], percent: number): number {
  if (samples.length === 0) throw new RangeError('There is no percentile of nothing')
  const sorted = Float64Array.from(samples).sort()
  const place = ((sorted.length - 1) * percent) / 100
  const below = sorted[Math.floor(place)]!
  const above = sorted[Math.ceil(place)]!
  return below + (above - below) * (place - Math.floor(place))
}
