// Failures as answers: a status, a code to branch on, and nothing of the inside.

import { isStoreError } from '../log/errors.ts'
import { MalformedMessage } from '../protocol/sync-messages.ts'
import { Unavailable } from './access.ts'

export type HttpStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 429 | 500 | 503

/** Thrown anywhere below a route to end the request with this answer. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure'
  readonly status: HttpStatus
  readonly code: string
  readonly facts: Readonly<Record<string, unknown>>

  constructor(
    status: HttpStatus,
    code: string,
    message: string,
    facts: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
    this.status = status
    this.code = code
    this.facts = facts
  }
}

/** The answer to whatever was thrown. What nobody foresaw becomes a 500 that says no more than that. */
export function httpFailureFrom(error: unknown): HttpFailure {
  if (error instanceof HttpFailure) return error
  if (error instanceof MalformedMessage) {
    return new HttpFailure(400, 'malformed', error.message, { fault: error.fault })
  }
  if (isStoreError(error, 'malformed-proof')) {
    return new HttpFailure(400, 'malformed', error.message, { fault: 'proof' })
  }
  if (isStoreError(error, 'storage-failed') || isStoreError(error, 'store-closed')) {
    return new HttpFailure(503, 'unavailable', 'The store cannot be reached now. Try again later')
  }
  if (error instanceof Unavailable) {
    return new HttpFailure(503, 'unavailable', 'Nobody knows now what this token may do. Try again later')
  }
  return new HttpFailure(500, 'internal', 'The server failed')
}

export function failureResponse(failure: HttpFailure): Response {
  const { status, code, message, facts } = failure
  return Response.json({ code, message, facts }, { status, headers: headersOf(failure) })
}

/** Seconds after which a client may try again, where nothing else is known. */
const RETRY_AFTER_SECONDS = 5

/** Headers that RFC 9110 (sections 10.2.3, 11.6.1 and 15.5.6) wants beside a status. */
function headersOf({ status, facts }: HttpFailure): Record<string, string> {
  switch (status) {
    case 401:
      return { 'www-authenticate': 'Bearer' }
    case 405:
      return { allow: String(facts['allow']) }
    case 429:
    case 503:
      return { 'retry-after': String(facts['retryAfterSeconds'] ?? RETRY_AFTER_SECONDS) }
    default:
      return {}
  }
}
