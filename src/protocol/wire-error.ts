// Errors as they cross ports: code, facts and way out survive, and the class is rebuilt on the other side.

import { type ErrorFacts, isStoreError, type StoreErrorCode, storeErrorFrom } from '../log/errors.ts'

/** `unexpected` is any error that the store did not throw on purpose: a bug, or an exception of the platform. */
export type WireError = Readonly<{
  code: StoreErrorCode | 'unexpected'
  message: string
  facts: ErrorFacts
  recovery: string
  /** Where it was thrown, for an unexpected one. */
  stack?: string
}>

export function wireErrorOf(error: unknown): WireError {
  if (isStoreError(error)) {
    const { code, message, facts, recovery } = error
    return { code, message, facts, recovery }
  }
  if (isAbort(error)) return { code: 'aborted', message: error.message, facts: {}, recovery: '' }
  const message = error instanceof Error ? error.message : String(error)
  const stack = error instanceof Error ? error.stack : undefined
  return { code: 'unexpected', message, facts: {}, recovery: '', ...(stack && { stack }) }
}

/** A `StoreError` of the class it had; a plain `Error` with the other side's stack for an unexpected one. */
export function errorFromWire(wire: WireError): Error {
  const error = storeErrorFrom(wire)
  if (wire.stack) error.stack = wire.stack
  return error
}

function isAbort(error: unknown): error is Error {
  return error instanceof Error && error.name === 'AbortError'
}
