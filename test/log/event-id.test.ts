import { afterEach, expect, test, vi } from 'vitest'
import {
  bytesOfEventId,
  derivedEventId,
  eventIdOf,
  isEventId,
  newEventId,
  writeNewEventId,
} from '../../src/log/event-id.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('new ids are version 7 UUIDs, all different, and sort as they were made', () => {
  const ids = Array.from({ length: 5000 }, newEventId)
  for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  expect(new Set(ids).size).toBe(5000)
  expect(ids.toSorted()).toEqual(ids)
})

test('ids go on sorting when the clock is set back', () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 })
  const before = newEventId()
  vi.setSystemTime(1_700_000_000_000)
  expect(newEventId() > before).toBe(true)
})

test('ids written as bytes are the same ids', () => {
  const bytes = new Uint8Array(48)
  writeNewEventId(bytes, 16)
  const id = eventIdOf(bytes.subarray(16, 32))
  expect(isEventId(id)).toBe(true)
  expect([...bytesOfEventId(id)]).toEqual([...bytes.subarray(16, 32)])
  expect(bytes[0] === 0 && bytes[32] === 0).toBe(true)
})

test('a derived id is the same for the same cause and number, and another one for any other', () => {
  const cause = newEventId()
  expect(derivedEventId(cause, 1)).toBe(derivedEventId(cause, 1))
  expect(
    new Set([cause, derivedEventId(cause, 1), derivedEventId(cause, 2), derivedEventId(newEventId(), 1)])
      .size,
  ).toBe(4)
})

test('refuses what is no UUID', () => {
  for (const value of ['', 'x', 7, null, '018f0000-0000-7000-8000-00000000000'])
    expect(isEventId(value)).toBe(false)
})
