// Nobody knows whether a write without an answer took place. With its ids, to try again is safe.

import { type ErrorFacts, isStoreError, StoreError } from '../log/errors.ts'

/** The error of a write that may have taken place, with the ids to try it again by. */
export function withIds(error: unknown, ids: ErrorFacts): unknown {
  if (!isStoreError(error)) return error
  return new StoreError(error.code, error.message, { ...error.facts, ...ids }, { cause: error })
}
