// What an application may ask of whatever follows the log, and have it do: how far it is, wait, go on, pass by, begin anew.

import { StoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { ProjectionPhase, ProjectionStatus, StoppedAt } from '../../model/projection-status.ts'
import type { FoldLog } from './fold.ts'
import type { ProjectionDocuments } from './projection-documents.ts'
import type { FailedOn, SkippedEvents } from './skipped-events.ts'

/** Something that follows the log. */
export type Follower = Readonly<{
  progress: Pick<
    ProjectionDocuments,
    'isRebuilding' | 'processedPosition' | 'failures' | 'process' | 'resume' | 'rebuild'
  > &
    Readonly<{
      /** Another tab keeps it, with other handlers. Left out: that cannot be. */
      isTakenOver?: boolean
    }>
  skips: SkippedEvents
}>

export type FollowersParts = Readonly<{
  log: Pick<FoldLog, 'head' | 'catchUp' | 'onChange'>
  followers: ReadonlyMap<string, Follower>
  /** An event is skipped, which other tabs have to hear. Must not throw. */
  onSkipped?: ((name: string) => void) | undefined
}>

/** @throws `StoreError` `unknown-projection` from each method. */
export class Followers {
  readonly #parts: FollowersParts

  constructor(parts: FollowersParts) {
    this.#parts = parts
  }

  async status(name: string): Promise<ProjectionStatus> {
    const { progress, skips } = this.#named(name)
    await skips.ready()
    const headPosition = this.#parts.log.head()
    return {
      phase: phaseOf(progress, headPosition),
      processedPosition: Math.min(progress.processedPosition, headPosition),
      headPosition,
      stoppedAt: progress.failures().map(stoppedAt),
      skipped: skips.list(),
    }
  }

  /**
   * Resolves when every event up to a position is in what is given, by today's handlers.
   *
   * @throws the failure of a handler that stands before it; `AbortError` when the signal is aborted.
   */
  async whenProcessed(name: string, position: GlobalPosition, signal: AbortSignal): Promise<void> {
    const { progress } = this.#named(name)
    const { log } = this.#parts
    for (;;) {
      // Asked for before looking, so that nothing that comes in between is missed.
      const grown = nextChange(log, signal)
      if (position > log.head()) await log.catchUp()
      await progress.process()
      if (!progress.isRebuilding && progress.processedPosition >= position) return
      const [failure] = progress.failures()
      if (failure) throw failure
      await grown
    }
  }

  /** Tries again where a handler failed. */
  async resume(name: string): Promise<void> {
    await this.#named(name).progress.resume()
  }

  /** @throws `StoreError` `invalid-argument` where the projection did not stop at that event. */
  async skip(name: string, eventId: string): Promise<void> {
    const { progress, skips } = this.#named(name)
    // After an opening, it comes to where it stopped before.
    await progress.process()
    const failed = progress.failures().map(({ facts }) => facts as FailedOn)
    const event = failed.find(one => one.eventId === eventId)
    if (!event) {
      const facts = { projection: name, eventId, stoppedAt: failed.map(one => one.eventId) }
      throw new StoreError('invalid-argument', `"${name}" did not stop at event ${eventId}`, facts)
    }
    await skips.add(event)
    await progress.resume()
    this.#parts.onSkipped?.(name)
  }

  /** As {@link skip}, done in another tab. */
  async skippedElsewhere(name: string): Promise<void> {
    const follower = this.#parts.followers.get(name)
    if (!follower) return
    await follower.skips.readAgain()
    await follower.progress.resume()
  }

  /** Has everything folded again, from the first event. */
  async rebuild(name: string): Promise<void> {
    await this.#named(name).progress.rebuild()
  }

  #named(name: string): Follower {
    const follower = this.#parts.followers.get(name)
    if (follower) return follower
    throw new StoreError('unknown-projection', `There is no projection "${name}"`, { projection: name })
  }
}

function phaseOf(progress: Follower['progress'], head: GlobalPosition): ProjectionPhase {
  if (progress.failures().length > 0) return 'stopped'
  if (progress.isTakenOver) return 'taken-over'
  if (progress.isRebuilding) return 'rebuilding'
  return progress.processedPosition < head ? 'catching-up' : 'current'
}

/** What is known of the event is in the facts of the error; see `evolveState` and `TodaysEvents`. */
function stoppedAt({ facts, message }: StoreError): StoppedAt {
  const {
    eventId,
    type,
    streamName,
    globalPosition,
    problem = message,
  } = facts as Omit<StoppedAt, 'problem'> & Partial<StoppedAt>
  return { eventId, type, streamName, globalPosition, problem }
}

/** @throws `AbortError` */
function nextChange(log: Pick<FoldLog, 'onChange'>, signal: AbortSignal): Promise<void> {
  const changed = new Promise<void>((resolve, reject) => {
    signal.throwIfAborted()
    const heard = new AbortController()
    const ended = AbortSignal.any([signal, heard.signal])
    log.onChange(() => {
      heard.abort()
      resolve()
    }, ended)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: heard.signal })
  })
  // Not everybody who asks waits for it.
  changed.catch(() => {})
  return changed
}
