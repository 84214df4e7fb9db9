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
  let told = ''

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const heartbeat = setInterval(() => beat(controller), HEARTBEAT_MS)
        const stop = (): void => {
          ended.abort()
          controller.close()
        }
        store.liveClients++
        log.onChange(() => tellHead(controller), ended.signal)
        ended.signal.addEventListener('abort', () => {
          clearInterval(heartbeat)
          store.signal.removeEventListener('abort', stop)
          store.liveClients--
          onEnd()
        })
        if (store.signal.aborted) stop()
        else store.signal.addEventListener('abort', stop)
      },
      // Called first of all, and then whenever the client has read what was sent.
      pull: tellHead,
      cancel: () => ended.abort(),
    },
    // No queue is built up for a client that does not read: when it does, it gets the newest head.
    { highWaterMark: 1 },
  )

  function tellHead(controller: Controller): void {
    const [position, erasures] = [log.head(), log.erasures.count]
    const state = `${position} ${erasures}`
    if (state === told || !hasRoom(controller)) return
    // Set first: a client that waits for it makes the stream pull again before `enqueue` returns.
    told = state
    const hint: Hint = { position, epoch, erasures }
    controller.enqueue(encoder.encode(`event: head\ndata: ${JSON.stringify(hint)}\n\n`))
  }

  function beat(controller: Controller): void {
    if (hasRoom(controller)) controller.enqueue(encoder.encode(':\n\n'))
  }
}

type Controller = ReadableStreamDefaultController<Uint8Array>

function hasRoom({ desiredSize }: Controller): boolean {
  return desiredSize !== null && desiredSize > 0
}
