import { expect, test } from 'vitest'
import {
  InvalidEvent,
  isStoreError,
  LogDamaged,
  StorageFailed,
  StoreError,
  storeErrorFrom,
  VersionConflict,
} from '../../src/log/errors.ts'

test('an error rebuilt from its wire form has its class, facts and way out again', () => {
  const errors = [
    new VersionConflict([{ streamName: 'a', expected: 1, actual: 2 }]),
    new InvalidEvent('events[0].data', 'no'),
    new LogDamaged(7, 'bad'),
    new StorageFailed('quota', 'full'),
    new StoreError('command-refused', 'no', { reason: 'no' }),
  ]
  for (const error of errors) {
    const { code, message, facts } = error
    const rebuilt = storeErrorFrom(structuredClone({ code, message, facts }))
    expect(rebuilt).toBeInstanceOf(error.constructor)
    expect(rebuilt).toMatchObject({ name: error.name, code, message, facts, recovery: error.recovery })
    expect(isStoreError(rebuilt, code)).toBe(true)
  }
})

test('an unknown code stays a plain error', () => {
  const rebuilt = storeErrorFrom({ code: 'constructor', message: 'odd', facts: {} })
  expect(isStoreError(rebuilt)).toBe(false)
  expect(rebuilt.message).toBe('odd')
})
