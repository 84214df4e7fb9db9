// Keeps a stream of hints open: fetch-streamed server-sent events, since an EventSource cannot send a token.
// A hint is a position of the server's log and no more, so a lost, doubled or late one does no harm.

import { createParser } from 'eventsource-parser'
import { decodeHint, type Hint } from '../protocol/sync-messages.ts'
import { authorizedFetch, type ServerAccess } from './authorized-fetch.ts'
import { backoffMs } from './backoff.ts'
import type { Clock } from './clock.ts'
import { chunksOf } from './response-body.ts'
import { retryAfterMs } from './retry-after.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

/** The server sends a heartbeat every 15 s: after three missed ones the connection is taken for half open. */
const SILENCE_MS = 45_000
/** A stream that ends sooner counts as a failure, or a server that hangs up at once would be asked without end. */
const STABLE_MS = 10_000
/** Characters of one event: a hint takes under a hundred. */
const MAX_EVENT_CHARS = 4096

export type HintOptions = ServerAccess &
  Readonly<{
    clock: Clock
    random: () => number
    onOpened: () => void
    /** After `onOpened`, when the stream has ended. It is opened again after a while. */
    onClosed: () => void
    onHint: (hint: Hint) => void
    /** The server ended the stream since the token is not, or not for this, any more. `onClosed` follows. */
    onRefused: () => void
    /** Ends all of it. No callback comes afterwards. */
    signal: AbortSignal
  }>

/** Resolves when the signal is aborted and the connection is gone. Never rejects. */
export async function listenForHints(options: HintOptions): Promise<void> {
  const { clock, random, signal } = options
  let failures = 0
  while (!signal.aborted) {
    const openedAt = clock.now()
    const askedToWaitMs = await listenOnce(options)
    failures = clock.now() - openedAt >= STABLE_MS ? 1 : failures + 1
    await sleep(askedToWaitMs + backoffMs(failures, random()), clock, signal)
  }
}

/** Listens until the stream ends, however it does. Returns how long the server asked to be left alone. */
async function listenOnce(options: HintOptions): Promise<number> {
  const watchdog = createWatchdog(options.clock, SILENCE_MS, options.signal)
  try {
    const fetched = await authorizedFetch(
      options,
      { path: '/v1/hints', accept: 'text/event-stream' },
      watchdog,
    )
    if (fetched.type !== 'response') return 0
    if (!isEventStream(fetched.response)) {
      // Its body is of no interest, but holds the connection until it is cancelled.
      fetched.response.body?.cancel().catch(() => {})
      return retryAfterMs(fetched.response, options.clock) ?? 0
    }
    await readHints(fetched.response, watchdog, options)
    return 0
  } finally {
    watchdog.release()
  }
}

function isEventStream({ status, headers }: Response): boolean {
  return status === 200 && (headers.get('content-type') ?? '').startsWith('text/event-stream')
}

async function readHints(response: Response, watchdog: Watchdog, options: HintOptions): Promise<void> {
  const { onOpened, onClosed, onHint, onRefused, signal } = options
  const decoder = new TextDecoder()
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onError: error => {
      if (error.type === 'max-buffer-size-exceeded') throw error
    },
    onEvent: ({ event, data }) => {
      if (signal.aborted) return
      if (event === 'head') onHint(decodeHint(data))
      // Whatever the reason is: the request that follows tells.
      if (event === 'end') onRefused()
    },
  })
  if (!signal.aborted) onOpened()
  try {
    for await (const chunk of chunksOf(response, watchdog))
      parser.feed(decoder.decode(chunk, { stream: true }))
  } catch {
    // A broken connection, a silent one, or bytes that are no hints: the stream is opened anew in any case.
  }
  if (!signal.aborted) onClosed()
}

function sleep(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    const timer = clock.setTimeout(wake, delayMs)
    signal.addEventListener('abort', wake, { once: true })

    function wake(): void {
      clock.clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
  })
}
