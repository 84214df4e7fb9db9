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
  /** How long one call may take before it fails with `timeout`. Default 15,000 ms. */
  operationTimeoutMs?: number
  /** Begin an empty log when the browser says that it lost the stored one, instead of failing with `data-loss`. */
  acceptDataLoss?: boolean
}>

export function indexedDbStorage(options: IndexedDbStorageOptions): LogStorage {
  return new IndexedDbStorage(options)
}

/** Blocks read in one request; larger runs take several. */
const READ_BATCH = 32

type WriteTransaction = IDBPTransaction<LogSchema, ['blocks', 'values'], 'readwrite'>

class IndexedDbStorage implements LogStorage {
  readonly capabilities = { durable: true, sharedWriters: true }
  readonly #options: IndexedDbStorageOptions
  #database: LogDatabase | null = null
  #lost: StorageFailed | null = null
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
    try {
      this.#database = await openDatabase({ name, timeoutMs: openTimeoutMs, acceptDataLoss, onLost })
      this.#lost = null
    } catch (error) {
      throw storageFailureFrom(error)
    }
  }

  head(): Promise<number> {
    return this.#settle(async database => headOf(database.transaction('blocks').objectStore('blocks')))
  }

  async append(
    after: number,
    blocks: readonly StoredBlock[],
    values: KeyValues = {},
  ): Promise<AppendOutcome> {
    return this.#settle(async database => {
      const transaction = this.#write(database)
      // All requests go out at once: waiting for the head first would cost a second round trip.
      const head = headOf(transaction.objectStore('blocks'))
      const store = unwrap(transaction.objectStore('blocks'))
      for (const block of blocks) store.add(ownBytes(block))
      writeValues(transaction, values)
      return (await isHead(head, after)) ? written(transaction) : conflict(transaction, await head)
    })
  }

  read({ from, to = Infinity, maxBytes = Infinity }: ReadRange): Promise<StoredBlock[]> {
    return this.#settle(async database => {
      const store = database.transaction('blocks').objectStore('blocks')
      const read: StoredBlock[] = []
      let bytes = 0
      let next = from
      for (;;) {
        const count = read.length === 0 && maxBytes === 1 ? 1 : READ_BATCH
        const batch = await store.getAll(IDBKeyRange.lowerBound(next), count)
        for (const block of batch) {
          if (block.firstPosition > to || bytes >= maxBytes) return read
          read.push(block)
          bytes += block.bytes.length
        }
        if (batch.length < count || bytes >= maxBytes) return read
        next = read.at(-1)!.lastPosition + 1
      }
    })
  }

  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#settle(async database => database.get('values', key))
  }

  list(prefix: string): Promise<[string, Uint8Array<ArrayBuffer>][]> {
    return this.#settle(async database => {
      const store = database.transaction('values').objectStore('values')
      const range = prefixRange(prefix)
      const [keys, values] = await Promise.all([store.getAllKeys(range), store.getAll(range)])
      return keys.map((key, i) => [key, values[i]!])
    })
  }

  put(values: KeyValues): Promise<void> {
    return this.#settle(async database => {
      const transaction = this.#write(database)
      writeValues(transaction, values)
      await transaction.done
    })
  }

  onLost(listener: (error: Error) => void): void {
    this.#onLost = listener
  }

  async close(): Promise<void> {
    this.#database?.close()
    this.#database = null
  }

  #write(database: LogDatabase): WriteTransaction {
    const { durability = 'relaxed' } = this.#options
    const transaction = database.transaction(['blocks', 'values'], 'readwrite', { durability })
    // Whoever waits for it hears of a failure; nobody else shall.
    transaction.done.catch(() => {})
    return transaction
  }

  async #settle<T>(work: (database: LogDatabase) => Promise<T>): Promise<T> {
    if (this.#lost) throw this.#lost
    if (!this.#database) throw new StorageFailed('closed', 'The storage is not open')
    const { name, operationTimeoutMs = 15_000 } = this.#options
    const message = `The database "${name}" did not answer in ${operationTimeoutMs} ms`
    try {
      return await settleWithin(work(this.#database), { ms: operationTimeoutMs, problem: 'timeout', message })
    } catch (error) {
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

/** A head that cannot be read says nothing: the transaction tells what went wrong. */
async function isHead(head: Promise<number>, after: number): Promise<boolean> {
  return head.then(
    position => position === after,
    () => true,
  )
}

// A request may succeed and its transaction abort all the same, as at quota: only `complete` counts.
async function written(transaction: WriteTransaction): Promise<AppendOutcome> {
  await transaction.done
  return { type: 'written' }
}

async function conflict(transaction: WriteTransaction, head: number): Promise<AppendOutcome> {
  transaction.abort()
  await transaction.done.catch(() => {})
  return { type: 'conflict', head }
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
function prefixRange(prefix: string): IDBKeyRange | undefined {
  if (prefix === '') return undefined
  const last = prefix.charCodeAt(prefix.length - 1)
  return IDBKeyRange.bound(prefix, prefix.slice(0, -1) + String.fromCharCode(last + 1), false, true)
}
