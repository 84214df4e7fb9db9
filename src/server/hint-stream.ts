// Tells live clients how far the log reaches, as server-sent events. Positions only: what they mean is pulled.

import type { Hint } from '../protocol/sync-messages.ts'
import type { ServedStore } from './store-registry.ts'

/** Comments sent while nothing happens, so that both ends notice a dead connection. */
const HEARTBEAT_MS = 15_000

const encoder = new TextEncoder()

export type HintStreamOptions = Readonly<{
  store: ServedStore
  epoch: string
  /** Called once, when the client goes away or the store is closed. */
  onEnd: () => void
}>

/** `head` events (https://html.spec.whatwg.org/multipage/server-sent-events.html): one at once, one after growth. */
export function hintStream({ store, epoch, onEnd }: HintStreamOptions): ReadableStream<Uint8Array> {
  const { log } = store
  const ended = new AbortController()
  let told = -1

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        store.liveClients++
        const heartbeat = setInterval(() => send(controller, ':\n\n'), HEARTBEAT_MS)
        whenAborted(ended.signal, () => {
          clearInterval(heartbeat)
          store.liveClients--
          onEnd()
        })
        log.onChange(() => tellHead(controller), ended.signal)
        whenAborted(
          store.signal,
          () => {
            // Node 20 may call this although `until` has aborted, when garbage was collected in between.
            if (ended.signal.aborted) return
            ended.abort()
            controller.close()
          },
          ended.signal,
        )
      },
      // Called first of all, and then whenever the client has read what was sent.
      pull: tellHead,
      cancel: () => ended.abort(),
    },
    // No queue is built up for a client that does not read: when it does, it gets the newest head.
    { highWaterMark: 1 },
  )

  function tellHead(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const hint: Hint = { position: log.head(), epoch }
    if (hint.position === told) return
    if (send(controller, `event: head\ndata: ${JSON.stringify(hint)}\n\n`)) told = hint.position
  }
}

function send(controller: ReadableStreamDefaultController<Uint8Array>, text: string): boolean {
  if ((controller.desiredSize ?? 0) <= 0) return false
  controller.enqueue(encoder.encode(text))
  return true
}

function whenAborted(signal: AbortSignal, run: () => void, until?: AbortSignal): void {
  if (signal.aborted) run()
  else signal.addEventListener('abort', run, { once: true, ...(until && { signal: until }) })
}
