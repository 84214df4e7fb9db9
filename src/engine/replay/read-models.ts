// The read models of an application: brought up to date in the background whenever the log changes.

import type { ServedReadModels } from '../../model/row-store.ts'
import type { FoldLog } from './fold.ts'
import { foldCodeOf } from './fold-code.ts'
import type { Follower } from './followers.ts'
import { ReadModelFold } from './read-model-fold.ts'
import { type HandlerFailure, reportOnce } from './report-once.ts'
import { SkippedEvents } from './skipped-events.ts'

export type ReadModelsOptions = ServedReadModels &
  Readonly<{
    log: FoldLog
    mostTakenBack?: number
    /** Told of each event whose handler fails. Nothing behind it is in the rows then. */
    onHandlerFailed?: (failure: HandlerFailure) => void
    /** The database of the rows failed. What is new is tried again at the next change. */
    onError: (error: unknown) => void
  }>

export interface ReadModels {
  readonly followers: ReadonlyMap<string, Follower>
  /** Resolves when the rows are as the log says now, but for what stands behind a failure. */
  process(): Promise<void>
  close(): Promise<void>
}

/** @throws `StoreError` `invalid-argument` for tables that the database does not have. */
export async function openReadModels(options: ReadModelsOptions): Promise<ReadModels> {
  const { log, rows, models, mostTakenBack, onHandlerFailed, onError } = options
  await rows.open(models)
  const life = new AbortController()
  const folds = Object.entries(models).map(([name, definition]) => {
    const skips = new SkippedEvents(log, name, foldCodeOf(definition, log))
    const onFailure = reportOnce(name, onHandlerFailed)
    const { signal } = life
    const fold = new ReadModelFold({ log, name, definition, rows, skips, onFailure, mostTakenBack, signal })
    return { name, fold, skips }
  })
  const process = async (): Promise<void> => {
    await Promise.all(folds.map(({ fold }) => fold.process()))
  }
  const processSoon = (): void => {
    for (const { fold } of folds) fold.process().catch(onError)
  }
  log.onChange(({ healedFrom }) => {
    if (healedFrom !== null) for (const { fold } of folds) fold.giveUp()
    processSoon()
  }, life.signal)
  processSoon()
  return {
    followers: new Map(folds.map(({ name, fold: progress, skips }) => [name, { progress, skips }])),
    process,
    async close() {
      life.abort()
      await process().catch(onError)
      rows.close()
    },
  }
}
