// The log in PostgreSQL: a row an event, the head of each store a row of its own that every append moves.

import type { StoredBlock } from '../../log/block.ts'
import { BlockWriter } from '../../log/block-writer.ts'
import { StorageFailed, StoreError } from '../../log/errors.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { AppendOutcome, KeyValues, LogStorage, ReadRange, StorageCapabilities } from '../log-storage.ts'
import { addRow, type EntryRow, insertParameters } from './entry-columns.ts'
import { packBytes } from './pack-bytes.ts'
import type { Query, SqlBigint, SqlDriver, SqlValue } from './sql-driver.ts'
import * as sql from './statements.ts'
import { isRetriable, storageFailureFrom } from './storage-failure.ts'

/** Most that one query reads; a longer run takes several. */
const PAGE_ROWS = 4096
const PAGE_BYTES = 4 * 1024 * 1024

const MAX_ATTEMPTS = 5
const MAX_RETRY_DELAY_MS = 50

export type PostgresStorageParts = Readonly<{
  storeId: string
  driver: SqlDriver
  /** Puts the schema's name into a statement. */
  inSchema: (statement: string) => string
  hash: HashProvider
}>

/** With `overwrite` and without `replace`: rows are no blocks that could be merged. */
export class PostgresStorage implements LogStorage {
  readonly capabilities: StorageCapabilities
  readonly #parts: PostgresStorageParts
  #isOpen = false

  constructor(parts: PostgresStorageParts) {
    this.#parts = parts
    this.capabilities = { durable: parts.driver.isDurable, sharedWriters: true }
  }

  async open(): Promise<void> {
    this.#isOpen = true
    try {
      await this.#query(sql.ADD_STORE, [this.#parts.storeId])
    } catch (error) {
      this.#isOpen = false
      throw error
    }
  }

  async head(): Promise<number> {
    const [row] = await this.#query<HeadRow>(sql.READ_HEAD, [this.#parts.storeId])
    return Number(row!.head)
  }

  async append(
    after: number,
    blocks: readonly StoredBlock[],
    values: KeyValues = {},
  ): Promise<AppendOutcome> {
    const { storeId } = this.#parts
    const head = blocks.at(-1)?.lastPosition ?? after
    const entries = blocks.length > 0 ? insertParameters(storeId, blocks) : null
    const write = this.#writeOf(values)
    return this.#transaction(async query => {
      const moved = await query(sql.MOVE_HEAD, [storeId, after, head])
      if (moved.length === 0) {
        const [row] = await query<HeadRow>(sql.READ_HEAD, [storeId])
        return { type: 'conflict', head: Number(row!.head) }
      }
      if (entries) await query(sql.INSERT_ENTRIES, entries)
      await write(query)
      return { type: 'written' }
    })
  }

  async overwrite(blocks: readonly StoredBlock[]): Promise<void> {
    const { storeId } = this.#parts
    const inserts = blocks.map(block => insertParameters(storeId, [block]))
    await this.#transaction(async query => {
      for (const [i, { firstPosition, lastPosition }] of blocks.entries()) {
        await query(sql.DELETE_ENTRIES, [storeId, firstPosition, lastPosition])
        await query(sql.INSERT_ENTRIES, inserts[i]!)
      }
    })
  }

  async read({ from, to = Number.MAX_SAFE_INTEGER, maxBytes = Infinity }: ReadRange): Promise<StoredBlock[]> {
    const read: StoredBlock[] = []
    let bytes = 0
    let next = from
    for (;;) {
      const pageBytes = Math.min(maxBytes - bytes, PAGE_BYTES)
      const rows = await this.#readRows(next, to, pageBytes)
      for (const block of await this.#blocksOf(rows)) {
        if (bytes >= maxBytes) return read
        read.push(block)
        bytes += block.bytes.length
      }
      if (bytes >= maxBytes || !isFull(rows, pageBytes)) return read
      next = Number(rows.at(-1)!.position) + 1
    }
  }

  async get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    checkKey(key)
    const [row] = await this.#query<{ value: Uint8Array }>(sql.READ_VALUE, [this.#parts.storeId, key])
    return row && ownBytes(row.value)
  }

  async list(prefix: string): Promise<[string, Uint8Array<ArrayBuffer>][]> {
    checkKey(prefix)
    const parameters = [this.#parts.storeId, prefix]
    const rows = await this.#query<{ key: string; value: Uint8Array }>(sql.LIST_VALUES, parameters)
    // Sorted here: no collation of PostgreSQL sorts by UTF-16 units.
    rows.sort((a, b) => (a.key < b.key ? -1 : 1))
    return rows.map(({ key, value }) => [key, ownBytes(value)])
  }

  async keys(prefix: string, limit: number): Promise<string[]> {
    checkKey(prefix)
    const rows = await this.#query<{ key: string }>(sql.LIST_KEYS, [this.#parts.storeId, prefix])
    const keys = rows.map(({ key }) => key)
    return keys.sort().slice(0, limit)
  }

  async put(values: KeyValues): Promise<void> {
    await this.#transaction(this.#writeOf(values))
  }

  async swap(
    key: string,
    expected: Uint8Array | undefined,
    value: Uint8Array<ArrayBuffer> | null,
  ): Promise<boolean> {
    checkKey(key)
    const { storeId } = this.#parts
    if (!expected && !value) return (await this.get(key)) === undefined
    const [statement, values] = !expected
      ? [sql.ADD_VALUE, [value]]
      : value
        ? [sql.CHANGE_VALUE, [expected, value]]
        : [sql.REMOVE_VALUE, [expected]]
    return this.#transaction(async query => (await query(statement, [storeId, key, ...values])).length > 0)
  }

  onLost(): void {
    // A connection that is lost is made again by the pool; a call in between fails and may be repeated.
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  #readRows(from: number, to: number, pageBytes: number): Promise<EntryRow[]> {
    return this.#query(sql.READ_ENTRIES, [this.#parts.storeId, from, to, PAGE_ROWS, pageBytes])
  }

  async #blocksOf(rows: readonly EntryRow[]): Promise<StoredBlock[]> {
    const [first] = rows
    if (!first) return []
    const writer = new BlockWriter(this.#parts.hash, Number(first.position))
    for (const row of rows) addRow(writer, row)
    return writer.finish()
  }

  /** Taken as bytes at once: the caller may change his own before the transaction runs. */
  #writeOf(values: KeyValues): (query: Query) => Promise<void> {
    const { storeId } = this.#parts
    // All writers in one order, so that no two wait for each other.
    const keys = Object.keys(values).sort()
    keys.forEach(checkKey)
    const deleted = keys.filter(key => values[key] === null)
    const kept = keys.filter(key => values[key] !== null)
    const { bytes, starts, lengths } = packBytes(kept.map(key => values[key]!))
    return async query => {
      if (kept.length > 0) await query(sql.PUT_VALUES, [storeId, bytes, kept, starts, lengths])
      if (deleted.length > 0) await query(sql.DELETE_VALUES, [storeId, deleted])
    }
  }

  async #query<Row>(statement: string, parameters: readonly SqlValue[]): Promise<Row[]> {
    this.#checkOpen()
    const { driver, inSchema } = this.#parts
    try {
      return await driver.query<Row>(inSchema(statement), parameters)
    } catch (error) {
      throw storageFailureFrom(error)
    }
  }

  async #transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    this.#checkOpen()
    const { driver, inSchema } = this.#parts
    for (let attempt = 1; ; attempt++) {
      try {
        return await driver.transaction(query =>
          work((statement, parameters) => query(inSchema(statement), parameters)),
        )
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isRetriable(error)) throw storageFailureFrom(error)
        await new Promise(resolve => setTimeout(resolve, Math.random() * MAX_RETRY_DELAY_MS))
      }
    }
  }

  #checkOpen(): void {
    if (!this.#isOpen || this.#parts.driver.isClosed) {
      throw new StorageFailed('closed', 'The storage is not open')
    }
  }
}

type HeadRow = Readonly<{ head: SqlBigint }>

/** Whether rows may follow: a page ends at one of its two limits, or with the log. */
function isFull(rows: readonly EntryRow[], pageBytes: number): boolean {
  if (rows.length === PAGE_ROWS) return true
  const bytesOf = ({ payload, metadata }: EntryRow) =>
    payload.length + metadata.length + sql.ENTRY_OVERHEAD_BYTES
  return rows.reduce((sum, row) => sum + bytesOf(row), 0) >= pageBytes
}

/** A text of PostgreSQL has no U+0000, and half a surrogate would become the same U+FFFD as any other. */
function checkKey(key: string): void {
  if (key.isWellFormed() && !key.includes('\0')) return
  throw new StoreError('invalid-argument', 'A key has a U+0000 or a lone surrogate', { key })
}

/** Drivers give views of buffers they use for other rows, too. */
const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes)
