// Why a request did not do what it was for, as a value: on a network that is the normal case. And what follows.

import { type ErrorFacts, StoreError, type StoreErrorCode } from '../log/errors.ts'
import type { PlainError } from '../model/sync-status.ts'
import { PROTOCOL_VERSION, UNSUPPORTED_PROTOCOL, versionsIn } from '../protocol/negotiation.ts'

export type SyncFailure =
  /** The server answered with an error. */
  | Readonly<{
      type: 'refused'
      status: number
      code: string
      message: string
      facts: ErrorFacts
      retryAfterMs: number | null
    }>
  /** No answer: no network, no server, or none in time. */
  | Readonly<{ type: 'unreachable'; message: string; timedOut: boolean }>
  /** An answer that is none: another program's, a broken one, one without an end. */
  | Readonly<{ type: 'rubbish'; message: string }>
  /** The application has no token to send, so nothing was sent. */
  | Readonly<{ type: 'no-token' }>
  /** The server's log is another one than before, restored or reset, and the server says so. */
  | Readonly<{ type: 'epoch-changed'; expected: string; actual: string }>
  /** It is another one, and the server does not say so. */
  | Readonly<{ type: 'log-changed'; message: string; facts: ErrorFacts }>
  /** The log here could not take the page in. */
  | Readonly<{ type: 'local'; error: PlainError }>

/** `stop` lasts until the application acts, `wait` until the next try. */
export type Verdict = Readonly<{ type: 'stop' | 'wait'; error: PlainError; retryAfterMs: number }>

export function verdictOn(failure: SyncFailure): Verdict {
  switch (failure.type) {
    case 'refused':
      return verdictOnRefusal(failure)
    case 'unreachable':
      return wait('sync-unreachable', failure.message, { timedOut: failure.timedOut })
    case 'rubbish':
      return wait('sync-protocol', failure.message)
    case 'no-token':
      return stop('sync-refused', 'There is no token to send to the server', { reason: 'no-token' })
    case 'epoch-changed': {
      const { expected, actual } = failure
      return wait('sync-protocol', OTHER_LOG, { reason: failure.type, expected, actual })
    }
    case 'log-changed':
      return wait('sync-protocol', `${OTHER_LOG}: ${failure.message}`, {
        reason: failure.type,
        ...failure.facts,
      })
    case 'local':
      // A full disk may have room again; a page that does not fit the chain will not fit the next time either.
      return { type: typeOfLocal(failure.error), error: failure.error, retryAfterMs: 0 }
  }
}

const OTHER_LOG = 'The server has another log than before'

/** What is to be found out first is what of the server's log is as it is known here. */
export const isOtherLog = ({ type }: SyncFailure): boolean =>
  type === 'epoch-changed' || type === 'log-changed'

export function plainError(code: StoreErrorCode, message: string, facts: ErrorFacts = {}): PlainError {
  return plainErrorOf(new StoreError(code, message, facts))
}

function verdictOnRefusal(failure: Extract<SyncFailure, { type: 'refused' }>): Verdict {
  const { status, code, message, retryAfterMs } = failure
  const facts = { ...failure.facts, status, reason: code }
  if (sharesNoVersion(failure)) return wait(UNSUPPORTED_PROTOCOL, ...otherVersions(failure.facts))
  if (status === 401 || status === 403) return stop('sync-refused', message, facts)
  const verdict = wait(isPassing(status) ? 'sync-unreachable' : 'sync-refused', message, facts)
  return { ...verdict, retryAfterMs: retryAfterMs ?? 0 }
}

/** Nothing else that the server answers means anything here. */
export const sharesNoVersion = (failure: SyncFailure): boolean =>
  failure.type === 'refused' && failure.code === UNSUPPORTED_PROTOCOL

/** Waited for, and not stopped at: nobody here hears of a server that was updated. */
function otherVersions(told: ErrorFacts): [message: string, facts: ErrorFacts] {
  const versions = versionsIn(told) ?? []
  const update = versions.some(version => version > PROTOCOL_VERSION) ? 'app' : 'server'
  const message = `The server speaks versions ${versions.join(', ')} of the sync protocol, and this app ${PROTOCOL_VERSION}: update the ${update}`
  return [message, { versions, version: PROTOCOL_VERSION, update }]
}

/** Whether the same request may well be answered otherwise later. */
export const isPassing = (status: number): boolean => status >= 500 || status === 408 || status === 429

function typeOfLocal({ code }: PlainError): Verdict['type'] {
  return code === 'storage-failed' ? 'wait' : 'stop'
}

function stop(code: StoreErrorCode, message: string, facts: ErrorFacts = {}): Verdict {
  return { type: 'stop', error: plainError(code, message, facts), retryAfterMs: 0 }
}

function wait(code: StoreErrorCode, message: string, facts: ErrorFacts = {}): Verdict {
  return { type: 'wait', error: plainError(code, message, facts), retryAfterMs: 0 }
}

export function plainErrorOf({ code, message, facts, recovery }: StoreError): PlainError {
  return { code, message, facts, recovery }
}
