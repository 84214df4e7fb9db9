// What an append expects of its stream, and whether that holds.

import type { StreamVersion } from './event.ts'

/**
 * The version a stream must have for an append to be accepted: an exact {@link StreamVersion}, or
 * - `NO_CONCURRENCY_CHECK`: any version (the default),
 * - `STREAM_DOES_NOT_EXIST`: the stream has no event,
 * - `STREAM_EXISTS`: it has at least one.
 */
export type ExpectedStreamVersion =
  | StreamVersion
  | 'NO_CONCURRENCY_CHECK'
  | 'STREAM_DOES_NOT_EXIST'
  | 'STREAM_EXISTS'

export function meetsExpectation(expected: ExpectedStreamVersion, actual: StreamVersion): boolean {
  switch (expected) {
    case 'NO_CONCURRENCY_CHECK':
      return true
    case 'STREAM_DOES_NOT_EXIST':
      return actual === 0
    case 'STREAM_EXISTS':
      return actual > 0
    default:
      return actual === expected
  }
}

/** Narrows what came over a port or from an untyped caller. */
export function isExpectedStreamVersion(value: unknown): value is ExpectedStreamVersion {
  return (
    value === 'NO_CONCURRENCY_CHECK' ||
    value === 'STREAM_DOES_NOT_EXIST' ||
    value === 'STREAM_EXISTS' ||
    (Number.isSafeInteger(value) && (value as number) >= 0)
  )
}
