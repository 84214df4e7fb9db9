// Documents of a projection in two layers, the pending ones above the confirmed ones: taking back what is
// pending is dropping a layer.

import type { Event, GlobalPosition, RecordedEvent } from '../../log/event.ts'
import type { AnyProjection, Evolve } from '../../model/app.ts'
import { evolveState } from '../../model/evolve.ts'
import type { TodaysEvents } from '../todays-events.ts'
import { type FoldFailure, failureFrom, type Mark, markBehind, NOTHING_READ } from './fold.ts'
import type { FoldSnapshot } from './snapshot-record.ts'

export type LayeredDocument = Readonly<{
  state: unknown
  /** How many events were folded into it, and the position of the last one. */
  count: number
  position: GlobalPosition
}>

export class DocumentLayer {
  mark: Mark = NOTHING_READ
  readonly #below: DocumentLayer | null
  readonly #own = new Map<string, LayeredDocument>()

  constructor(below: DocumentLayer | null = null) {
    this.#below = below
  }

  /** At least as many as there are documents. */
  get size(): number {
    return this.#own.size + (this.#below?.size ?? 0)
  }

  get(id: string): LayeredDocument | undefined {
    return this.#own.get(id) ?? this.#below?.get(id)
  }

  set(id: string, document: LayeredDocument): void {
    this.#own.set(id, document)
  }

  /** Ids of the documents in this layer, those below left out. */
  ownIds(): Iterable<string> {
    return this.#own.keys()
  }

  /** Empties this layer into the one below. */
  mergeDown(): void {
    for (const [id, document] of this.#own) this.#below!.set(id, document)
    this.#below!.mark = this.mark
    this.#own.clear()
  }

  /** Empties this layer: it shows what is below. */
  drop(): void {
    this.#own.clear()
    this.mark = this.#below?.mark ?? NOTHING_READ
  }

  /** All documents, and what is known of each beside its state; the same whatever order they came in. */
  content(): Pick<FoldSnapshot, 'state' | 'facts'> {
    const documents = [...this.#all()].toSorted(([a], [b]) => (a < b ? -1 : 1))
    return {
      state: Object.fromEntries(documents.map(([id, { state }]) => [id, state])),
      facts: documents.map(([id, { count, position }]) => [id, count, position]),
    }
  }

  /** Null before the first event. */
  toSnapshot(): FoldSnapshot | null {
    const { eventHash } = this.mark
    return eventHash === null ? null : { ...this.mark, eventHash, ...this.content() }
  }

  /** Takes over a snapshot that another layer gave. */
  restore({ version, position, eventHash, erasures, types, state, facts }: FoldSnapshot): void {
    const states = state as Record<string, unknown>
    for (const [id, count, at] of facts as [string, number, GlobalPosition][]) {
      this.set(id, { state: states[id], count, position: at })
    }
    this.mark = { version, position, eventHash, erasures, types }
  }

  #all(): Map<string, LayeredDocument> {
    return new Map([...(this.#below ? this.#below.#all() : []), ...this.#own])
  }
}

/** Folds events into a layer; stops before one whose handler fails. */
export type LayerStep = (
  layer: DocumentLayer,
  events: readonly RecordedEvent[],
  touched: Set<string>,
) => FoldFailure | null

export function layerStepOf(
  { canHandle, getDocumentId, initialState, evolve }: AnyProjection,
  today: TodaysEvents,
): LayerStep {
  const handles = new Set<string>(canHandle)
  // Run as a handler is, it fails as one.
  const identify: Evolve<string | null, Event> = (_, event) => getDocumentId!(event)
  return (layer, events, touched) => {
    let i = 0
    let failure: FoldFailure | null = null
    try {
      for (; i < events.length; i++) {
        const event = today.of(events[i]!)
        if (event === null || !handles.has(event.type)) continue
        const id = evolveState(identify, null, event)
        if (id === null) continue
        const before = layer.get(id)
        const state: unknown = evolveState(evolve, before ? before.state : initialState(), event)
        layer.set(id, { state, count: (before?.count ?? 0) + 1, position: event.metadata.globalPosition })
        touched.add(id)
      }
    } catch (error) {
      failure = failureFrom(error, events[i]!)
    }
    const read = failure ? events.slice(0, i) : events
    if (read.length > 0) layer.mark = markBehind(layer.mark, read, layer.mark.version + read.length)
    return failure
  }
}
