// One request to the server with the token of the moment; what goes wrong on the way is a value.

import type { SyncFailure } from './sync-failure.ts'
import { orAborted, type Watchdog } from './watchdog.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/**
 * The token for the next request; null when there is none now. Asked for before each request, so that it may be a fresh
 * one, with null; and with the token that the server just refused (401), for another one: the request is then sent once
 * more. A source that has no other gives the same again, or null.
 */
export type TokenSource = (refused: string | null) => string | null | Promise<string | null>

export type ServerAccess = Readonly<{
  /** Where the server's handler is mounted; `/v1/…` is put behind it. */
  url: string
  token: TokenSource
  fetch: Fetch
}>

export type ServerRequest = Readonly<{
  path: string
  accept: string
  method?: 'GET' | 'POST'
  body?: Uint8Array<ArrayBuffer>
  /** Of the body. Default `application/octet-stream`. */
  type?: string
}>

export type Fetched = Readonly<{ type: 'response'; response: Response }> | SyncFailure

/** Resolves when the headers are there. The caller's watchdog bounds the wait, also for the token. */
export async function authorizedFetch(
  access: ServerAccess,
  request: ServerRequest,
  watchdog: Watchdog,
): Promise<Fetched> {
  try {
    const token = await tokenFor(access, null, watchdog)
    if (token === null) return { type: 'no-token' }
    const response = await send(access, request, token, watchdog)
    if (response.status !== 401) return { type: 'response', response }
    const fresh = await tokenFor(access, token, watchdog)
    if (fresh === null || fresh === token) return { type: 'response', response }
    // Its body is of no interest, but holds the connection until it is cancelled.
    response.body?.cancel().catch(() => {})
    return { type: 'response', response: await send(access, request, fresh, watchdog) }
  } catch (error) {
    return unreachable(error, watchdog)
  }
}

async function tokenFor(
  { token }: ServerAccess,
  refused: string | null,
  watchdog: Watchdog,
): Promise<string | null> {
  const given = await orAborted(Promise.resolve(token(refused)), watchdog.signal)
  watchdog.heard()
  return given
}

async function send(
  access: ServerAccess,
  request: ServerRequest,
  token: string,
  watchdog: Watchdog,
): Promise<Response> {
  const url = access.url.replace(/\/+$/, '') + request.path
  const response = await orAborted(
    access.fetch(url, initOf(request, token, watchdog.signal)),
    watchdog.signal,
  )
  watchdog.heard()
  return response
}

export function unreachable(error: unknown, watchdog: Watchdog): SyncFailure {
  const timedOut = watchdog.hasBitten()
  const message = error instanceof Error ? error.message : String(error)
  return { type: 'unreachable', message: timedOut ? 'The server did not answer in time' : message, timedOut }
}

function initOf(
  { method, accept, body, type = 'application/octet-stream' }: ServerRequest,
  token: string,
  signal: AbortSignal,
): RequestInit {
  const headers = { accept, authorization: `Bearer ${token}` }
  return {
    method: method ?? 'GET',
    headers: body ? { ...headers, 'content-type': type } : headers,
    ...(body && { body }),
    signal,
    cache: 'no-store',
    credentials: 'omit',
    // A sign-in page or a captive portal is no answer, and the token is for this address only.
    redirect: 'error',
  }
}
