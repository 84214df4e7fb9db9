// What all folds share: the part of the log they read, what they fold with, and where they come to stand.

import { isStoreError, type StoreError, type StoreErrorCode } from '../../log/errors.ts'
import type { Event, GlobalPosition, Hash, RecordedEvent } from '../../log/event.ts'
import type { Evolve, HandlerCode } from '../../model/app.ts'
import type { SnapshotPolicy } from '../../model/snapshot-policy.ts'
import type { EventLog } from '../event-log.ts'

/** What a fold needs of the log. */
export type FoldLog = Pick<
  EventLog,
  | 'storage'
  | 'hash'
  | 'seal'
  | 'head'
  | 'cursor'
  | 'readStream'
  | 'readAll'
  | 'streamVersion'
  | 'isEffective'
  | 'catchUp'
  | 'onChange'
  | 'erasures'
  | 'today'
>

/** The part of a decider or projection that folds. */
export type FoldDefinition<S> = Readonly<{
  initialState: () => S
  evolve: Evolve<S, Event>
  version?: string
  snapshot?: SnapshotPolicy
  handlerCode?: HandlerCode
  /** Types to fold; all where it is left out. */
  canHandle?: readonly string[]
}>

/**
 * Up to where a fold has read. A fold stands as long as this event is effective, and nothing was erased of what it has
 * read: a rebase supersedes the whole tail from some position on, so an event that it left alone has nothing superseded
 * before it.
 */
export type Mark = Readonly<{
  /** Of one stream, the version of the last event; of all, how many events were read. 0 before the first one. */
  version: number
  position: GlobalPosition
  /** Hash of the event at `position`; null before the first one. */
  eventHash: Hash | null
  /** How many erasures the log had when the last of it was read. */
  erasures: number
  /** Types of the events that were read, folded or passed by, and where the last one of each is. */
  types: ReadonlyMap<string, GlobalPosition>
}>

export const NOTHING_READ: Mark = {
  version: 0,
  position: 0,
  eventHash: null,
  erasures: 0,
  types: new Map(),
}

/** A handler of the app failed on the event at `position`; nothing from there on is folded. */
export type FoldFailure = Readonly<{ error: StoreError; position: GlobalPosition }>

/** @param streamName null for a fold over all streams */
export function isStanding(
  { position, erasures }: Pick<Mark, 'position' | 'erasures'>,
  streamName: string | null,
  log: Pick<FoldLog, 'isEffective' | 'erasures'>,
): boolean {
  if (position === 0) return true
  return log.isEffective(position) && log.erasures.touchedSince(erasures, streamName) > position
}

/** The mark as it is when the log is now read on from it. One that does not stand stays so. */
export function markNow(
  mark: Mark,
  streamName: string | null,
  log: Pick<FoldLog, 'isEffective' | 'erasures'>,
): Mark {
  const { count } = log.erasures
  return mark.erasures === count || !isStanding(mark, streamName, log) ? mark : { ...mark, erasures: count }
}

/** The mark behind events that were just read, one at least. */
export function markBehind(before: Mark, events: readonly RecordedEvent[], version: number): Mark {
  const { globalPosition, hash } = events.at(-1)!.metadata
  const types = withTypesOf(events, before.types)
  return { ...before, version, position: globalPosition, eventHash: hash, types }
}

function withTypesOf(
  events: readonly RecordedEvent[],
  known: ReadonlyMap<string, GlobalPosition>,
): ReadonlyMap<string, GlobalPosition> {
  const last = new Map<string, GlobalPosition>()
  for (let i = events.length - 1; i >= 0; i--) {
    const { type, metadata } = events[i]!
    if (!last.has(type)) last.set(type, metadata.globalPosition)
  }
  return new Map([...known, ...last])
}

/** How many of these events, in order of position, stand at or before a position. */
export function countThrough(events: readonly RecordedEvent[], position: GlobalPosition): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (events[middle]!.metadata.globalPosition <= position) low = middle + 1
    else high = middle
  }
  return low
}

/** Rethrows what is no failure of the app's own code. */
export function failureFrom(error: unknown, event: RecordedEvent): FoldFailure {
  if (!isStoreError(error) || !OF_THE_APP.has(error.code)) throw error
  return { error, position: event.metadata.globalPosition }
}

const OF_THE_APP: ReadonlySet<StoreErrorCode> = new Set([
  'handler-failed',
  'upcast-failed',
  'unknown-event-type',
])
