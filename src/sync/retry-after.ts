// The Retry-After header, RFC 9110 section 10.2.3: seconds, or a date.

import type { Clock } from './clock.ts'

/** Longer than this nobody waits without asking; and a timer over 2^31 ms would fire at once. */
const MAX_MS = 60 * 60 * 1000

/** Milliseconds from now, null where the server names no time, or none that can be read. */
export function retryAfterMs({ headers }: Response, clock: Clock): number | null {
  const value = headers.get('retry-after')?.trim()
  if (!value) return null
  const delay = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - clock.now()
  return Number.isNaN(delay) ? null : Math.min(Math.max(delay, 0), MAX_MS)
}
