// Turns what Dexie throws into the store's own errors.

import type { StorageProblem } from '../log/errors.ts'
import { storageFailureFrom } from '../storage/indexeddb/storage-failure.ts'

/** See https://dexie.org/docs/DexieErrors/DexieError; other names are those of IndexedDB. */
const PROBLEM_BY_NAME: Readonly<Record<string, StorageProblem>> = {
  DatabaseClosedError: 'closed',
  VersionChangeError: 'version-change',
  MissingAPIError: 'unavailable',
}

/** They say what failed; why is in them, as that there is no room left. */
const WRAPPERS = new Set(['AbortError', 'OpenFailedError', 'BulkError', 'ModifyError'])

export function dexieFailureFrom(error: unknown): Error {
  return storageFailureFrom(reasonOf(error), PROBLEM_BY_NAME)
}

function reasonOf(error: unknown): unknown {
  const {
    name = '',
    inner,
    failures,
  } = (error ?? {}) as { name?: string; inner?: unknown; failures?: unknown[] }
  const reason = WRAPPERS.has(name) ? (inner ?? failures?.[0]) : undefined
  return reason ? reasonOf(reason) : error
}
