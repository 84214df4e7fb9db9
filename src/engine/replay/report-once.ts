// Failures of handlers, each told once: a fold meets the same one whenever somebody asks.

import type { StoreError } from '../../log/errors.ts'
import type { OnFoldFailure } from './projection-documents.ts'

export type HandlerFailure = Readonly<{
  /** Or read model. */
  projection: string
  /** `handler-failed`; its facts name the event. */
  error: StoreError
}>

/** A failure is met again whenever its document is asked for, and after a rebase at another position. */
export function reportOnce(
  projection: string,
  onHandlerFailed: ((failure: HandlerFailure) => void) | undefined,
): OnFoldFailure {
  const reported = new Set<unknown>()
  return ({ error }) => {
    const { eventId } = error.facts as { eventId?: unknown }
    if (reported.has(eventId)) return
    reported.add(eventId)
    onHandlerFailed?.({ projection, error })
  }
}
