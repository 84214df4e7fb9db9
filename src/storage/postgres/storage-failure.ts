// Turns what PostgreSQL and its drivers throw into the store's own errors.

import { isStoreError, StorageFailed, type StorageProblem } from '../../log/errors.ts'

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) or by Node's error code. */
const PROBLEM_BY_CODE: Readonly<Record<string, StorageProblem>> = {
  '53100': 'quota',
  '53300': 'unavailable',
  '57014': 'timeout',
  '57P01': 'unavailable',
  '57P02': 'unavailable',
  '57P03': 'unavailable',
  '57P05': 'unavailable',
  '25P03': 'timeout',
  '55P03': 'timeout',
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  ENETUNREACH: 'unavailable',
  ENOTFOUND: 'unavailable',
  ENOSPC: 'quota',
  EPIPE: 'unavailable',
  ETIMEDOUT: 'unavailable',
}

/** The package pg has words for these, and no code. */
const PROBLEM_BY_MESSAGE: readonly (readonly [words: RegExp, problem: StorageProblem])[] = [
  [/query read timeout/i, 'timeout'],
  [/connection (terminated|timeout|error)|timeout exceeded when trying|not queryable/i, 'unavailable'],
]

const RETRIABLE: readonly string[] = ['40001', '40P01']

/** A serialization failure or a deadlock: the same transaction may succeed the next time. */
export const isRetriable = (error: unknown): boolean => RETRIABLE.includes(codeOf(error))

export function storageFailureFrom(error: unknown): Error {
  if (isStoreError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new StorageFailed(problemOf(error, message), `PostgreSQL failed: ${message || codeOf(error)}`, {
    cause: error,
  })
}

export function missingPackage(name: string, cause: unknown): StorageFailed {
  return new StorageFailed('unavailable', `Install the package ${name} to use this storage`, { cause })
}

function problemOf(error: unknown, message: string): StorageProblem {
  const code = codeOf(error)
  const known = PROBLEM_BY_CODE[code]
  if (known) return known
  // Class 08 is "connection exception".
  if (code.startsWith('08')) return 'unavailable'
  return PROBLEM_BY_MESSAGE.find(([words]) => words.test(message))?.[1] ?? 'failed'
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}
