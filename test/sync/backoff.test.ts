import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../src/sync/backoff.ts'
import { retryAfterMs } from '../../src/sync/retry-after.ts'
import { createFakeClock } from './fake-clock.ts'

describe('backoff', () => {
  test('may be nothing, and doubles its bound with each failure', () => {
    expect(backoffMs(1, 0)).toBe(0)
    expect([1, 2, 3].map(failures => backoffMs(failures, 0.5))).toEqual([250, 500, 1000])
  })

  test('is never more than a minute, however many failures there were', () => {
    expect(backoffMs(8, 1)).toBe(60_000)
    expect(backoffMs(1e9, 1)).toBe(60_000)
  })
})

describe('Retry-After', () => {
  const clock = createFakeClock(Date.parse('2026-01-01T00:00:00Z'))
  const read = (value?: string) =>
    retryAfterMs(new Response('', value ? { headers: { 'retry-after': value } } : {}), clock)

  test('is read as seconds or as a date', () => {
    expect(read('120')).toBe(120_000)
    expect(read('Thu, 01 Jan 2026 00:00:30 GMT')).toBe(30_000)
    expect(read('Wed, 31 Dec 2025 23:00:00 GMT')).toBe(0)
  })

  test('is passed over when it is missing or cannot be read', () => {
    expect(read()).toBeNull()
    expect(read('soon')).toBeNull()
  })

  test('is bounded, since a timer over 24 days would fire at once', () => {
    expect(read('999999999')).toBe(3_600_000)
  })
})
