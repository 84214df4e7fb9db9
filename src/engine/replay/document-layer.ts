// Documents of a projection in two layers, the pending ones above the confirmed ones: taking back what is
// pending is dropping a layer.

import type { Event, GlobalPosition, RecordedEvent } from '../../log/event.ts'
import type { AnyProjection, Evolve } from '../../model/app.ts'
import { categoryTest } from '../../model/category.ts'
import { evolveState } from '../../model/evolve.ts'
import {
  type FoldFailure,
  type FoldLog,
  failureFrom,
  type Mark,
  markBehind,
  NOTHING_READ,
  placeOf,
} from './fold.ts'
import type { ProjectionDocument } from './projection-documents.ts'
import type { Skips } from './skipped-events.ts'
import type { FoldSnapshot } from './snapshot-record.ts'

export type LayeredDocument = Readonly<{
  state: unknown
  /** How many events were folded into it, and the position of the last one. */
  count: number
  position: GlobalPosition
}>

/** Of each document, how many events were folded into it, and the position of the last one. In order of ids. */
type DocumentFacts = readonly (readonly [id: string, count: number, position: GlobalPosition])[]

/** See `ReplayParts.factsBehind`: what lies behind `at` is counted on. */
export function documentFactsBehind(now: unknown, at: unknown, to: unknown): DocumentFacts {
  const folded = new Map((now as DocumentFacts).map(fact => [fact[0], fact]))
  const was = new Map((at as DocumentFacts).map(fact => [fact[0], fact]))
  return (to as DocumentFacts).map(([id, count, position]) => {
    const [, nowCount, nowPosition] = folded.get(id) ?? [id, 0, 0]
    const behind = count - (was.get(id)?.[1] ?? 0)
    return [id, nowCount + behind, behind > 0 ? position : nowPosition]
  })
}

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
  restore({ state, facts, ...mark }: FoldSnapshot): void {
    const states = state as Record<string, unknown>
    for (const [id, count, at] of facts as DocumentFacts) {
      this.set(id, { state: states[id], count, position: at })
    }
    this.mark = mark
  }

  /** By itself: what happens below makes no difference to it. */
  copy(): DocumentLayer {
    const copy = new DocumentLayer()
    for (const [id, document] of this.#all()) copy.set(id, document)
    copy.mark = this.mark
    return copy
  }

  #all(): Map<string, LayeredDocument> {
    return new Map([...(this.#below ? this.#below.#all() : []), ...this.#own])
  }
}

/** A document with what is pending of it: what `latest` has and `base` has not. */
export function documentIn(
  latest: DocumentLayer,
  base: DocumentLayer,
  documentId: string,
): ProjectionDocument | null {
  const document = latest.get(documentId)
  if (!document) return null
  const { state, count, position } = document
  const pending = count - (base.get(documentId)?.count ?? 0)
  return { state, streamVersion: count, globalPosition: position, pending }
}

/** Folds events of all streams into a layer, each into the document it belongs to; stops before one whose handler fails. */
export type LayerStep = (
  layer: DocumentLayer,
  events: readonly RecordedEvent[],
  touched: Set<string>,
) => FoldFailure | null

export function layerStepOf(
  { canHandle, categories, getDocumentId = streamOf, initialState, evolve }: AnyProjection,
  { today, order }: Pick<FoldLog, 'today' | 'order'>,
  skips: Skips,
): LayerStep {
  const handles = new Set<string>(canHandle)
  const covers = categoryTest(categories)
  // Run as a handler is, it fails as one.
  const identify: Evolve<string | null, Event> = (_, event) => getDocumentId(event)
  return (layer, events, touched) => {
    let i = 0
    let failure: FoldFailure | null = null
    try {
      for (; i < events.length; i++) {
        const recorded = events[i]!
        if (!covers(recorded.metadata.streamName) || skips.has(recorded)) continue
        const event = today.of(recorded)
        if (event === null || !handles.has(event.type)) continue
        const id = evolveState(identify, null, event)
        if (id === null) continue
        const before = layer.get(id)
        const state: unknown = evolveState(evolve, before ? before.state : initialState(), event)
        layer.set(id, { state, count: (before?.count ?? 0) + 1, position: placeOf(recorded, order).position })
        touched.add(id)
      }
    } catch (error) {
      failure = failureFrom(error, events[i]!, order)
    }
    const read = failure ? events.slice(0, i) : events
    const version = layer.mark.version + read.length
    if (read.length > 0) layer.mark = markBehind(layer.mark, { events: read, version, order, covers })
    return failure
  }
}

const streamOf = ({ metadata }: RecordedEvent): string => metadata.streamName
