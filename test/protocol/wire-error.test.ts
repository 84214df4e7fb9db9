import { expect, test } from 'vitest'
import {
  InvalidEvent,
  isStoreError,
  LogDamaged,
  StorageFailed,
  StoreError,
  VersionConflict,
} from '../../src/log/errors.ts'
import { errorFromWire, wireErrorOf } from '../../src/protocol/wire-error.ts'

const cross = (error: unknown): Error => errorFromWire(structuredClone(wireErrorOf(error)))

test.each([
  new VersionConflict([{ streamName: 'a', expected: 'STREAM_EXISTS', actual: 0 }]),
  new InvalidEvent('events[1].data.when', 'JSON has no undefined'),
  new LogDamaged(3, 'hash'),
  new StorageFailed('quota', 'full'),
  new StoreError('command-refused', 'sold out', { decider: 'cart' }),
])('$name crosses with class, code, message, facts and recovery', error => {
  const { name, code, message, facts, recovery } = error
  const arrived = cross(error)
  expect(arrived).toBeInstanceOf(error.constructor)
  expect(arrived).toMatchObject({ name, code, message, facts, recovery })
})

test('an error that was not thrown on purpose stays a plain one, with the stack of where it was', () => {
  const arrived = cross(new TypeError('no such thing'))
  expect(isStoreError(arrived)).toBe(false)
  expect(arrived.message).toBe('no such thing')
  expect(arrived.stack).toContain('wire-error.test')
})

test('what is thrown without being an error is told in words', () => {
  expect(cross('just text').message).toBe('just text')
})

test("an abort of the platform is the store's own abort", () => {
  expect(cross(new DOMException('This operation was aborted', 'AbortError'))).toMatchObject({
    code: 'aborted',
  })
})
