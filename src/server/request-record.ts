// What is told of requests, to a log and to telemetry: what was asked and what came of it, never what was in it.

import type { EndReason } from './server-io.ts'

/** One answered request. No path, header, body, token or message is in it: those may hold what is nobody's business. */
export type RequestLog = Readonly<{
  event: 'request'
  /** As the answer's `x-request-id` has it. */
  requestId: string
  /** `OTHER` where it is none of HTTP's usual ones. */
  method: string
  /** As docs/protocol.md writes it, such as `/v1/log`; null for a path that is none. */
  route: string | null
  status: number
  /** Code of the failure, or the reason why a commit was refused; null where all went well. */
  code: string | null
  /** As `authorize` named them; null where it did not come so far. */
  storeId: string | null
  subject: string | null
  /** Events that were accepted, and that were given out. */
  pushedEvents: number
  pulledEvents: number
  /** Until the answer begins: a stream of hints goes on. */
  durationMs: number
}>

/** A stream of hints ended. `closed`: by the client, or with the server. */
export type StreamLog = Readonly<{
  event: 'stream-ended'
  requestId: string
  storeId: string | null
  subject: string | null
  reason: EndReason | 'closed'
  durationMs: number
}>

export type ServerLogEvent = RequestLog | StreamLog

/** What spans and counters are made of: `openTelemetry()` of streamdingo/server/telemetry is one. */
export type ServerTelemetry = Readonly<{
  /** Calls `answer`, which never rejects, and tells of what comes. */
  request: (request: Request, answer: () => Promise<RequestLog>) => Promise<void>
  /** One more stream of hints, or one less. */
  stream: (change: 1 | -1) => void
}>

/** Filled while the request is answered. */
export type RequestRecord = {
  readonly requestId: string
  readonly method: string
  route: string | null
  readonly startedAt: number
  code: string | null
  storeId: string | null
  subject: string | null
  pushedEvents: number
  pulledEvents: number
}

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

export function beginRecord({ method }: Request): RequestRecord {
  return {
    requestId: crypto.randomUUID(),
    // A client may make one up, as long and as often as it likes.
    method: METHODS.includes(method) ? method : 'OTHER',
    route: null,
    startedAt: performance.now(),
    code: null,
    storeId: null,
    subject: null,
    pushedEvents: 0,
    pulledEvents: 0,
  }
}

/** As it is now: the answer has begun. */
export function requestLogOf({ startedAt, ...record }: RequestRecord, status: number): RequestLog {
  return { event: 'request', ...record, status, durationMs: performance.now() - startedAt }
}
