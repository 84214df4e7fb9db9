// The log in IndexedDB: one value a block, one transaction an append, acknowledged when it is complete.

import { type IDBPTransaction, unwrap } from 'idb'
import type { StoredBlock } from '../../log/block.ts'
import { BLOCK_TARGET_BYTES } from '../../log/block-writer.ts'
import { StorageFailed } from '../../log/errors.ts'
import type { AppendOutcome, KeyValues, LogStorage, ReadRange, ReplaceOutcome } from '../log-storage.ts'
import { areAsRead, replacedRange } from '../replacement.ts'
import { isSame } from '../same-value.ts'
import { stagedBlock } from '../staged-block.ts'
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

const DEFAULT_TIMEOUT_MS = 15_000
/** More time for a call that moves many blocks: a slow disk may take so long for one. */
const MS_PER_STAGED_BLOCK = 50

/** Blocks read in one request; larger runs take several. */
const READ_BATCH = 32

/** The object stores that a transaction is for: it waits for, and keeps waiting, no other. */
type Scope = 'blocks' | 'values' | 'both'
const STORES = { blocks: ['blocks'], values: ['values'], both: ['blocks', 'values'] } as const

type LogTransaction<Mode extends IDBTransactionMode> = IDBPTransaction<LogSchema, ['blocks', 'values'], Mode>
type WriteTransaction = LogTransaction<'readwrite'>

class IndexedDbStorage implements LogStorage {
  readonly capabilities = { durable: true, sharedWriters: true }
  readonly place: string
  readonly #options: IndexedDbStorageOptions
  #database: LogDatabase | null = null
  /** Transactions that take more reads until this task is over. */
  readonly #reading = new Map<Scope, LogTransaction<'readonly'>>()
  #lost: StorageFailed | null = null
  #closings = 0
  #onLost: (error: Error) => void = () => {}

  constructor(options: IndexedDbStorageOptions) {
    this.place = `indexeddb:${options.name}`
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
    return this.#transact('readonly', 'blocks', transaction => headOf(transaction.objectStore('blocks')))
  }

  async append(
    after: number,
    blocks: readonly StoredBlock[],
    values: KeyValues = {},
  ): Promise<AppendOutcome> {
    return this.#transact('readwrite', 'both', async transaction => {
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

  async replace(before: readonly StoredBlock[], blocks: readonly StoredBlock[]): Promise<ReplaceOutcome> {
    const { first, last } = replacedRange(before, blocks)
    return this.#transact('readwrite', 'blocks', async transaction => {
      // All requests go out at once, as with an append: the transaction, which appends wait for, is shorter.
      const reading = transaction
        .objectStore('blocks')
        .getAll(IDBKeyRange.bound(first, last))
        .catch(() => before)
      const store = unwrap(transaction.objectStore('blocks'))
      store.delete(IDBKeyRange.bound(first, last))
      for (const block of blocks) store.add(ownBytes(block))
      const standing = await reading
      const isAsRead = standing[0]?.firstPosition === first && areAsRead(standing, before)
      if (isAsRead) await transaction.done
      else await takenBack(transaction)
      return { type: isAsRead ? 'replaced' : 'conflict' }
    })
  }

  reset(blocks: readonly StoredBlock[], values: KeyValues): Promise<void> {
    return this.#transact('readwrite', 'both', async transaction => {
      const store = unwrap(transaction.objectStore('blocks'))
      store.clear()
      unwrap(transaction.objectStore('values')).clear()
      for (const block of blocks) store.add(ownBytes(block))
      writeValues(transaction, values)
      await transaction.done
    })
  }

  async resetToStaged(after: number, prefix: string, values: KeyValues): Promise<AppendOutcome> {
    const staged = await this.#transact('readonly', 'values', transaction =>
      transaction.objectStore('values').count(prefixRange(prefix)),
    )
    const { operationTimeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    const ms = operationTimeoutMs + staged * MS_PER_STAGED_BLOCK
    return this.#transactWithin({ mode: 'readwrite', scope: 'both', ms }, async transaction => {
      const head = await headOf(transaction.objectStore('blocks'))
      if (head !== after) return conflict(transaction, head)
      unwrap(transaction.objectStore('blocks')).clear()
      await unstage(transaction, prefixRange(prefix))
      unwrap(transaction.objectStore('values')).clear()
      writeValues(transaction, values)
      return written(transaction)
    })
  }

  read({ from, to = Infinity, maxBytes = Infinity }: ReadRange): Promise<StoredBlock[]> {
    return this.#transact('readonly', 'blocks', async transaction => {
      const store = transaction.objectStore('blocks')
      const read: StoredBlock[] = []
      let bytes = 0
      let next = from
      // Full blocks to begin with: who asks for one block must not wait for many.
      let size = Math.min(READ_BATCH, Math.ceil(maxBytes / BLOCK_TARGET_BYTES), to - from + 1)
      for (;;) {
        const batch = await readBatch(store, next, size)
        for (const block of batch) {
          if (block.firstPosition > to || bytes >= maxBytes) return read
          read.push(block)
          bytes += block.bytes.length
        }
        next = (read.at(-1)?.lastPosition ?? to) + 1
        if (batch.length < size || bytes >= maxBytes || next > to) return read
        size = READ_BATCH
      }
    })
  }

  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#transact('readonly', 'values', transaction => transaction.objectStore('values').get(key))
  }

  list(prefix: string): Promise<[string, Uint8Array<ArrayBuffer>][]> {
    return this.#transact('readonly', 'values', async transaction => {
      const store = transaction.objectStore('values')
      const range = prefixRange(prefix)
      const [keys, values] = await Promise.all([store.getAllKeys(range), store.getAll(range)])
      return keys.map((key, i) => [key, values[i]!])
    })
  }

  keys(prefix: string, limit: number): Promise<string[]> {
    return this.#transact('readonly', 'values', transaction =>
      transaction.objectStore('values').getAllKeys(prefixRange(prefix), limit),
    )
  }

  put(values: KeyValues): Promise<void> {
    return this.#transact('readwrite', 'values', async transaction => {
      writeValues(transaction, values)
      await transaction.done
    })
  }

  swap(
    key: string,
    expected: Uint8Array | undefined,
    value: Uint8Array<ArrayBuffer> | null,
  ): Promise<boolean> {
    return this.#transact('readwrite', 'values', async transaction => {
      const isExpected = isSame(await transaction.objectStore('values').get(key), expected)
      if (isExpected) writeValues(transaction, { [key]: value })
      await transaction.done
      return isExpected
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

  #transact<Mode extends 'readonly' | 'readwrite', T>(
    mode: Mode,
    scope: Scope,
    work: (transaction: LogTransaction<Mode>) => Promise<T>,
  ): Promise<T> {
    const { operationTimeoutMs = DEFAULT_TIMEOUT_MS } = this.#options
    return this.#transactWithin({ mode, scope, ms: operationTimeoutMs }, work)
  }

  async #transactWithin<Mode extends 'readonly' | 'readwrite', T>(
    { mode, scope, ms }: Readonly<{ mode: Mode; scope: Scope; ms: number }>,
    work: (transaction: LogTransaction<Mode>) => Promise<T>,
  ): Promise<T> {
    if (this.#lost) throw this.#lost
    if (!this.#database) throw new StorageFailed('closed', 'The storage is not open')
    const message = `The database "${this.#options.name}" did not answer in ${ms} ms`
    let transaction: LogTransaction<Mode> | undefined
    try {
      transaction = this.#begin(this.#database, mode, scope)
      return await settleWithin(work(transaction), { ms, problem: 'timeout', message })
    } catch (error) {
      // Requests sent before the failure would be committed otherwise: a call that threw has changed nothing.
      if (transaction && mode === 'readwrite') abort(transaction)
      throw this.#lost ?? storageFailureFrom(error)
    }
  }

  /** Reads that begin together share a transaction: to begin one takes longer than to read a value. */
  #begin<Mode extends 'readonly' | 'readwrite'>(
    database: LogDatabase,
    mode: Mode,
    scope: Scope,
  ): LogTransaction<Mode> {
    const shared = this.#reading.get(scope)
    if (mode === 'readonly' && shared) return shared as LogTransaction<Mode>
    const { durability = 'relaxed' } = this.#options
    const transaction = database.transaction(STORES[scope], mode, { durability }) as LogTransaction<Mode>
    // Whoever waits for it hears of a failure; nobody else shall.
    transaction.done.catch(() => {})
    if (mode === 'readonly') {
      this.#reading.set(scope, transaction as LogTransaction<'readonly'>)
      // It takes no new requests once this task is over. Behind a write, the next one must see what was written.
      queueMicrotask(() => this.#reading.delete(scope))
    } else this.#reading.clear()
    return transaction
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
  await takenBack(transaction)
  return { type: 'conflict', head }
}

async function takenBack(transaction: WriteTransaction): Promise<void> {
  abort(transaction)
  await transaction.done.catch(() => {})
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

/** Blocks asked for in one request: several small requests at once come in sooner than one large one. */
const REQUEST_BLOCKS = 4

type BlocksToRead = Readonly<{
  getAll: (range: IDBKeyRange, count?: number) => Promise<StoredBlock[]>
  getAllKeys: (range: IDBKeyRange, count?: number) => Promise<number[]>
}>

async function readBatch(store: BlocksToRead, from: number, size: number): Promise<StoredBlock[]> {
  if (size <= REQUEST_BLOCKS) return store.getAll(IDBKeyRange.lowerBound(from), size)
  const keys = await store.getAllKeys(IDBKeyRange.lowerBound(from), size)
  const requests: Promise<StoredBlock[]>[] = []
  for (let i = 0; i < keys.length; i += REQUEST_BLOCKS) {
    const last = keys[Math.min(i + REQUEST_BLOCKS, keys.length) - 1]
    requests.push(store.getAll(IDBKeyRange.bound(keys[i], last)))
  }
  return (await Promise.all(requests)).flat()
}

/** Bit by bit: what is staged may be larger than memory. */
async function unstage(transaction: WriteTransaction, staged: IDBKeyRange): Promise<void> {
  const values = transaction.objectStore('values')
  const blocks = unwrap(transaction.objectStore('blocks'))
  const batch = async (range: IDBKeyRange): Promise<string | undefined> => {
    const [keys, bytes] = await Promise.all([
      values.getAllKeys(range, READ_BATCH),
      values.getAll(range, READ_BATCH),
    ])
    for (const [i, key] of keys.entries()) blocks.add(stagedBlock(key, bytes[i]!))
    return keys.length < READ_BATCH ? undefined : keys.at(-1)
  }
  let last = await batch(staged)
  while (last !== undefined) last = await batch(IDBKeyRange.bound(last, staged.upper, true, true))
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
