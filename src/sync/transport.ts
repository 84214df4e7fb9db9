// Pull and push over HTTP. Whatever the server or the network does, the result is a value.

import { textOf, utf8 } from '../log/bytes.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { isSameChoice, type StreamPattern } from '../log/stream-pattern.ts'
import {
  decodeEraseReceipt,
  decodeErasuresPage,
  type EraseReceipt,
  type EraseRequest,
  type ErasuresPage,
} from '../protocol/erasure-messages.ts'
import {
  decodeErrorBody,
  decodePrefixResponse,
  decodePullResponse,
  decodePushReceipt,
  type ErrorBody,
  encodePushRequest,
  MalformedMessage,
  type PrefixResponse,
  type PullResponse,
  type PushReceipt,
  type PushRequest,
} from '../protocol/sync-messages.ts'
import { authorizedFetch, type ServerAccess, type ServerRequest, unreachable } from './authorized-fetch.ts'
import type { Clock } from './clock.ts'
import { BodyTooLarge, readBody } from './response-body.ts'
import { retryAfterMs } from './retry-after.ts'
import { plainError, type SyncFailure } from './sync-failure.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

/** Bytes asked for in one page. */
const PAGE_BYTES = 4 * 1024 * 1024
/** Most bytes of a page that are read: a page may be a single commit, which may be larger than what was asked for. */
const MAX_PAGE_BYTES = 32 * 1024 * 1024
/** Most bytes of an answer in JSON that are read. */
const MAX_JSON_BYTES = 64 * 1024
/** Most bytes of a page of erasures that are read. */
const MAX_ERASURES_BYTES = 4 * 1024 * 1024
/** How long the server may be silent before a request is given up. */
const PATIENCE_MS = 30_000
/** On top of it for what is sent, since nothing tells how far an upload is: 32 bytes a millisecond are 256 kbit/s. */
const SLOWEST_BYTES_PER_MS = 32

export type Answer<T> = Readonly<{ type: 'ok'; value: T }> | SyncFailure

export type Transport = Readonly<{
  /**
   * The next page behind a place in the server's log, or what of it is in the streams that match. A page moves on, or is
   * at the end of the log.
   */
  pull: (
    after: number,
    signal: AbortSignal,
    streams?: readonly StreamPattern[],
  ) => Promise<Answer<PullResponse>>
  /** How the server's log begins: of so many entries, or of all where there are fewer. */
  prefix: (size: number, signal: AbortSignal) => Promise<Answer<PrefixResponse>>
  push: (message: PushRequest, signal: AbortSignal) => Promise<Answer<PushReceipt>>
  /** Records of the server's list of erasures behind a place in it: one at least. */
  erasures: (after: number, signal: AbortSignal) => Promise<Answer<ErasuresPage>>
  erase: (message: EraseRequest, signal: AbortSignal) => Promise<Answer<EraseReceipt>>
}>

export type TransportOptions = ServerAccess & Readonly<{ clock: Clock; hash: HashProvider }>

export function createTransport(options: TransportOptions): Transport {
  const { clock, hash } = options

  return {
    async pull(after, signal, streams) {
      const part = (streams ?? []).map(pattern => `&streams=${encodeURIComponent(pattern)}`).join('')
      const path = `/v1/log?after=${after}&maxBytes=${PAGE_BYTES}${part}`
      const answer = await exchange({ path, accept: 'application/octet-stream' }, MAX_PAGE_BYTES, signal)
      if (answer.type !== 'ok') return answer
      const { status, bytes } = answer.value
      return status === 200 ? decoded(() => pageOf(bytes, after, streams)) : refusalOf(answer.value)
    },

    async prefix(size, signal) {
      const request = { path: `/v1/prefix?size=${size}`, accept: 'application/json' }
      const answer = await exchange(request, MAX_JSON_BYTES, signal)
      if (answer.type !== 'ok') return answer
      const { status, bytes } = answer.value
      return status === 200 ? decoded(() => prefixIn(jsonOf(bytes), size)) : refusalOf(answer.value)
    },

    async push(message, signal) {
      const body = await encodePushRequest(message, hash)
      const request = { path: '/v1/log', accept: 'application/json', method: 'POST', body } as const
      const answer = await exchange(request, MAX_JSON_BYTES, signal)
      if (answer.type !== 'ok') return answer
      const json = jsonOf(answer.value.bytes)
      const isReceipt = answer.value.status === 200 || tellsOfRefusal(json)
      return isReceipt
        ? decoded(() => receiptOf(json, message.commits.length))
        : refusalOfPush(answer.value, message.epoch)
    },

    async erasures(after, signal) {
      const path = `/v1/erasures?after=${after}`
      const answer = await exchange({ path, accept: 'application/json' }, MAX_ERASURES_BYTES, signal)
      if (answer.type !== 'ok') return answer
      const { status, bytes } = answer.value
      return status === 200 ? decoded(() => erasuresOf(jsonOf(bytes), after)) : refusalOf(answer.value)
    },

    async erase(message, signal) {
      const body = utf8(JSON.stringify(message))
      const request = { path: '/v1/erasures', accept: 'application/json', method: 'POST', body } as const
      const answer = await exchange({ ...request, type: 'application/json' }, MAX_JSON_BYTES, signal)
      if (answer.type !== 'ok') return answer
      const { status, bytes } = answer.value
      return status === 200
        ? decoded(() => decodeEraseReceipt(jsonOf(bytes)))
        : refusalOfPush(answer.value, message.epoch)
    },
  }

  async function exchange(
    request: ServerRequest,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<Answer<Exchanged>> {
    const uploadMs = Math.ceil((request.body?.length ?? 0) / SLOWEST_BYTES_PER_MS)
    const watchdog = createWatchdog(clock, PATIENCE_MS + uploadMs, signal)
    try {
      const fetched = await authorizedFetch(options, request, watchdog)
      return fetched.type === 'response' ? await readExchange(fetched.response, maxBytes, watchdog) : fetched
    } finally {
      watchdog.release()
    }
  }

  async function readExchange(
    response: Response,
    maxBytes: number,
    watchdog: Watchdog,
  ): Promise<Answer<Exchanged>> {
    try {
      const bytes = await readBody(response, response.ok ? maxBytes : MAX_JSON_BYTES, watchdog)
      return {
        type: 'ok',
        value: { status: response.status, bytes, retryAfterMs: retryAfterMs(response, clock) },
      }
    } catch (error) {
      return error instanceof BodyTooLarge
        ? { type: 'rubbish', message: error.message }
        : unreachable(error, watchdog)
    }
  }
}

type Exchanged = Readonly<{ status: number; bytes: Uint8Array<ArrayBuffer>; retryAfterMs: number | null }>

function decoded<T>(decode: () => T): Answer<T> {
  try {
    return { type: 'ok', value: decode() }
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    const { fault, message } = error
    // It will be the same the next time: only another release of the application can take it in.
    if (fault === 'newer') return { type: 'local', error: plainError('unsupported-format', message) }
    return { type: 'rubbish', message }
  }
}

function pageOf(
  bytes: Uint8Array,
  after: number,
  streams: readonly StreamPattern[] | undefined,
): PullResponse {
  const page = decodePullResponse(bytes)
  // A server that does not know of a choice of streams gives all of them.
  if (!isSameChoice(page.streams, streams)) {
    throw new MalformedMessage('unexpected', 'a page of other streams than were asked for')
  }
  const isEmpty = page.commits.length === 0 && !page.skipped?.length
  if (page.after === after && (isEmpty ? page.next === after : page.next > after)) {
    // An empty page is the end, whatever grew behind it since it was read: hints tell of that.
    return isEmpty ? { ...page, head: after } : page
  }
  throw new MalformedMessage(
    'unexpected',
    `a page from ${page.after} to ${page.next}, asked for behind ${after}`,
  )
}

function prefixIn(json: unknown, size: number): PrefixResponse {
  const prefix = decodePrefixResponse(json)
  if (prefix.size <= size) return prefix
  throw new MalformedMessage('unexpected', `a root over ${prefix.size} entries, asked for ${size}`)
}

function erasuresOf(json: unknown, after: number): ErasuresPage {
  const page = decodeErasuresPage(json)
  if (page.after === after && page.erasures.length > 0) return page
  throw new MalformedMessage('unexpected', `no erasures behind ${after}`)
}

function receiptOf(json: unknown, commitsSent: number): PushReceipt {
  const receipt = decodePushReceipt(json)
  const { accepted, refusal } = receipt
  if (refusal === null ? accepted === commitsSent : accepted < commitsSent) return receipt
  throw new MalformedMessage('unexpected', `a receipt for ${accepted} of ${commitsSent} commits`)
}

/** A receipt with a refusal comes with the status of an error; this is how it differs from the body of one. */
function tellsOfRefusal(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'refusal' in json
}

function refusalOf({ status, bytes, retryAfterMs }: Exchanged): SyncFailure {
  return { type: 'refused', status, retryAfterMs, ...errorBodyOf(jsonOf(bytes), status) }
}

function refusalOfPush(exchanged: Exchanged, epoch: string): SyncFailure {
  const refusal = refusalOf(exchanged)
  if (refusal.type !== 'refused' || refusal.code !== 'epoch-changed') return refusal
  return { type: 'epoch-changed', expected: epoch, actual: String(refusal.facts['epoch']) }
}

/** Proxies answer for the server, and with bodies of their own. */
function errorBodyOf(json: unknown, status: number): ErrorBody {
  const body = decoded(() => decodeErrorBody(json))
  if (body.type === 'ok') return body.value
  return { code: `http-${status}`, message: `The server answered with status ${status}`, facts: {} }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes))
  } catch {
    return undefined
  }
}
