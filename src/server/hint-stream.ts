// Tells live clients how far the log reaches, as server-sent events. Positions only: what they mean is pulled.

import type { Hint } from '../protocol/sync-messages.ts'
import type { EndReason, LiveAccess } from './live-access.ts'
import type { ServedStore } from './store-registry.ts'

/** Comments sent while nothing happens, so that both ends notice a dead connection. */
const HEARTBEAT_MS = 15_000

const encoder = new TextEncoder()

export type HintStreamOptions = Readonly<{
  store: ServedStore
  epoch: string
  access: LiveAccess
  /** Called once, when the client goes away, may not listen any more, or the store is closed. */
  onEnd: (reason: EndReason | 'closed') => void
}>

/**
 * `head` events (https://html.spec.whatwg.org/multipage/server-sent-events.html): one at once, one after growth; and an
 * `end` when the client's credentials do not hold any more.
 */
export function hintStream({ store, epoch, access, onEnd }: HintStreamOptions): ReadableStream<Uint8Array> {
  const { log } = store
  const ended = new AbortController()
  let told = ''

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let timer = wakeLater()
        const stop = (): void => {
          ended.abort('closed')
          controller.close()
        }
        log.onChange(() => tellHead(controller), ended.signal)
        ended.signal.addEventListener('abort', () => {
          clearTimeout(timer)
          store.liveClients.delete(stop)
          onEnd(ended.signal.reason)
        })
        store.liveClients.add(stop)
        if (store.signal.aborted) stop()

        function wakeLater() {
          return setTimeout(wake, Math.min(HEARTBEAT_MS, access.dueInMs()))
        }

        async function wake(): Promise<void> {
          const reason = await access.check()
          if (ended.signal.aborted) return
          if (reason === null) {
            beat(controller)
            timer = wakeLater()
            return
          }
          // Whether or not the client reads: it is the last that is kept for it.
          controller.enqueue(messageOf('end', { reason }))
          controller.close()
          ended.abort(reason)
        }
      },
      // Called first of all, and then whenever the client has read what was sent.
      pull: tellHead,
      cancel: () => ended.abort('closed'),
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
    controller.enqueue(messageOf('head', { position, epoch, erasures } satisfies Hint))
  }

  function beat(controller: Controller): void {
    if (hasRoom(controller)) controller.enqueue(encoder.encode(':\n\n'))
  }
}

type Controller = ReadableStreamDefaultController<Uint8Array>

const messageOf = (event: string, data: unknown): Uint8Array =>
  encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)

function hasRoom({ desiredSize }: Controller): boolean {
  return desiredSize !== null && desiredSize > 0
}
