// Turns what PostgreSQL and its drivers throw into the store's own errors.

import { isStoreError, StorageFailed, type StorageProblem } from '../../log/errors.ts'

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) or by Node's error code. */
const PROBLEM_BY_CODE: Readonly<Record<string, StorageProblem>> = {
  '53100': 'quota',
  '53300': 'unavailable',
  '57P01': 'unavailable',
  '57P02': 'unavailable',
  '57P03': 'unavailable',
  '57014': 'timeout',
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  ENOTFOUND: 'unavailable',
  EPIPE: 'unavailable',
}

const RETRIABLE: readonly string[] = ['40001', '40P01']

/** A serialization failure or a deadlock: the same transaction may succeed the next time. */
export const isRetriable = (error: unknown): boolean => RETRIABLE.includes(codeOf(error))

export function storageFailureFrom(error: unknown): Error {
  if (isStoreError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new StorageFailed(problemOf(error, message), `PostgreSQL failed: ${message}`, { cause: error })
}

export function missingPackage(name: string, cause: unknown): StorageFailed {
  return new StorageFailed('unavailable', `Install the package ${name} to use this storage`, { cause })
}

function problemOf(error: unknown, message: string): StorageProblem {
  const code = codeOf(error)
  // Class 08 is "connection exception"; the pool has words instead of codes.
  const isConnection =
    code.startsWith('08') || /connection (terminated|timeout)|timeout exceeded when trying/i.test(message)
  return PROBLEM_BY_CODE[code] ?? (isConnection ? 'unavailable' : 'failed')
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}
