// Tells live clients how far the log reaches, as server-sent events. Positions only: what they mean is pulled.

import type { ServedStore } from './store-registry.ts'

/** Comments sent while nothing happens, so that both ends notice a dead connection. */
const HEARTBEAT_MS = 15_000

const encoder = new TextEncoder()

/**
 * A stream of `head` events: one at once, then one after each growth, several at once told as one. Ends with
 * `signal`, or when the client goes away; `onEnd` is called once in either case.
 */
export function hintStream(
  { log, epoch }: ServedStore,
  signal: AbortSignal,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const ended = new AbortController()
  const end = (): void => {
    if (ended.signal.aborted) return
    ended.abort()
    onEnd()
  }
  return new ReadableStream(
    {
      start(controller) {
        const send = (text: string): void => {
          // A client that does not read gets the newest head when it reads again, and no queue is built up for it.
          if (!ended.signal.aborted && (controller.desiredSize ?? 0) > 0)
            controller.enqueue(encoder.encode(text))
        }
        const sendHead = (): void =>
          send(`event: head\ndata: ${JSON.stringify({ position: log.head(), epoch })}\n\n`)
        const heartbeat = setInterval(() => {
          sendHead()
          send(':\n\n')
        }, HEARTBEAT_MS)
        ended.signal.addEventListener('abort', () => clearInterval(heartbeat), { once: true })
        log.onChange(coalesced(sendHead), ended.signal)
        signal.addEventListener(
          'abort',
          () => {
            if (ended.signal.aborted) return
            end()
            controller.close()
          },
          { once: true, signal: ended.signal },
        )
        sendHead()
      },
      cancel: end,
    },
    { highWaterMark: 16 },
  )
}

/** Calls `run` once for all calls of one turn. */
function coalesced(run: () => void): () => void {
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    queueMicrotask(() => {
      isDue = false
      run()
    })
  }
}
