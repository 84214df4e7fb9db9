// Turns what IndexedDB throws into the store's own errors, with the problem an application can act on.

import { isStoreError, StorageFailed, type StorageProblem } from '../../log/errors.ts'

/** By name of the DOMException, see https://www.w3.org/TR/IndexedDB/#exceptions */
const PROBLEM_BY_NAME: Readonly<Record<string, StorageProblem>> = {
  QuotaExceededError: 'quota',
  InvalidStateError: 'closed',
  VersionError: 'version-change',
  SecurityError: 'unavailable',
}

const MESSAGE_BY_PROBLEM: Partial<Record<StorageProblem, string>> = {
  quota: 'There is no room left. Free some, or ask the user to; writing goes on as soon as there is',
  closed: 'The database is closed',
  'version-change': 'The database was written by a newer version of the app. Reload to update',
  unavailable: 'This browser does not allow IndexedDB here, as in some private modes',
}

/** @param otherNames what a library on top of IndexedDB calls its errors */
export function storageFailureFrom(
  error: unknown,
  otherNames: Readonly<Record<string, StorageProblem>> = {},
): Error {
  if (isStoreError(error)) return error
  const { name = '', message = String(error) } = (error ?? {}) as { name?: string; message?: string }
  const problem = PROBLEM_BY_NAME[name] ?? otherNames[name] ?? 'failed'
  return new StorageFailed(problem, MESSAGE_BY_PROBLEM[problem] ?? `IndexedDB failed: ${message}`, {
    cause: error,
  })
}
