// Applies an `evolve` of either form, function or handler map, to one event.

import { StoreError } from '../log/errors.ts'
import type { Event, RecordedEvent } from '../log/event.ts'
import type { Evolve } from './app.ts'

/** @throws `StoreError` with code `handler-failed` when the handler throws, or returns undefined or a promise. */
export function evolveState<S, E extends Event>(evolve: Evolve<S, E>, state: S, event: RecordedEvent<E>): S {
  const handler: Handler<S, E> | undefined =
    typeof evolve === 'function' ? evolve : ownHandler(evolve, event.type)
  if (!handler) return state
  const next = runHandler(handler, state, event)
  if (next === undefined) throw handlerFailed(event, 'it returned undefined instead of a state')
  if (next instanceof Promise) throw handlerFailed(event, 'it returned a promise; handlers are synchronous')
  return next as S
}

type Handler<S, E extends Event> = (state: S, event: RecordedEvent<E>) => S

/** Gives what the handler returns. @throws `StoreError` `handler-failed` when it throws. */
export function runHandler<S, E extends Event>(
  handler: (state: S, event: RecordedEvent<E>) => unknown,
  state: S,
  event: RecordedEvent<E>,
): unknown {
  try {
    return handler(state, event)
  } catch (cause) {
    throw handlerFailed(event, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

// Own properties only: an event type named "constructor" has no handler.
function ownHandler<S, E extends Event>(handlers: object, type: string): Handler<S, E> | undefined {
  return Object.hasOwn(handlers, type) ? (handlers as Record<string, Handler<S, E>>)[type] : undefined
}

export function handlerFailed(event: RecordedEvent, problem: string, cause?: unknown): StoreError {
  const { eventId, streamName, globalPosition } = event.metadata
  return new StoreError(
    'handler-failed',
    `The handler of ${event.type} failed at position ${globalPosition}: ${problem}`,
    { type: event.type, eventId, streamName, globalPosition, problem },
    { cause },
  )
}
