// The database that rows of read models are written to: what it must do so that rows and progress never part.

import type { GlobalPosition } from '../log/event.ts'
import type { AnyReadModel, RowKey } from './read-model.ts'

/**
 * Every read model has two sets of tables: the one that is shown, and one in which all rows are made anew, aside. Which is
 * which is written down in the database, so that a switch is one write.
 */
export type RowSide = 'shown' | 'aside'

export type RowOperation = Readonly<{ table: string }> &
  (
    | Readonly<{ kind: 'put'; row: object }>
    | Readonly<{ kind: 'update'; key: RowKey; change: (row: object) => object }>
    | Readonly<{ kind: 'upsert'; key: RowKey; change: (row: object | undefined) => object }>
    | Readonly<{ kind: 'delete'; key: RowKey }>
    | Readonly<{
        kind: 'update-where'
        index: string
        value: RowKey
        change: (row: object) => object | null
      }>
  )

/** What the handler of one event asked for. */
export type RowStep = Readonly<{ position: GlobalPosition; operations: readonly RowOperation[] }>

/** How far a side has come, in words of whoever writes it; null where nothing was ever written to it. */
export type RowProgress = string | null

export type RowBatch = Readonly<{
  model: string
  side: RowSide
  /** The progress that the side must have. */
  from: RowProgress
  to: string
  /** In the order in which they are carried out, their positions ascending or equal. */
  steps: readonly RowStep[]
  /** What rows were before a step behind this position is kept for {@link RowStore.rewind}; what was kept before is let go. */
  settledThrough: GlobalPosition
}>

/** `moved`: somebody else, in another tab, has written meanwhile, and nothing was written here. */
export type RowOutcome = 'written' | 'moved'

/** Each call is one transaction: all of it, or nothing. @throws `StorageFailed` */
export interface RowStore {
  /** @throws `StoreError` `invalid-argument` for tables that the database does not have as they are defined. */
  open(models: Readonly<Record<string, AnyReadModel>>): Promise<void>
  progress(model: string): Promise<Readonly<Record<RowSide, RowProgress>>>
  /** @throws {@link RowChangeFailed} where a function of the application throws, or gives no row: nothing is written then. */
  write(batch: RowBatch): Promise<RowOutcome>
  /**
   * Takes back all steps behind a position, the last one first.
   *
   * @throws `StoreError` `invalid-argument` for a position before the farthest `settledThrough` that was written to the
   * side since it was begun: what is settled cannot be taken back.
   */
  rewind(
    back: Readonly<{ model: string; side: RowSide; from: string; to: string; through: GlobalPosition }>,
  ): Promise<RowOutcome>
  /** Empties the side aside, to begin anew there. */
  begin(anew: Readonly<{ model: string; from: RowProgress; to: string }>): Promise<RowOutcome>
  /** From now on the side aside is the one that is shown, and the other is empty, without progress. */
  switchOver(sides: Readonly<{ model: string; shown: RowProgress; aside: string }>): Promise<RowOutcome>
  close(): void
}

/** What a worker serves beside its projections. */
export type ServedReadModels = Readonly<{
  rows: RowStore
  /** By names of which no projection has one. */
  models: Readonly<Record<string, AnyReadModel>>
}>

/** The change that a handler asked for could not be made of the row. */
export class RowChangeFailed extends Error {
  override readonly name = 'RowChangeFailed'
  /** Index of the step among those of the batch: the first that failed. */
  readonly step: number

  constructor(step: number, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.step = step
  }
}
