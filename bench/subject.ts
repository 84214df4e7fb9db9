// What every store under measurement offers the bench page: the same steps, whatever is behind them.

/** About 210 bytes of JSON. Made by `events.ts` from a seed. */
export type BenchEvent = Readonly<{
  id: string
  stream: string
  type: 'ItemAdded' | 'ItemRemoved' | 'PriceChanged'
  data: Readonly<{ sku: string; quantity: number; price: number; note: string }>
}>

/** What reading everything back folds to: each subject must come to the same. */
export type Folded = Readonly<{ events: number; quantity: number; revenue: number }>

/**
 * One store, in a bundle and a browser profile of its own. Steps are called in this order, and timed by the page.
 * A file in subjects/ that exports one as `subject` is found by that, and known by its name.
 */
export interface Subject {
  readonly name: string
  /** As the npm registry has it, for the table. */
  readonly version: string
  /** Keeps nothing beyond its page, so that it is reopened there and not in a new browser. */
  readonly isInMemory?: boolean
  /** Opens, and creates what is not there. Called again after `close`, with the data still there. */
  open(database: string): Promise<void>
  /** Resolves when the whole batch is persisted with relaxed durability, in one transaction where there are any. */
  append(batch: readonly BenchEvent[]): Promise<void>
  /** Reads all events in the order of their appends and folds them with `fold`. */
  replay(): Promise<Folded>
  close(): Promise<void>
}
