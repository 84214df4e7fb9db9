import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import {
  bytesOfEventId,
  derivedEventId,
  eventIdOf,
  isEventId,
  newEventId,
  writeEventId,
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

test('ids read from text are what the uuid package says, and what it refuses is refused', () => {
  const uuid = fc.uuid({ version: [1, 2, 3, 4, 5, 6, 7, 8] })
  const almost = fc
    .tuple(uuid, fc.nat(35), fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }))
    .map(([id, at, unit]) => id.slice(0, at) + unit + id.slice(at + 1))
  const digits = fc.string({
    minLength: 1,
    maxLength: 1,
    unit: fc.constantFrom(...'0123456789abcdefABCDEFgG-'),
  })
  const otherDigit = fc
    .tuple(uuid, fc.constantFrom(0, 8, 9, 13, 14, 19, 23, 35), digits)
    .map(([id, at, unit]) => id.slice(0, at) + unit + id.slice(at + 1))
  const edges = fc.constantFrom(
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '00000000-0000-0000-0000-000000000001',
    '',
  )
  const upper = uuid.map(id => id.toUpperCase())
  fc.assert(
    fc.property(fc.oneof(uuid, upper, almost, otherDigit, edges, fc.string()), id => {
      const bytes = new Uint8Array(20)
      const isRead = writeEventId(id, bytes, 2)
      expect(isRead).toBe(isEventId(id))
      if (isRead) expect([...bytes]).toEqual([0, 0, ...bytesOfEventId(id), 0, 0])
    }),
    { numRuns: 2_000 },
  )
  for (const value of [null, 7, {}, undefined]) expect(writeEventId(value, new Uint8Array(16), 0)).toBe(false)
})
