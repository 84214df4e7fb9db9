// The log in IndexedDB: one value a block, one transaction an append, acknowledged when it is complete.

import { type IDBPTransaction, unwrap } from 'idb'
import type { StoredBlock } from '../../log/block.ts'
import { StorageFailed } from '../../log/errors.ts'
import type { AppendOutcome, KeyValues, LogStorage, ReadRange } from '../log-storage.ts'
import { settleWithin } from './deadline.ts'
import { type LogDatabase, type LogSchema, openDatabase } from './open-database.ts'
import { storageFailureFrom } from './storage-failure.ts'

export type IndexedDbStorageOptions = Readonly<{
  /** Name of the database: one for each store. */
  name: string
  /**
   * `relaxed` (default): survives a crash of the tab and of the browser, not of the machine. `strict`: flushed to
   * disk before an append resolves; takes about twice as long.
   */
  durability?: 'relaxed' | 'strict'
  /** How long opening may take, another tab may hold an old version. Default 10,000 ms. */
  openTimeoutMs?: number
  /**
   * How long one call may take before it fails with `timeout` and what it wrote is taken back. Only a commit
   * that hangs on its way to the disk stays undecided. Default 15,000 ms.
   */
  operationTimeoutMs?: number
  /** Begin an empty log when the browser says that it lost the stored one, instead of failing with `data-loss`. */
  acceptDataLoss?: boolean
}>

export function indexedDbStorage(options: IndexedDbStorageOptions): LogStorage {
  return new IndexedDbStorage(options)
}

/** Blocks read in one request; larger runs take several. */
const READ_BATCH = 32

type LogTransaction<Mode extends IDBTransactionMode> = IDBPTransaction<LogSchema, ['blocks', 'values'], Mode>
type WriteTransaction = LogTransaction<'readwrite'>

class IndexedDbStorage implements LogStorage {
  readonly capabilities = { durable: true, sharedWriters: true }
  readonly #options: IndexedDbStorageOptions
  #database: LogDatabase | null = null
  #lost: StorageFailed | null = null
  #closings = 0
  #onLost: (error: Error) => void = () => {}

  constructor(options: IndexedDbStorageOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    const { name, openTimeoutMs = 10_000, acceptDataLoss = false } = this.#options
    const onLost = (error: StorageFailed): void => {
      this.#lost = error
      this.#onLost(error)
    }
    const closings = this.#closings
    try {
      const database = await openDatabase({ name, timeoutMs: openTimeoutMs, acceptDataLoss, onLost })
      if (closings !== this.#closings) {
        database.close()
        throw new StorageFailed('closed', 'The storage was closed while it opened')
      }
      this.#database = database
      this.#lost = null
    } catch (error) {
      throw storageFailureFrom(error)
    }
  }

  head(): Promise<number> {
    return this.#transact('readonly', transaction => headOf(transaction.objectStore('blocks')))
  }

  async append(
    after: number,
    blocks: readonly StoredBlock[],
    values: KeyValues = {},
  ): Promise<AppendOutcome> {
    return this.#transact('readwrite', async transaction => {
      // All requests go out at once: waiting for the head first would cost a second round trip. A head that
      // cannot be read says nothing: the transaction tells what went wrong.
      const reading = headOf(transaction.objectStore('blocks')).catch(() => after)
      const store = unwrap(transaction.objectStore('blocks'))
      for (const block of blocks) store.add(ownBytes(block))
      writeValues(transaction, values)
      const head = await reading
      return head === after ? written(transaction) : conflict(transaction, head)
    })
  }

  read({ from, to = Infinity, maxBytes = Infinity }: ReadRange): Promise<StoredBlock[]> {
    return this.#transact('readonly', async transaction => {
      const store = transaction.objectStore('blocks')
      const read: StoredBlock[] = []
      let bytes = 0
      let next = from
      for (;;) {
        const batch = await store.getAll(IDBKeyRange.lowerBound(next), READ_BATCH)
        for (const block of batch) {
          if (block.firstPosition > to || bytes >= maxBytes) return read
          read.push(block)
          bytes += block.bytes.length
        }
        if (batch.length < READ_BATCH || bytes >= maxBytes) return read
        next = read.at(-1)!.lastPosition + 1
      }
    })
  }

  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#transact('readonly', transaction => transaction.objectStore('values').get(key))
  }

  list(prefix: string): Promise<[string, Uint8Array<ArrayBuffer>][]> {
    return this.#transact('readonly', async transaction => {
      const store = transaction.objectStore('values')
      const range = prefixRange(prefix)
      const [keys, values] = await Promise.all([store.getAllKeys(range), store.getAll(range)])
      return keys.map((key, i) => [key, values[i]!])
    })
  }

  put(values: KeyValues): Promise<void> {
    return this.#transact('readwrite', async transaction => {
      writeValues(transaction, values)
      await transaction.done
    })
  }

  onLost(listener: (error: Error) => void): void {
    this.#onLost = listener
  }

  async close(): Promise<void> {
    this.#closings++
    this.#database?.close()
    this.#database = null
  }

  async #transact<Mode extends 'readonly' | 'readwrite', T>(
    mode: Mode,
    work: (transaction: LogTransaction<Mode>) => Promise<T>,
  ): Promise<T> {
    if (this.#lost) throw this.#lost
    if (!this.#database) throw new StorageFailed('closed', 'The storage is not open')
    const { name, durability = 'relaxed', operationTimeoutMs: ms = 15_000 } = this.#options
    const message = `The database "${name}" did not answer in ${ms} ms`
    let transaction: LogTransaction<Mode> | undefined
    try {
      transaction = this.#database.transaction(['blocks', 'values'], mode, { durability })
      // Whoever waits for it hears of a failure; nobody else shall.
      transaction.done.catch(() => {})
      return await settleWithin(work(transaction), { ms, problem: 'timeout', message })
    } catch (error) {
      // Requests sent before the failure would be committed otherwise: a call that threw has changed nothing.
      if (transaction) abort(transaction)
      throw this.#lost ?? storageFailureFrom(error)
    }
  }
}

type BlockStore = Readonly<{
  openKeyCursor: (range: null, direction: 'prev') => Promise<{ key: number } | null>
}>

async function headOf(blocks: BlockStore): Promise<number> {
  return (await blocks.openKeyCursor(null, 'prev'))?.key ?? 0
}

// A request may succeed and its transaction abort all the same, as at quota: only `complete` counts.
async function written(transaction: WriteTransaction): Promise<AppendOutcome> {
  await transaction.done
  return { type: 'written' }
}

async function conflict(transaction: WriteTransaction, head: number): Promise<AppendOutcome> {
  abort(transaction)
  await transaction.done.catch(() => {})
  return { type: 'conflict', head }
}

function abort(transaction: Readonly<{ abort: () => void }>): void {
  try {
    transaction.abort()
  } catch {
    // It has ended already.
  }
}

function writeValues(transaction: WriteTransaction, values: KeyValues): void {
  const store = unwrap(transaction.objectStore('values'))
  for (const [key, value] of Object.entries(values)) {
    if (value === null) store.delete(key)
    else store.put(value.slice(), key)
  }
}

/** A view would be stored with all of the buffer behind it. */
function ownBytes(block: StoredBlock): StoredBlock {
  return block.bytes.byteLength === block.bytes.buffer.byteLength
    ? block
    : { ...block, bytes: block.bytes.slice() }
}

/** Keys that start with `prefix`: up to, and without, the first string that no longer does. */
function prefixRange(prefix: string): IDBKeyRange {
  // U+FFFF has no next unit: the one before it counts up.
  const stem = prefix.replace(/\uffff+$/, '')
  if (stem === '') return IDBKeyRange.lowerBound(prefix)
  const next = stem.charCodeAt(stem.length - 1) + 1
  return IDBKeyRange.bound(prefix, stem.slice(0, -1) + String.fromCharCode(next), false, true)
}
