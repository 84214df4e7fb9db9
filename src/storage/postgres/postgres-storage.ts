// The log in PostgreSQL: a row an event, the head of each store a row of its own that every append moves.

import type { StoredBlock } from '../../log/block.ts'
import { BlockWriter } from '../../log/block-writer.ts'
import { StorageFailed } from '../../log/errors.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { AppendOutcome, KeyValues, LogStorage, ReadRange, StorageCapabilities } from '../log-storage.ts'
import { addRow, type EntryRow, insertParameters } from './entry-columns.ts'
import type { Query, SqlDriver } from './sql-driver.ts'
import * as sql from './statements.ts'
import { isRetriable, storageFailureFrom } from './storage-failure.ts'

/** Rows read in one query. */
const ROWS_AT_ONCE = 1000
const MAX_ATTEMPTS = 5

export type PostgresStorageParts = Readonly<{
  storeId: string
  driver: SqlDriver
  /** Puts the schema's name into a statement. */
  inSchema: (statement: string) => string
  hash: HashProvider
}>

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
    await this.#query(sql.ADD_STORE, [this.#parts.storeId])
  }

  async head(): Promise<number> {
    const [row] = await this.#query<{ head: number }>(sql.READ_HEAD, [this.#parts.storeId])
    return row?.head ?? 0
  }

  append(after: number, blocks: readonly StoredBlock[], values: KeyValues = {}): Promise<AppendOutcome> {
    const { storeId, inSchema } = this.#parts
    return this.#transaction(async query => {
      const head = blocks.at(-1)?.lastPosition ?? after
      const moved = await query(inSchema(sql.MOVE_HEAD), [storeId, after, head])
      if (moved.length === 0) {
        const [row] = await query<{ head: number }>(inSchema(sql.READ_HEAD), [storeId])
        return { type: 'conflict', head: row?.head ?? 0 }
      }
      for (const block of blocks) await query(inSchema(sql.INSERT_ENTRIES), insertParameters(storeId, block))
      await this.#putValues(query, values)
      return { type: 'written' }
    })
  }

  async read({ from, to = Number.MAX_SAFE_INTEGER, maxBytes = Infinity }: ReadRange): Promise<StoredBlock[]> {
    const { storeId, hash } = this.#parts
    const blocks: StoredBlock[] = []
    let bytes = 0
    let next = from
    for (;;) {
      const limit = Number.isFinite(maxBytes)
        ? Math.min(ROWS_AT_ONCE, Math.ceil(maxBytes / 100) + 1)
        : ROWS_AT_ONCE
      const rows = await this.#query<EntryRow>(sql.READ_ENTRIES, [storeId, next, to, limit])
      const [first] = rows
      if (!first) return blocks
      const writer = new BlockWriter(hash, first.position)
      for (const row of rows) addRow(writer, row)
      for (const block of await writer.finish()) {
        if (bytes >= maxBytes) return blocks
        blocks.push(block)
        bytes += block.bytes.length
      }
      next = rows.at(-1)!.position + 1
      if (rows.length < limit || bytes >= maxBytes) return blocks
    }
  }

  async get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const [row] = await this.#query<{ value: Uint8Array }>(sql.READ_VALUE, [this.#parts.storeId, key])
    return row && ownBytes(row.value)
  }

  async list(prefix: string): Promise<[string, Uint8Array<ArrayBuffer>][]> {
    const rows = await this.#query<{ key: string; value: Uint8Array }>(sql.LIST_VALUES, [
      this.#parts.storeId,
      prefix,
    ])
    return rows.map(({ key, value }) => [key, ownBytes(value)])
  }

  put(values: KeyValues): Promise<void> {
    return this.#transaction(query => this.#putValues(query, values))
  }

  onLost(): void {
    // A connection that is lost is made again by the pool; a call in between fails and may be repeated.
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  async #putValues(query: Query, values: KeyValues): Promise<void> {
    const { storeId, inSchema } = this.#parts
    for (const [key, value] of Object.entries(values)) {
      if (value === null) await query(inSchema(sql.DELETE_VALUE), [storeId, key])
      else await query(inSchema(sql.PUT_VALUE), [storeId, key, value])
    }
  }

  async #query<Row>(statement: string, parameters: Parameters<Query>[1]): Promise<Row[]> {
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
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#parts.driver.transaction(work)
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isRetriable(error)) throw storageFailureFrom(error)
      }
    }
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new StorageFailed('closed', 'The storage is not open')
  }
}

/** Drivers give views of buffers they use for other rows, too. */
const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes)
