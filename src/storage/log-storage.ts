// The seam to every storage. storage/memory is its readable specification, test/contract its conformance suite.

import type { StoredBlock } from '../log/block.ts'
import type { GlobalPosition } from '../log/event.ts'

/** What a provider promises, so that the store can tell its user instead of guessing. */
export type StorageCapabilities = Readonly<{
  /** Survives the end of the process. */
  durable: boolean
  /** Several processes, tabs or machines may append to one store at once. */
  sharedWriters: boolean
}>

/** Losing a race is a value: somebody else appended first and the log ends at `head`. */
export type AppendOutcome =
  | Readonly<{ type: 'written' }>
  | Readonly<{ type: 'conflict'; head: GlobalPosition }>

/** Losing a race is a value: other blocks stand there now. */
export type ReplaceOutcome = Readonly<{ type: 'replaced' }> | Readonly<{ type: 'conflict' }>

/** The side table: small values by key, such as snapshots and index checkpoints. `null` deletes. */
export type KeyValues = Readonly<Record<string, Uint8Array<ArrayBuffer> | null>>

/** Which blocks to read, and how much at most. */
export type ReadRange = Readonly<{
  /** Blocks that hold this position or a later one. */
  from: GlobalPosition
  /** No block that starts after this position. The end of the log where it is left out. */
  to?: GlobalPosition
  /** Stop after the block that passes this many bytes; the first block comes in any case. */
  maxBytes?: number
}>

/**
 * The log of one store. Every method may throw `StorageFailed` with a `problem`; a call that threw has changed
 * nothing, but for a `timeout`: its commit may still hang somewhere below. Asking again is safe, as the log is
 * written by compare-and-set and events are known by their ids. Methods other than `close` and `onLost` must not be called before `open` has resolved, nor after `close`.
 */
export interface LogStorage {
  readonly capabilities: StorageCapabilities

  /**
   * Names what is stored so that it can be known again when its content is gone, such as `indexeddb:cart`. Left out
   * where nothing is meant to outlive the storage's owner, or others look after it.
   */
  readonly place?: string

  open(): Promise<void>

  /** Position of the last entry, 0 when the log is empty. */
  head(): Promise<GlobalPosition>

  /**
   * Compare-and-set: writes all blocks and `values`, or nothing. Written only while the log ends at `after`, asked
   * within the transaction that writes. The blocks follow on each other and on `after` without a gap. Resolves
   * once the data has the durability that the provider was opened with, never earlier.
   */
  append(after: GlobalPosition, blocks: readonly StoredBlock[], values?: KeyValues): Promise<AppendOutcome>

  /**
   * Puts `blocks` in the place of `before`, in one transaction, or changes nothing. They hold the same entries in
   * other blocks, or without the content of some: they follow on each other, begin where the first of those begins
   * and end where the last one ends. So the head never moves, and an append at it neither wins nor loses by this.
   *
   * Replaced only if, asked within the transaction that writes, the blocks that cover these positions are `before`,
   * byte by byte: who merges blocks must not bring back what was erased from them meanwhile.
   *
   * Left out by a storage that keeps entries rather than blocks, as rows of a table, and so has nothing to merge; it
   * has {@link overwrite} instead.
   *
   * @throws `StoreError` `invalid-argument` when `blocks` leave a gap or end elsewhere.
   */
  replace?(before: readonly StoredBlock[], blocks: readonly StoredBlock[]): Promise<ReplaceOutcome>

  /**
   * Puts the entries of `blocks` in the place of those at their positions, which the log has, in one transaction: the
   * same ones, without the content of some. For a storage without {@link replace}.
   */
  overwrite?(blocks: readonly StoredBlock[]): Promise<void>

  /**
   * Puts `blocks`, which begin at position 1 and follow on each other, and `values` in the place of all that there is,
   * in one transaction. Unlike every other call it may make the log shorter: it is for a log that cannot be read. Left
   * out where that is not for the store to do, as with a server's database.
   */
  reset?(blocks: readonly StoredBlock[], values: KeyValues): Promise<void>

  /**
   * As {@link reset}, with blocks that stand in the side table under keys by `stagedKey`, all that start with `prefix`: for
   * a log that is larger than a call may be. Compare-and-set: only while the log ends at `after`, asked within the
   * transaction that writes. What is staged goes with the rest of the side table.
   */
  resetToStaged?(after: GlobalPosition, prefix: string, values: KeyValues): Promise<AppendOutcome>

  /** Blocks in order of position. What they hold is not verified here. */
  read(range: ReadRange): Promise<StoredBlock[]>

  /** The value of a key of the side table, `undefined` where there is none. */
  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>

  /** All entries of the side table whose key starts with `prefix`, in order of key (by UTF-16 units). */
  list(prefix: string): Promise<[key: string, value: Uint8Array<ArrayBuffer>][]>

  /** The first `limit` keys of the side table that start with `prefix`, in order. */
  keys(prefix: string, limit: number): Promise<string[]>

  /** Writes or, with `null`, deletes all of `values`, or nothing. */
  put(values: KeyValues): Promise<void>

  /**
   * Compare-and-set of one value of the side table: writes `value`, or deletes it with `null`, only if the key has
   * `expected` now, byte by byte; `undefined` stands for no value. False, and nothing changed, if not. Of many that
   * race with the same `expected`, one gets true.
   */
  swap(key: string, expected: Uint8Array | undefined, value: Uint8Array<ArrayBuffer> | null): Promise<boolean>

  /**
   * Calls `listener`, one at most, set before `open` or after, when the storage ends on its own: another tab upgrades or deletes the database, the user
   * clears site data. Calls after that throw `StorageFailed`. A provider to which this cannot happen never calls.
   */
  onLost(listener: (error: Error) => void): void

  /** Ends. What was acknowledged before stays. Safe to call twice. */
  close(): Promise<void>
}
