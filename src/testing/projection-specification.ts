// Given what happened, then the documents are these.

import type { Event } from '../log/event.ts'
import type { ProjectionDefinition } from '../model/app.ts'
import { deepFreeze } from '../model/deep-freeze.ts'
import { evolveState } from '../model/evolve.ts'
import { DEFAULT_STREAM, type GivenEvent, recordedEvents } from './recorded.ts'
import { mustEqual } from './specification-failed.ts'

export type ProjectionSpecification<S, E extends Event> = (given: readonly GivenEvent<E>[]) => Readonly<{
  /**
   * @param expected of the document; null for one without events
   * @param documentId default: the stream that events are in where they name none
   * @throws `SpecificationFailed` when the document is another one.
   */
  then: (expected: S | null, documentId?: string) => void
}>

/** Specifies a projection: `given([…]).then(state)`. States and events are frozen: a handler that changes one fails. */
export function specifyProjection<S, E extends Event>(
  projection: ProjectionDefinition<S, E>,
): ProjectionSpecification<S, E> {
  return given => ({
    then(expected, documentId = DEFAULT_STREAM) {
      const actual = documentsOf(projection, given).get(documentId) ?? null
      mustEqual(`The document "${documentId}" is another one`, actual, expected)
    },
  })
}

function documentsOf<S, E extends Event>(
  projection: ProjectionDefinition<S, E>,
  given: readonly GivenEvent<E>[],
): Map<string, S> {
  const {
    canHandle,
    getDocumentId = ({ metadata }) => metadata.streamName,
    initialState,
    evolve,
  } = projection
  const documents = new Map<string, S>()
  for (const event of recordedEvents(given)) {
    const id = canHandle.includes(event.type) ? getDocumentId(event) : null
    if (id === null) continue
    const before = documents.get(id) ?? deepFreeze(initialState())
    documents.set(id, deepFreeze(evolveState(evolve, before, event)))
  }
  return documents
}
