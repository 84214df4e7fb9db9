// The log in memory: the readable specification of LogStorage. A provider author reads this first.

import type { StoredBlock } from '../../log/block.ts'
import { StorageFailed } from '../../log/errors.ts'
import type { AppendOutcome, KeyValues, LogStorage, ReadRange, ReplaceOutcome } from '../log-storage.ts'
import { areAsRead, replacedRange } from '../replacement.ts'
import { isSame } from '../same-value.ts'
import { stagedBlock } from '../staged-block.ts'

/** What several handles share, as several tabs share a database. It lives as long as somebody holds it. */
export type MemoryDatabase = {
  readonly blocks: StoredBlock[]
  readonly values: Map<string, Uint8Array<ArrayBuffer>>
}

export const createMemoryDatabase = (): MemoryDatabase => ({ blocks: [], values: new Map() })

/** A log that ends with the process. Handles on one `database` see the same log; by default each has its own. */
export function memoryStorage(options: { database?: MemoryDatabase } = {}): LogStorage {
  return new MemoryStorage(options.database ?? createMemoryDatabase())
}

class MemoryStorage implements LogStorage {
  readonly capabilities = { durable: false, sharedWriters: true }
  readonly #database: MemoryDatabase
  #isOpen = false

  constructor(database: MemoryDatabase) {
    this.#database = database
  }

  async open(): Promise<void> {
    this.#isOpen = true
  }

  async head(): Promise<number> {
    return this.#use().blocks.at(-1)?.lastPosition ?? 0
  }

  // No await between the comparison and the write: that is the whole transaction.
  async append(
    after: number,
    blocks: readonly StoredBlock[],
    values: KeyValues = {},
  ): Promise<AppendOutcome> {
    const database = this.#use()
    const head = database.blocks.at(-1)?.lastPosition ?? 0
    if (head !== after) return { type: 'conflict', head }
    // All copies first: bytes that cannot be copied throw, and then nothing may be written.
    const [newBlocks, newValues] = [blocks.map(copyBlock), copyValues(values)]
    database.blocks.push(...newBlocks)
    writeValues(database, newValues)
    return { type: 'written' }
  }

  async replace(before: readonly StoredBlock[], blocks: readonly StoredBlock[]): Promise<ReplaceOutcome> {
    const stored = this.#use().blocks
    const { first, last } = replacedRange(before, blocks)
    const start = firstEndingAt(stored, first)
    const standing = stored.slice(start, firstEndingAt(stored, last + 1))
    if (standing[0]?.firstPosition !== first || !areAsRead(standing, before)) return { type: 'conflict' }
    stored.splice(start, standing.length, ...blocks.map(copyBlock))
    return { type: 'replaced' }
  }

  async reset(blocks: readonly StoredBlock[], values: KeyValues): Promise<void> {
    const database = this.#use()
    const [newBlocks, newValues] = [blocks.map(copyBlock), copyValues(values)]
    database.blocks.splice(0, database.blocks.length, ...newBlocks)
    database.values.clear()
    writeValues(database, newValues)
  }

  async resetToStaged(after: number, prefix: string, values: KeyValues): Promise<AppendOutcome> {
    const head = this.#use().blocks.at(-1)?.lastPosition ?? 0
    if (head !== after) return { type: 'conflict', head }
    const { values: stored } = this.#use()
    const keys = [...stored.keys()].filter(key => key.startsWith(prefix)).sort()
    await this.reset(
      keys.map(key => stagedBlock(key, stored.get(key)!)),
      values,
    )
    return { type: 'written' }
  }

  async read({ from, to = Infinity, maxBytes = Infinity }: ReadRange): Promise<StoredBlock[]> {
    const { blocks } = this.#use()
    const read: StoredBlock[] = []
    let bytes = 0
    for (let i = firstEndingAt(blocks, from); i < blocks.length; i++) {
      const block = blocks[i]!
      if (block.firstPosition > to || bytes >= maxBytes) break
      read.push(copyBlock(block))
      bytes += block.bytes.length
    }
    return read
  }

  async get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#use().values.get(key)?.slice()
  }

  async list(prefix: string): Promise<[string, Uint8Array<ArrayBuffer>][]> {
    const { values } = this.#use()
    return (await this.keys(prefix, Infinity)).map(key => [key, values.get(key)!.slice()])
  }

  async keys(prefix: string, limit: number): Promise<string[]> {
    const keys = [...this.#use().values.keys()].filter(key => key.startsWith(prefix))
    return keys.sort().slice(0, limit)
  }

  async put(values: KeyValues): Promise<void> {
    writeValues(this.#use(), copyValues(values))
  }

  async swap(
    key: string,
    expected: Uint8Array | undefined,
    value: Uint8Array<ArrayBuffer> | null,
  ): Promise<boolean> {
    const database = this.#use()
    if (!isSame(database.values.get(key), expected)) return false
    writeValues(database, copyValues({ [key]: value }))
    return true
  }

  onLost(): void {
    // Memory is never taken away while somebody holds it.
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  #use(): MemoryDatabase {
    if (!this.#isOpen) throw new StorageFailed('closed', 'The storage is not open')
    return this.#database
  }
}

// Bytes are copied in and out, so that nobody outside can change the log.
const copyBlock = (block: StoredBlock): StoredBlock => ({ ...block, bytes: block.bytes.slice() })

type ValueCopies = readonly (readonly [key: string, value: Uint8Array<ArrayBuffer> | null])[]

const copyValues = (values: KeyValues): ValueCopies =>
  Object.entries(values).map(([key, value]) => [key, value?.slice() ?? null])

function writeValues({ values: stored }: MemoryDatabase, values: ValueCopies): void {
  for (const [key, value] of values) {
    if (value === null) stored.delete(key)
    else stored.set(key, value)
  }
}

/** Index of the first block that ends at `position` or later. */
function firstEndingAt(blocks: readonly StoredBlock[], position: number): number {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (blocks[middle]!.lastPosition < position) low = middle + 1
    else high = middle
  }
  return low
}
