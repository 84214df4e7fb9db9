// A state with the events behind it, and the step from one to the next.

import type { GlobalPosition, RecordedEvent, StreamVersion } from '../../log/event.ts'
import { evolveState } from '../../model/evolve.ts'
import {
  type FoldDefinition,
  type FoldFailure,
  type FoldLog,
  failureFrom,
  type Mark,
  markBehind,
  NOTHING_READ,
  placeOf,
} from './fold.ts'
import type { Skips } from './skipped-events.ts'
import type { FoldSnapshot } from './snapshot-record.ts'

/** Events that were folded, those passed by left out: how many, and the last one. All 0 when there was none. */
export type FoldedEvents = Readonly<{ count: number; version: StreamVersion; position: GlobalPosition }>

export type Folded<S> = Readonly<{ state: S; read: Mark; folded: FoldedEvents }>

/** Folds events on top; stops before one whose handler fails. */
export type FoldStep<S> = (
  before: Folded<S>,
  events: readonly RecordedEvent[],
) => Readonly<{ reached: Folded<S>; failure: FoldFailure | null }>

export function initiallyFolded<S>({ initialState }: FoldDefinition<S>): Folded<S> {
  return { state: initialState(), read: NOTHING_READ, folded: { count: 0, version: 0, position: 0 } }
}

/** Of one stream; whether it is one to fold is asked before. */
export function foldStepOf<S>(
  { evolve, canHandle }: FoldDefinition<S>,
  { today, order }: Pick<FoldLog, 'today' | 'order'>,
  skips: Skips,
): FoldStep<S> {
  const handles = canHandle ? new Set(canHandle) : null
  return (before, events) => {
    let { state } = before
    let { count } = before.folded
    let last: RecordedEvent | null = null
    let failure: FoldFailure | null = null
    let i = 0
    try {
      for (; i < events.length; i++) {
        const event = skips.has(events[i]!) ? null : today.of(events[i]!)
        if (event === null || (handles !== null && !handles.has(event.type))) continue
        state = evolveState(evolve, state, event)
        count++
        last = events[i]!
      }
    } catch (error) {
      failure = failureFrom(error, events[i]!, order)
    }
    const taken = failure ? events.slice(0, i) : events
    const end = taken.at(-1)
    const part = end && { events: taken, version: placeOf(end, order).version, order, covers: () => true }
    const read = part ? markBehind(before.read, part) : before.read
    const folded = last ? { count, ...placeOf(last, order) } : before.folded
    return { reached: { state, read, folded }, failure }
  }
}

/** See `ReplayParts.factsBehind`: what lies behind `at` is counted on. */
export function factsBehind(now: unknown, at: unknown, to: unknown): FoldedEvents {
  const [folded, was, old] = [now, at, to] as [FoldedEvents, FoldedEvents, FoldedEvents]
  const last = old.count > was.count ? old : folded
  return { ...last, count: folded.count + old.count - was.count }
}

/** Null before the first event. */
export function snapshotOf<S>({ state, read, folded }: Folded<S>): FoldSnapshot | null {
  const { eventHash } = read
  return eventHash === null ? null : { ...read, eventHash, state, facts: folded }
}

/** Of a snapshot that was checked against what was written, and was made by {@link snapshotOf}. */
export function foldedFrom<S>(snapshot: FoldSnapshot): Folded<S> {
  const { state, facts, ...read } = snapshot
  return {
    state: state as S,
    read,
    folded: facts as FoldedEvents,
  }
}
