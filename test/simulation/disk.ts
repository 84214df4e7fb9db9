// What a device or a server has stored: the real storage, and beside it a copy that can be looked at at any moment.

import { decodeBlock, type StoredBlock } from '../../src/log/block.ts'
import { hexOf, textOf } from '../../src/log/bytes.ts'
import { KIND_SYSTEM } from '../../src/log/entry.ts'
import { StorageFailed } from '../../src/log/errors.ts'
import { eventIdOf } from '../../src/log/event-id.ts'
import { indexedDbStorage } from '../../src/storage/indexeddb/index.ts'
import type { KeyValues, LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import type { Process } from './process.ts'
import type { Scheduler } from './scheduler.ts'

export type StorageKind = 'memory' | 'fake-indexeddb'

export type DiskEntry = Readonly<{
  position: number
  isSystem: boolean
  id: string
  streamName: string
  version: number
  previous: string
  hash: string
  type: string
  /** JSON text. */
  data: string
}>

export type Backup = Readonly<{
  blocks: readonly StoredBlock[]
  values: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
}>

export type DiskOptions = Readonly<{
  name: string
  kind: StorageKind
  scheduler: Scheduler
  /** Told as soon as something was written, acknowledged or not. */
  onWritten: (disk: Disk) => void
}>

export class Disk {
  readonly #options: DiskOptions
  readonly #openRaw: () => LogStorage
  #blocks: StoredBlock[] = []
  entries: DiskEntry[] = []
  values = new Map<string, Uint8Array<ArrayBuffer>>()

  constructor(options: DiskOptions) {
    this.#options = options
    const database = createMemoryDatabase()
    this.#openRaw = () =>
      options.kind === 'memory' ? memoryStorage({ database }) : indexedDbStorage({ name: options.name })
  }

  /** As a process sees it: each call waits for its turn, and meets what the process is to meet. */
  openFor(process: Process): LogStorage {
    const raw = this.#openRaw()
    const read = <T>(name: string, effect: () => Promise<T>) =>
      this.#call(process, { name, isWrite: false }, effect)
    const write = <T>(name: string, effect: () => Promise<T>) =>
      this.#call(process, { name, isWrite: true }, effect)
    return wrapStorage(raw, {
      open: () => read('open', () => raw.open()),
      head: () => read('head', () => raw.head()),
      read: range => read('read', () => raw.read(range)),
      get: key => read('get', () => raw.get(key)),
      list: prefix => read('list', () => raw.list(prefix)),
      keys: (prefix, limit) => read('keys', () => raw.keys(prefix, limit)),
      append: (after, blocks, values = {}) =>
        write('append', async () => {
          const outcome = await raw.append(after, blocks, values)
          if (outcome.type === 'written') this.#written(blocks, values)
          return outcome
        }),
      put: values =>
        write('put', async () => {
          await raw.put(values)
          this.#written([], values)
        }),
      swap: (key, expected, value) =>
        write('swap', async () => {
          const isWritten = await raw.swap(key, expected, value)
          if (isWritten) this.#written([], { [key]: value })
          return isWritten
        }),
    })
  }

  backup(): Backup {
    return { blocks: [...this.#blocks], values: new Map(this.values) }
  }

  /** No process may be alive that has it open. */
  async restore({ blocks, values }: Backup): Promise<void> {
    await this.#options.scheduler.whole(async () => {
      const raw = this.#openRaw()
      await raw.open()
      await raw.reset!(blocks, Object.fromEntries(values))
      await raw.close()
    })
    this.#blocks = []
    this.entries = []
    this.values = new Map()
    this.#written(blocks, Object.fromEntries(values))
  }

  /** What is stored is what was seen to be written. */
  async holdsWhatWasWritten(): Promise<boolean> {
    const raw = this.#openRaw()
    await raw.open()
    const stored = await raw.read({ from: 1 })
    await raw.close()
    return JSON.stringify(stored.map(hexOfBlock)) === JSON.stringify(this.#blocks.map(hexOfBlock))
  }

  #written(blocks: readonly StoredBlock[], values: KeyValues): void {
    this.#blocks.push(...blocks)
    for (const block of blocks) this.entries.push(...entriesOf(block))
    for (const [key, value] of Object.entries(values)) {
      if (value === null) this.values.delete(key)
      else this.values.set(key, value.slice())
    }
    this.#options.onWritten(this)
  }

  async #call<T>(
    process: Process,
    { name, isWrite }: Readonly<{ name: string; isWrite: boolean }>,
    effect: () => Promise<T>,
  ): Promise<T> {
    const { scheduler } = this.#options
    const label = `${process.name}: ${name}`
    await scheduler.park(label, process)
    const fault = process.takeDiskFault(isWrite)
    if (fault) scheduler.note(`${label} meets ${fault}`)
    if (fault === 'crash-before') return die(process)
    if (fault === 'full') throw new StorageFailed('quota', 'The disk is full')
    if (fault === 'unreadable') throw new StorageFailed('failed', 'The disk cannot be read')
    const result = await scheduler.whole(effect)
    if (fault === 'crash-after') return die(process)
    if (fault === 'timeout') throw new StorageFailed('timeout', 'The disk did not answer in time')
    if (isWrite) await scheduler.park(`${label} done`, process)
    return result
  }
}

function die(process: Process): Promise<never> {
  process.crash()
  return new Promise(() => {})
}

const hexOfBlock = ({ firstPosition, lastPosition, bytes }: StoredBlock) =>
  `${firstPosition}-${lastPosition} ${hexOf(bytes)}`

function entriesOf({ bytes, firstPosition }: StoredBlock): DiskEntry[] {
  const block = decodeBlock(bytes, firstPosition)
  return Array.from({ length: block.count }, (_, i) => {
    const { kind, eventId, streamName, streamVersion, previous, hash, type, payload } = block.entry(i)
    return {
      position: firstPosition + i,
      isSystem: kind === KIND_SYSTEM,
      id: eventIdOf(eventId),
      streamName,
      version: streamVersion,
      previous: hexOf(previous),
      hash: hexOf(hash),
      type,
      data: textOf(payload),
    }
  })
}
