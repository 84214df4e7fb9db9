// Opens a log: puts its parts together and keeps index, storage and listeners in step.

import type { Block } from '../log/block.ts'
import { isStoreError, LogDamaged } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import { checkName } from '../log/event-batch.ts'
import { HashChain } from '../log/hash-chain.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { createSha256 } from '../log/sha256.ts'
import type { App } from '../model/app.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { admitJob } from './admit-job.ts'
import { appendJob } from './append-job.ts'
import { BlockStore } from './block-store.ts'
import { EntryLookup } from './entry-lookup.ts'
import type { EventLog, LogChange, SyncCursor } from './event-log.ts'
import { executeJob } from './execute-job.ts'
import { IndexCheckpoint } from './index-checkpoint.ts'
import { LogIndex } from './log-index.ts'
import { effectiveCommitsBehind, PendingTail, takeCommits } from './pending-tail.ts'
import { LogReader } from './reader.ts'
import { dropRejection, readRejections } from './rejections.ts'
import { remoteJob } from './remote-job.ts'
import { createDeciderFolds } from './replay/decider-folds.ts'
import { verifyLog } from './verify.ts'
import { Writer } from './writer.ts'

export type OpenLogOptions = Readonly<{
  /** Opened and closed by the log. */
  storage: LogStorage
  /** Part of every stream's genesis hash: replicas that sync must use the same one. */
  storeId: string
  /** Its deciders carry out commands. */
  app?: App
  /** True on the server: what is in this log is confirmed by being there. */
  isAuthority?: boolean
  /** Milliseconds since the Unix epoch. */
  now?: () => number
  /** Told what goes wrong beside a call, such as an index checkpoint that cannot be written. */
  onBackgroundError?: (error: Error) => void
}>

/** Entries after which the index is saved again. */
const CHECKPOINT_EVERY = 16_384

/**
 * @throws `StorageFailed` when the storage cannot be opened; `LogDamaged` when what has to be read to open does
 * not match its digest.
 */
export async function openLog(options: OpenLogOptions): Promise<EventLog> {
  const { storage, storeId } = options
  checkName(storeId, 'storeId')
  const hash = await createSha256()
  await storage.open()
  try {
    const log = new OpenLog(options, hash)
    await log.load()
    return log
  } catch (error) {
    await storage.close()
    throw error
  }
}

class OpenLog implements EventLog {
  readonly storeId: string
  readonly hash: HashProvider
  readonly storage: LogStorage
  readonly #options: OpenLogOptions
  readonly #chain: HashChain
  readonly #blocks: BlockStore
  readonly #checkpoint: IndexCheckpoint
  readonly #listeners = new Set<(change: LogChange) => void>()
  #index: LogIndex
  #reader!: LogReader
  #tail!: PendingTail
  #lookup!: EntryLookup
  #folds!: ReturnType<typeof createDeciderFolds>
  #writer!: Writer
  #knownHead: GlobalPosition = 0
  #catchingUp: Promise<void> | null = null
  #saving: Promise<void> | null = null
  #closed: Promise<void> | null = null

  constructor(options: OpenLogOptions, hash: HashProvider) {
    this.#options = options
    this.storeId = options.storeId
    this.storage = options.storage
    this.hash = hash
    this.#chain = new HashChain(hash)
    this.#blocks = new BlockStore(this.storage, hash)
    this.#checkpoint = new IndexCheckpoint(this.storage, hash)
    this.#index = this.#emptyIndex()
  }

  async load(): Promise<void> {
    if (!(await this.#checkpoint.restore(this.#index, this.#blocks))) this.#index = this.#emptyIndex()
    this.#knownHead = await this.#checkpoint.knownHead()
    this.#assemble()
    await this.catchUp()
  }

  head(): GlobalPosition {
    return this.#index.head
  }

  cursor(): SyncCursor {
    return this.#index.cursor
  }

  pendingCount(): number {
    return this.#index.pending
  }

  async append(request: Parameters<EventLog['append']>[0]): ReturnType<EventLog['append']> {
    return this.#writer.submit(appendJob(request, { lookup: this.#lookup, now: this.#now }))
  }

  async execute(request: Parameters<EventLog['execute']>[0]): ReturnType<EventLog['execute']> {
    return this.#writer.submit(executeJob(request, { ...this.#commandParts, lookup: this.#lookup }))
  }

  async admit(commits: Parameters<EventLog['admit']>[0]): ReturnType<EventLog['admit']> {
    return this.#writer.submit(admitJob(commits, { lookup: this.#lookup, chain: this.#chain }))
  }

  async applyRemote(page: Parameters<EventLog['applyRemote']>[0]): ReturnType<EventLog['applyRemote']> {
    const parts = { ...this.#commandParts, index: this.#index, chain: this.#chain, tail: this.#tail }
    return this.#writer.submit(remoteJob(page, parts))
  }

  pendingCommits(maxBytes: number): ReturnType<EventLog['pendingCommits']> {
    return takeCommits(this.#tail.commits(), maxBytes)
  }

  async readCommits(after: GlobalPosition, maxBytes: number): ReturnType<EventLog['readCommits']> {
    const taken = await takeCommits(effectiveCommitsBehind(after, this.#index, this.#blocks), maxBytes)
    return { commits: taken.map(({ entries }) => entries), next: taken.at(-1)?.lastPosition ?? after }
  }

  rejections(): ReturnType<EventLog['rejections']> {
    return readRejections(this.storage)
  }

  acknowledgeRejection(id: string): Promise<void> {
    return dropRejection(this.storage, id)
  }

  streamHead(streamName: string): ReturnType<EventLog['streamHead']> {
    return this.#reader.streamHead(streamName)
  }

  readStream(...args: Parameters<EventLog['readStream']>): ReturnType<EventLog['readStream']> {
    return this.#reader.readStream(...args)
  }

  readAll(...args: Parameters<EventLog['readAll']>): ReturnType<EventLog['readAll']> {
    return this.#reader.readAll(...args)
  }

  streamVersion(streamName: string): number {
    return this.#index.versionOf(streamName)
  }

  isEffective(position: GlobalPosition): boolean {
    return this.#index.isEffective(position)
  }

  catchUp(): Promise<void> {
    this.#catchingUp ??= this.#readBehind().finally(() => {
      this.#catchingUp = null
    })
    return this.#catchingUp
  }

  onChange(listener: (change: LogChange) => void, signal?: AbortSignal): void {
    if (signal?.aborted) return
    this.#listeners.add(listener)
    signal?.addEventListener('abort', () => this.#listeners.delete(listener), { once: true })
  }

  verify(options: Parameters<EventLog['verify']>[0] = {}): ReturnType<EventLog['verify']> {
    const { storeId, storage } = this
    const knownHead = Math.max(this.#knownHead, this.#index.head)
    return verifyLog({ storeId, storage, chain: this.#chain, hash: this.hash, knownHead }, options)
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeOnce()
    return this.#closed
  }

  readonly #now = (): number => (this.#options.now ?? Date.now)()

  get #commandParts() {
    return { deciders: this.#options.app?.deciders ?? {}, folds: this.#folds, now: this.#now }
  }

  #emptyIndex(): LogIndex {
    return new LogIndex({ isAuthority: this.#options.isAuthority ?? false })
  }

  #assemble(): void {
    this.#reader = new LogReader(this.storeId, this.#index, this.#blocks, this.#chain)
    this.#tail = new PendingTail(this.#index, this.#blocks)
    this.#lookup = new EntryLookup(this.#index, this.#blocks)
    this.#folds = createDeciderFolds({ log: this, deciders: this.#options.app?.deciders ?? {} })
    this.#writer = new Writer({
      index: this.#index,
      reader: this.#reader,
      chain: this.#chain,
      hash: this.hash,
      storage: this.storage,
      advance: blocks => this.#advance(blocks),
      catchUp: () => this.catchUp(),
    })
  }

  async #readBehind(): Promise<void> {
    for (;;) {
      const blocks = await this.#blocks.behind(this.#index.head)
      if (blocks.length === 0) return
      this.#advance(blocks.map(block => ({ block, bytes: 0 })))
      // Nothing begins where the log goes on: without this, the same blocks would be read for ever.
      if (blocks.at(-1)!.lastPosition > this.#index.head) {
        throw new LogDamaged(this.#index.head + 1, 'the block is missing')
      }
    }
  }

  /** The own write and a catch-up may both bring a block: whoever is second passes it by. */
  #advance(blocks: readonly { block: Block; bytes: number }[]): void {
    const after = this.#index.head
    let supersededFrom: GlobalPosition | null = null
    for (const { block, bytes } of blocks) {
      if (block.firstPosition !== this.#index.head + 1) continue
      const from = this.#index.apply(block)
      if (from !== null) supersededFrom = Math.min(from, supersededFrom ?? from)
      if (bytes > 0) this.#blocks.keep(block, bytes)
    }
    if (this.#index.head === after) return
    this.#tell({ after, head: this.#index.head, supersededFrom, cursor: this.#index.cursor })
    if (this.#index.head - this.#checkpoint.savedHead >= CHECKPOINT_EVERY) this.#saveIndex()
  }

  #tell(change: LogChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change)
      } catch (error) {
        // One listener's fault must not keep the others, or the writer, from going on.
        this.#reportError(error)
      }
    }
  }

  #saveIndex(): void {
    this.#saving ??= this.#writeCheckpoint().finally(() => {
      this.#saving = null
    })
  }

  async #writeCheckpoint(): Promise<void> {
    try {
      const head = this.#index.head
      const block = await this.#blocks.holding(head)
      // Only a state of the index and the entry it ends on belong together.
      if (this.#index.head === head)
        await this.#checkpoint.save(this.#index, block.hashOf(head - block.firstPosition))
    } catch (error) {
      // Without a checkpoint the next open reads more, and nothing is lost.
      this.#reportError(error)
    }
  }

  #reportError(error: unknown): void {
    this.#options.onBackgroundError?.(error instanceof Error ? error : new Error(String(error)))
  }

  async #closeOnce(): Promise<void> {
    await this.#writer.close()
    await this.#catchingUp?.catch(error => {
      if (!isStoreError(error)) throw error
    })
    await this.#saving
    await this.#folds.close()
    if (this.#index.head > this.#checkpoint.savedHead) await this.#writeCheckpoint()
    this.#listeners.clear()
    await this.storage.close()
  }
}
