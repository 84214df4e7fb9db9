// One request to the server with the token of the moment; what goes wrong on the way is a value.

import type { SyncFailure } from './sync-failure.ts'
import { orAborted, type Watchdog } from './watchdog.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type ServerAccess = Readonly<{
  /** Where the server's handler is mounted; `/v1/…` is put behind it. */
  url: string
  /** Null when there is none now. Asked for before each request, so that it may be a fresh one. */
  token: () => string | null | Promise<string | null>
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
    const token = await orAborted(Promise.resolve(access.token()), watchdog.signal)
    if (token === null) return { type: 'no-token' }
    const url = access.url.replace(/\/+$/, '') + request.path
    const response = await orAborted(
      access.fetch(url, initOf(request, token, watchdog.signal)),
      watchdog.signal,
    )
    watchdog.heard()
    return { type: 'response', response }
  } catch (error) {
    return unreachable(error, watchdog)
  }
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
