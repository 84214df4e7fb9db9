// What the handlers of a read model ask for, event by event.

import type { RecordedEvent } from '../../log/event.ts'
import { categoryTest } from '../../model/category.ts'
import { handlerFailed, runHandler } from '../../model/evolve.ts'
import type { AnyReadModel, RowTypes, RowWriter, RowWriters } from '../../model/read-model.ts'
import type { RowOperation, RowStep } from '../../model/row-store.ts'
import { type FoldFailure, type FoldLog, failureFrom, placeOf } from './fold.ts'
import type { Skips } from './skipped-events.ts'

/** The steps of events, those left out that ask for nothing; with which event each is of. Stops before a handler that fails. */
export type RowSteps = (events: readonly RecordedEvent[]) => Readonly<{
  steps: readonly (RowStep & Readonly<{ event: RecordedEvent }>)[]
  /** How many of the events are in these steps, or were passed by. */
  taken: number
  failure: FoldFailure | null
}>

export function rowStepsOf(
  { tables, canHandle, categories, evolve }: AnyReadModel,
  { today, order }: Pick<FoldLog, 'today' | 'order'>,
  skips: Skips,
): RowSteps {
  const handles = new Set<string>(canHandle)
  const covers = categoryTest(categories)
  const names = Object.keys(tables)
  return events => {
    const steps: (RowStep & { event: RecordedEvent })[] = []
    let taken = 0
    for (const recorded of events) {
      try {
        const isOurs = covers(recorded.metadata.streamName) && !skips.has(recorded)
        const event = isOurs ? today.of(recorded) : null
        if (event && handles.has(event.type)) {
          const operations = askedFor(evolve, event, names)
          const { position } = placeOf(recorded, order)
          if (operations.length > 0) steps.push({ position, operations, event: recorded })
        }
      } catch (error) {
        return { steps, taken, failure: failureFrom(error, recorded, order) }
      }
      taken++
    }
    return { steps, taken, failure: null }
  }
}

function askedFor(
  evolve: AnyReadModel['evolve'],
  event: RecordedEvent,
  tables: readonly string[],
): RowOperation[] {
  if (!Object.hasOwn(evolve, event.type)) return []
  const operations: RowOperation[] = []
  const writers = Object.fromEntries(tables.map(table => [table, writerOf(table, operations)]))
  const answer = runHandler(evolve[event.type]!, writers as RowWriters<RowTypes>, event)
  if (answer instanceof Promise) throw handlerFailed(event, 'it returned a promise; handlers are synchronous')
  return operations
}

function writerOf(table: string, operations: RowOperation[]): RowWriter<object> {
  const ask = (operation: RowOperation): void => {
    operations.push(operation)
  }
  return {
    put: row => ask({ kind: 'put', table, row }),
    update: (key, change) => ask({ kind: 'update', table, key, change }),
    upsert: (key, change) => ask({ kind: 'upsert', table, key, change }),
    delete: key => ask({ kind: 'delete', table, key }),
    updateWhere: (index, value, change) => ask({ kind: 'update-where', table, index, value, change }),
  }
}
