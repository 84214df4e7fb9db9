// What all folds share: the part of the log they read, what they fold with, and where they come to stand.

import { isStoreError, StoreError, type StoreErrorCode } from '../../log/errors.ts'
import type { Event, GlobalPosition, Hash, RecordedEvent } from '../../log/event.ts'
import type { Evolve, HandlerCode } from '../../model/app.ts'
import type { SnapshotPolicy } from '../../model/snapshot-policy.ts'
import type { Place } from '../amendments/effective-order.ts'
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
  | 'order'
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
  /** Categories of the streams to fold; all where it is left out. */
  categories?: readonly string[]
}>

/**
 * Up to where a fold has read, in places: where an event counts, which is where it was recorded as long as nobody amends
 * its stream. A fold stands as long as this place is effective, and nothing was erased of what it has read, or amended:
 * a rebase supersedes the whole tail from some position on, so an event that it left alone has nothing superseded
 * before it.
 */
export type Mark = Readonly<{
  /** Of one stream, the version of the last event; of all, how many events were read. 0 before the first one. */
  version: number
  position: GlobalPosition
  /** Hash of the last event that counts at `position`; null before the first one. */
  eventHash: Hash | null
  /** How many erasures the log had when the last of it was read. */
  erasures: number
  /** Position of the last entry that had changed the order of events by then; 0 where none had. */
  amendedAt: GlobalPosition
  /** Types of the events that were read, folded or passed by, and where the last one of each is. */
  types: ReadonlyMap<string, GlobalPosition>
}>

export const NOTHING_READ: Mark = {
  version: 0,
  position: 0,
  eventHash: null,
  erasures: 0,
  amendedAt: 0,
  types: new Map(),
}

/** A handler of the app failed on the event at `position`; nothing from there on is folded. */
export type FoldFailure = Readonly<{ error: StoreError; position: GlobalPosition }>

/** What a fold knew of the log's changes to its own past. */
export type KnownChanges = Pick<Mark, 'erasures' | 'amendedAt'>

type ChangingLog = Pick<FoldLog, 'erasures' | 'order'>

/**
 * The first place at which something else counts than what a fold has read; infinite where nothing does.
 *
 * @param streamName null for a fold over all streams
 */
export function changedSince(
  known: KnownChanges,
  streamName: string | null,
  log: ChangingLog,
): GlobalPosition {
  const erased = erasedSince(known.erasures, streamName, log)
  return log.order.isEmpty ? erased : Math.min(erased, amendedSince(known.amendedAt, streamName, log))
}

/** As {@link changedSince}, by amendments alone. */
export const amendedSince = (
  amendedAt: GlobalPosition,
  streamName: string | null,
  { order }: Pick<FoldLog, 'order'>,
): GlobalPosition => order.changedBetween(amendedAt, order.changedAt(streamName), streamName).first

/** As {@link changedSince}, by erasures alone. */
export function erasedSince(
  count: number,
  streamName: string | null,
  { erasures, order }: ChangingLog,
): GlobalPosition {
  const first = erasures.touchedSince(count, streamName)
  if (first === Infinity || order.isEmpty) return first
  // It may have counted at an earlier place than it was recorded at.
  return Math.min(first, order.firstChanged(streamName))
}

/** @param streamName null for a fold over all streams */
export function isStanding(
  mark: Pick<Mark, 'position'> & KnownChanges,
  streamName: string | null,
  log: Pick<FoldLog, 'isEffective'> & ChangingLog,
): boolean {
  const { position } = mark
  return position === 0 || (log.isEffective(position) && changedSince(mark, streamName, log) > position)
}

/** The mark as it is when the log is now read on from it. One that does not stand stays so. */
export function markNow(
  mark: Mark,
  streamName: string | null,
  log: Pick<FoldLog, 'isEffective'> & ChangingLog,
): Mark {
  const erasures = log.erasures.count
  const amendedAt = log.order.changedAt(streamName)
  const isAsItIs = mark.erasures === erasures && mark.amendedAt === amendedAt
  return isAsItIs || !isStanding(mark, streamName, log) ? mark : { ...mark, erasures, amendedAt }
}

/** Up to where no rebase changes anything of what a fold has read. */
export function settledThrough(
  log: Pick<FoldLog, 'cursor' | 'order'>,
  streamName: string | null,
): GlobalPosition {
  const { confirmedThrough } = log.cursor()
  return log.order.isEmpty ? confirmedThrough : log.order.settledThrough(confirmedThrough, streamName)
}

/** Where an event counts. */
export function placeOf({ metadata }: RecordedEvent, order: FoldLog['order']): Place {
  if (!order.isEmpty) return order.placeOf(metadata)
  return { version: metadata.streamVersion, position: metadata.globalPosition }
}

export type ReadPart = Readonly<{
  /** One at least. */
  events: readonly RecordedEvent[]
  /** What the mark's is behind them. */
  version: number
  order: FoldLog['order']
  /** Whether a stream is one to fold. */
  covers: (streamName: string) => boolean
}>

/** The mark behind events that were just read. */
export function markBehind(before: Mark, { events, version, order, covers }: ReadPart): Mark {
  const last = events.at(-1)!
  const types = new Map(before.types)
  for (const [type, position] of lastOfEachType(events, order, covers)) types.set(type, position)
  return { ...before, version, position: placeOf(last, order).position, eventHash: last.metadata.hash, types }
}

function lastOfEachType(
  events: readonly RecordedEvent[],
  order: FoldLog['order'],
  covers: ReadPart['covers'],
): ReadonlyMap<string, GlobalPosition> {
  const last = new Map<string, GlobalPosition>()
  for (let i = events.length - 1; i >= 0; i--) {
    const event = events[i]!
    if (last.has(event.type) || !covers(event.metadata.streamName)) continue
    last.set(event.type, placeOf(event, order).position)
  }
  return last
}

/** How many of these events, in the order in which they count, do so at or before a position. */
export function countThrough(
  events: readonly RecordedEvent[],
  position: GlobalPosition,
  order: FoldLog['order'],
): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (placeOf(events[middle]!, order).position <= position) low = middle + 1
    else high = middle
  }
  return low
}

/** Rethrows what is no failure of the app's own code. */
export function failureFrom(error: unknown, event: RecordedEvent, order: FoldLog['order']): FoldFailure {
  if (!isStoreError(error) || !OF_THE_APP.has(error.code)) throw error
  return { error: withRecordedType(error, event), position: placeOf(event, order).position }
}

/** An upcaster may have given the handler an event of another type. */
function withRecordedType(error: StoreError, { type }: RecordedEvent): StoreError {
  const { code, message, facts, cause } = error
  if (facts['type'] === type) return error
  return new StoreError(code, message, { ...facts, recordedType: type }, { cause })
}

const OF_THE_APP: ReadonlySet<StoreErrorCode> = new Set([
  'handler-failed',
  'upcast-failed',
  'unknown-event-type',
  // No fault of the app, but told, passed by and resumed in the same way.
  'decryption-failed',
])
