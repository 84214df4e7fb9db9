// A state with the events behind it, and the step from one to the next.

import type { GlobalPosition, RecordedEvent, StreamVersion } from '../../log/event.ts'
import { evolveState } from '../../model/evolve.ts'
import type { TodaysEvents } from '../todays-events.ts'
import {
  type FoldDefinition,
  type FoldFailure,
  failureFrom,
  type Mark,
  markBehind,
  NOTHING_READ,
} from './fold.ts'
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

export function foldStepOf<S>({ evolve, canHandle }: FoldDefinition<S>, today: TodaysEvents): FoldStep<S> {
  const handles = canHandle ? new Set(canHandle) : null
  return (before, events) => {
    let { state } = before
    let { count } = before.folded
    let last: RecordedEvent | null = null
    let failure: FoldFailure | null = null
    let i = 0
    try {
      for (; i < events.length; i++) {
        const event = today.of(events[i]!)
        if (event === null || (handles !== null && !handles.has(event.type))) continue
        state = evolveState(evolve, state, event)
        count++
        last = event
      }
    } catch (error) {
      failure = failureFrom(error, events[i]!)
    }
    const taken = failure ? events.slice(0, i) : events
    const version = taken.at(-1)?.metadata.streamVersion
    const read = version === undefined ? before.read : markBehind(before.read, taken, version)
    return { reached: { state, read, folded: foldedBehind(before.folded, count, last) }, failure }
  }
}

function foldedBehind(before: FoldedEvents, count: number, last: RecordedEvent | null): FoldedEvents {
  if (!last) return before
  return { count, version: last.metadata.streamVersion, position: last.metadata.globalPosition }
}

/** Null before the first event. */
export function snapshotOf<S>({ state, read, folded }: Folded<S>): FoldSnapshot | null {
  const { eventHash } = read
  return eventHash === null ? null : { ...read, eventHash, state, facts: folded }
}

/** Of a snapshot that was checked against what was written, and was made by {@link snapshotOf}. */
export function foldedFrom<S>(snapshot: FoldSnapshot): Folded<S> {
  const { version, position, eventHash, erasures, types, state, facts } = snapshot
  return {
    state: state as S,
    read: { version, position, eventHash, erasures, types },
    folded: facts as FoldedEvents,
  }
}
