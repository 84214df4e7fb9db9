// Given what happened, then the documents are these.

import type { Event, RecordedEvent } from '../log/event.ts'
import type { ProjectionDefinition } from '../model/app.ts'
import { categoryTest } from '../model/category.ts'
import { deepFreeze } from '../model/deep-freeze.ts'
import { evolveState } from '../model/evolve.ts'
import { DEFAULT_STREAM, type GivenEvent, recordedEvents } from './recorded.ts'
import { mustEqual } from './specification-failed.ts'

export type ProjectionSpecification<S, E extends Event> = (given: readonly GivenEvent<E>[]) => Readonly<{
  /**
   * @param expected of the document; null for one without events
   * @param documentId default: the stream that events are in where they name none, one of the first category if the
   *   projection has categories
   * @throws `SpecificationFailed` when the document is another one.
   */
  then: (expected: S | null, documentId?: string) => void
}>

/** Specifies a projection: `given([…]).then(state)`. States and events are frozen: a handler that changes one fails. */
export function specifyProjection<S, E extends Event>(
  projection: ProjectionDefinition<S, E>,
): ProjectionSpecification<S, E> {
  const [category] = projection.categories ?? []
  const stream = category === undefined ? DEFAULT_STREAM : `${category}-${DEFAULT_STREAM}`
  return given => ({
    then(expected, documentId = stream) {
      const actual = documentsOf(projection, recordedEvents(given, stream)).get(documentId) ?? null
      mustEqual(`The document "${documentId}" is another one`, actual, expected)
    },
  })
}

function documentsOf<S, E extends Event>(
  projection: ProjectionDefinition<S, E>,
  events: readonly RecordedEvent<E>[],
): Map<string, S> {
  const {
    canHandle,
    categories,
    getDocumentId = ({ metadata }) => metadata.streamName,
    initialState,
    evolve,
  } = projection
  const covers = categoryTest(categories)
  const documents = new Map<string, S>()
  for (const event of events) {
    const isFolded = canHandle.includes(event.type) && covers(event.metadata.streamName)
    const id = isFolded ? getDocumentId(event) : null
    if (id === null) continue
    const before = documents.get(id) ?? deepFreeze(initialState())
    documents.set(id, deepFreeze(evolveState(evolve, before, event)))
  }
  return documents
}
