// A live client, as a body of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): carries out
// what the state machine of the stream says.

import { Exchange } from './exchange.ts'
import type { AccessNow, EndReason, Question, StreamEffect } from './server-io.ts'
import type { ServedStore } from './store-registry.ts'

const encoder = new TextEncoder()

export type HintStreamOptions = Readonly<{
  store: ServedStore
  question: Extract<Question, { type: 'hints' }>
  /** Whose the stream is, asked again while it lives. */
  access: () => Promise<AccessNow>
}>

/** Called once, when the client goes away, may not listen any more, or the store is closed. */
export type OnEnd = (reason: EndReason | 'closed') => void

export type HintStream = Readonly<{
  exchange: Exchange
  /** Once, when the exchange was answered that it may begin. */
  open: (onEnd: OnEnd) => ReadableStream<Uint8Array>
}>

export function hintStream({ store, question, access }: HintStreamOptions): HintStream {
  const ended = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let onEnd: OnEnd = () => {}
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null
  const exchange = new Exchange(store, question, {}, run)

  return {
    exchange,
    open(whenEnded) {
      onEnd = whenEnded
      store.live.add(exchange)
      if (store.state.isClosed) exchange.dispatch({ type: 'closed' })
      const inform = (): void => exchange.dispatch({ type: 'grew', standing: exchange.standing() })
      store.log.onChange(inform, ended.signal)
      return new ReadableStream(
        {
          start: opened => {
            controller = opened
            if (ended.signal.aborted) opened.close()
          },
          // Called first of all, and then whenever the client has read what was sent.
          pull: () => exchange.dispatch({ type: 'reads', standing: exchange.standing() }),
          cancel: () => {
            controller = null
            exchange.dispatch({ type: 'left' })
          },
        },
        { highWaterMark: 1 },
      )
    },
  }

  function run(effect: StreamEffect): void {
    switch (effect.type) {
      case 'hint':
        controller?.enqueue(messageOf('head', effect.hint))
        break
      case 'beat':
        controller?.enqueue(encoder.encode(':\n\n'))
        break
      case 'schedule':
        clearTimeout(timer)
        timer = setTimeout(() => exchange.dispatch({ type: 'timer' }), effect.delayMs)
        break
      case 'cancelTimer':
        clearTimeout(timer)
        break
      case 'checkAccess':
        void access().then(known => exchange.dispatch({ type: 'accessKnown', access: known }))
        break
      case 'end':
        end(effect.reason)
        break
    }
  }

  function end(reason: EndReason | 'closed'): void {
    ended.abort()
    store.live.delete(exchange)
    // Whether or not the client reads: it is the last that is kept for it.
    if (reason !== 'closed') controller?.enqueue(messageOf('end', { reason }))
    controller?.close()
    onEnd(reason)
  }
}

const messageOf = (event: string, data: unknown): Uint8Array =>
  encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
