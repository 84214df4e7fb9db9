// What a page may ask of a projection or a read model, and have it do.

import { StoreError } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { ProjectionStatus, WhenProcessedOptions } from '../model/projection-status.ts'
import { waitInWorker } from './wait-in-worker.ts'
import type { WorkerLink } from './worker-link.ts'

export type ProjectionControl = Readonly<{
  /** How far it is, and what holds it back. */
  status: () => Promise<ProjectionStatus>
  /**
   * Resolves when every event up to a position, such as an append's `lastEventGlobalPosition`, is in what is given.
   *
   * @throws `StoreError` `handler-failed` where it stopped at an event before, `not-processed` when the time is over,
   * `aborted`.
   */
  whenProcessed: (position: GlobalPosition, options?: WhenProcessedOptions) => Promise<void>
  /** Tries again where a handler failed. */
  resume: () => Promise<void>
  /**
   * Passes by the event that it stopped at, on this device, for as long as the handler of its type stays as it is. The
   * state is not what the events say then: other devices may have another one.
   *
   * @throws `StoreError` `invalid-argument` for an event that it did not stop at.
   */
  skip: (eventId: string) => Promise<void>
  /** Folds everything again, from the first event. In the background, the state from before is given meanwhile. */
  rebuild: () => Promise<void>
}>

export function projectionControlOf(link: WorkerLink, name: string): ProjectionControl {
  return {
    status: () => link.call(worker => worker.projectionStatus(name)),
    whenProcessed: (position, { timeoutMs, signal } = {}) =>
      waitInWorker({
        link,
        ask: waitMs => link.call(worker => worker.whenProcessed(name, position, waitMs)),
        timeoutMs,
        signal,
        late: () => {
          const facts = { projection: name, position, timeoutMs }
          return new StoreError(
            'not-processed',
            `"${name}" did not come to position ${position} in time`,
            facts,
          )
        },
      }),
    resume: () => link.call(worker => worker.resumeProjection(name)),
    skip: eventId => link.call(worker => worker.skipEvent(name, eventId)),
    rebuild: () => link.call(worker => worker.rebuildProjection(name)),
  }
}
