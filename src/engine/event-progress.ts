// How far events have come on their way to the server, by their ids: a rebase gives them other positions.

import { StoreError } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import { bytesOfEventId, isEventId } from '../log/event-id.ts'
import type { EventProgress, PushMark } from '../model/sync-status.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { EventLog } from './event-log.ts'
import type { LogIndex } from './log-index.ts'
import { readRejections } from './rejections.ts'

type ProgressParts = Readonly<{ index: LogIndex; storage: Pick<LogStorage, 'list'> }>

/**
 * Null for an id that the log has not. Looks ids up, and reads no block.
 *
 * @throws `StoreError` `invalid-argument` for what is no id.
 */
export async function progressOf(
  eventIds: readonly string[],
  pushed: PushMark | null,
  { index, storage }: ProgressParts,
): Promise<(EventProgress | null)[]> {
  const progress = eventIds.map(id => progressIn(index, id, pushed))
  if (!progress.includes('dropped')) return progress
  // Those that wait to be acknowledged are few.
  const rejected = new Set<string>()
  for (const { events, amendment } of await readRejections(storage)) {
    for (const { eventId } of events) rejected.add(eventId)
    if (amendment) rejected.add(amendment.amendmentId)
  }
  return progress.map((one, i) =>
    one === 'dropped' && rejected.has(eventIds[i]!.toLowerCase()) ? 'rejected' : one,
  )
}

function progressIn(index: LogIndex, eventId: string, pushed: PushMark | null): EventProgress | null {
  if (!isEventId(eventId)) throw new StoreError('invalid-argument', 'An event id must be a UUID', { eventId })
  const id = bytesOfEventId(eventId)
  const position = index.positionOfId(id)
  if (position === undefined) return index.knowsId(id) ? 'dropped' : null
  const { confirmedThrough, epoch } = index.cursor
  if (position <= confirmedThrough) return 'confirmed'
  // What is pending up to there was so when it was pushed: what a rebase takes up again stands behind all that was.
  return pushed?.epoch === epoch && position <= pushed.through ? 'pushed' : 'persisted'
}

/**
 * Resolves when all of them are confirmed.
 *
 * @throws `StoreError` `event-dropped` as soon as one cannot be any more, `unknown-event` for an id that the log has not.
 */
export async function whenConfirmed(
  eventIds: readonly string[],
  log: Pick<EventLog, 'progressOf' | 'onChange'>,
  signal: AbortSignal,
): Promise<void> {
  let left = eventIds
  while (!signal.aborted) {
    // Listened to before it is asked: what changes meanwhile is not missed.
    const change = nextChange(log, signal)
    const progress = await log.progressOf(left, null)
    for (const [i, one] of progress.entries()) mustComeThrough(left[i]!, one)
    left = left.filter((_, i) => progress[i] !== 'confirmed')
    if (left.length === 0) return
    await change
  }
}

function mustComeThrough(eventId: string, progress: EventProgress | null): void {
  if (progress === null) throw new StoreError('unknown-event', `The log has no event ${eventId}`, { eventId })
  if (progress !== 'rejected' && progress !== 'dropped') return
  const problem = progress === 'rejected' ? 'was rejected' : 'does not count any more'
  throw new StoreError('event-dropped', `Event ${eventId} ${problem}`, { eventId, progress })
}

function nextChange(log: Pick<EventLog, 'onChange'>, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const heard = new AbortController()
    const done = (): void => {
      heard.abort()
      signal.removeEventListener('abort', done)
      resolve()
    }
    log.onChange(done, heard.signal)
    signal.addEventListener('abort', done, { once: true })
  })
}

/** @throws `StoreError` `unknown-event` for a position that the log has not. */
export function mustHave(position: GlobalPosition, head: GlobalPosition): void {
  if (Number.isSafeInteger(position) && position >= 1 && position <= head) return
  throw new StoreError('unknown-event', `The log has no position ${position}`, { position })
}
