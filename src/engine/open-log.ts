// Opens a log: puts its parts together and keeps index, storage and listeners in step.

import type { StateSeal } from '../integrity/state-seal.ts'
import type { Block } from '../log/block.ts'
import { isStoreError, LogDamaged } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import { checkName } from '../log/event-batch.ts'
import { eventIdOf } from '../log/event-id.ts'
import { HashChain } from '../log/hash-chain.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { createSha256 } from '../log/sha256/create-sha256.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import type { App } from '../model/app.ts'
import type { EncryptionOptions } from '../model/encryption.ts'
import type { Verdict } from '../model/integrity-status.ts'
import type { ReplayReport } from '../model/replay-report.ts'
import type { SnapshotsOptions } from '../model/snapshot-policy.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { admitJob } from './admit-job.ts'
import { amendJob } from './amendments/amend-job.ts'
import type { EffectiveOrder } from './amendments/effective-order.ts'
import { readAmendments } from './amendments/read-amendments.ts'
import { appendJob } from './append-job.ts'
import { exportPart } from './backup/export-log.ts'
import { dropStaged } from './backup/staged-import.ts'
import { BlockStore } from './block-store.ts'
import { type LogSigning, nobodySigns } from './checkpoint-book.ts'
import { deciderOf } from './command-plan.ts'
import { commonPrefix, type PrefixSource } from './common-prefix.ts'
import { compactLog, keepsBlocks } from './compaction.ts'
import { cutPage } from './cut-page.ts'
import { EventCipher } from './encryption/event-cipher.ts'
import { EventContents } from './encryption/event-contents.ts'
import { createMemoryShelf, KeyRing } from './encryption/key-ring.ts'
import { LogKeys } from './encryption/log-keys.ts'
import { EntryLookup } from './entry-lookup.ts'
import type { ErasureRecord } from './erasure/erasure-record.ts'
import { Erasures } from './erasure/erasures.ts'
import type { CommitPage, EventLog, LogChange, RefusedCommit, RemotePage, SyncCursor } from './event-log.ts'
import { mustHave, progressOf } from './event-progress.ts'
import { executeJob } from './execute-job.ts'
import { HeldStreams } from './held-streams.ts'
import { IdleUpkeep, type IdleUpkeepOptions } from './idle-upkeep.ts'
import { IndexCheckpoint } from './index-checkpoint.ts'
import { Listeners } from './listeners.ts'
import { earliest, LogIndex } from './log-index.ts'
import { LogProofs } from './log-proofs.ts'
import { LogVerifier } from './log-verifier.ts'
import { checkMerges } from './merge-again.ts'
import { passBy } from './pass-by.ts'
import { effectiveCommitsBehind, PendingTail, takeCommits } from './pending-tail.ts'
import { LogReader } from './reader.ts'
import { Healing } from './recovery/healing.ts'
import { verdictJob } from './recovery/verdict-book.ts'
import { dropRejection, openRejections, readRejections } from './rejections.ts'
import { rejoinJob } from './rejoin-job.ts'
import { remoteJob } from './remote-job.ts'
import { createDeciderFolds } from './replay/decider-folds.ts'
import type { FoldLog } from './replay/fold.ts'
import { SnapshotCleanup } from './replay/snapshot-cleanup.ts'
import { resubscribeJob } from './resubscribe-job.ts'
import { SavedIndex } from './saved-index.ts'
import { type ServerTreeParts, serverTreeBehind } from './server-tree.ts'
import { setAsideJob } from './set-aside-job.ts'
import { TodaysEvents } from './todays-events.ts'
import { Writer } from './writer.ts'

export type OpenLogOptions = Readonly<{
  /** Opened and closed by the log. */
  storage: LogStorage
  /** Part of every stream's genesis hash: replicas that sync must use the same one. */
  storeId: string
  /** Its deciders carry out commands, and its upcasters are heard. */
  app?: App
  /** The streams that are held of the server's log, and that can be appended to. Left out: all. */
  streams?: readonly StreamPattern[]
  /** True on the server: what is in this log is confirmed by being there. */
  isAuthority?: boolean
  /** Milliseconds since the Unix epoch. */
  now?: () => number
  /**
   * Merges small blocks while nothing is appended, where the storage keeps blocks, and deletes snapshots that are of no
   * use any more, and what an import left that was cut off. Left out: never. `runAlone` must exclude imports, too.
   */
  compaction?: IdleUpkeepOptions
  /** Where the keys of this device are, and which of them is for what. Left out: what is appended stands in clear. */
  encryption?: Readonly<{ ring: KeyRing; keyIdFor?: EncryptionOptions['keyIdFor'] }>
  /** Who signs the log's checkpoints, asked for at the first one. Left out: nobody. */
  signing?: () => Promise<LogSigning>
  /** Seals snapshots, asked for at the first one. Left out: nothing does. */
  seal?: () => Promise<StateSeal | null>
  snapshots?: SnapshotsOptions
  /** Told of each fold of a decider that did not go on from what is in memory. */
  onReplayed?: (report: ReplayReport) => void
  /** Told what goes wrong beside a call, such as an index checkpoint that cannot be written. */
  onBackgroundError?: (error: Error) => void
}>

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
  readonly today: TodaysEvents
  readonly proofs: LogProofs
  readonly erasures: Erasures
  readonly keys: LogKeys
  readonly #contents: EventContents
  readonly #options: OpenLogOptions
  readonly #held: HeldStreams
  readonly #chain: HashChain
  readonly #blocks: BlockStore
  readonly healing: Healing
  readonly #changes = new Listeners<LogChange>(error => this.#reportError(error))
  readonly #damages = new Listeners<GlobalPosition>(error => this.#reportError(error))
  readonly #verifier: LogVerifier
  #saved!: SavedIndex
  #reader!: LogReader
  #tail!: PendingTail
  #lookup!: EntryLookup
  #folds!: ReturnType<typeof createDeciderFolds>
  #writer!: Writer
  #oldestPending: { position: GlobalPosition; at: number } | null = null
  #upkeep: IdleUpkeep | null = null
  #catchingUp: Promise<void> | null = null
  #closed: Promise<void> | null = null

  constructor(options: OpenLogOptions, hash: HashProvider) {
    this.#options = options
    this.storeId = options.storeId
    this.storage = options.storage
    this.hash = hash
    this.today = new TodaysEvents(options.app ?? {})
    checkMerges(options.app ?? {})
    this.#held = new HeldStreams(options.streams)
    this.#chain = new HashChain(hash)
    this.#blocks = new BlockStore(this.storage, hash, position => this.#damages.tell(position))
    const { ring = new KeyRing({ shelf: createMemoryShelf() }), keyIdFor } = options.encryption ?? {}
    this.#contents = new EventContents({
      cipher: new EventCipher({ storeId: options.storeId, ring, keyIdFor }),
      // A server passes by all that is encrypted, and folds nothing.
      onMissing: async keyIds => {
        if (!options.isAuthority) await this.keys.passing(keyIds)
      },
    })
    this.proofs = new LogProofs({
      storage: this.storage,
      blocks: this.#blocks,
      hash,
      index: () => this.#index,
      idsReady: () => this.#saved.idsReady(),
      signing: options.signing ?? (async () => nobodySigns(options.storeId)),
    })
    this.erasures = new Erasures({
      storage: this.storage,
      blocks: this.#blocks,
      chain: this.#chain,
      hash,
      isAuthority: options.isAuthority ?? false,
      contents: () => this.#contents,
      index: () => this.#index,
      idsReady: () => this.#saved.idsReady(),
      submit: job => this.#writer.submit(job),
      catchUp: () => this.catchUp(),
      now: this.#now,
      onListed: records => this.#tellOf({ erasedFrom: firstTouched(records) }),
    })
    this.keys = new LogKeys({
      ring,
      contents: () => this.#contents,
      storage: this.storage,
      blocks: this.#blocks,
      index: () => this.#index,
      erasures: this.erasures,
      catchUp: () => this.catchUp(),
      now: this.#now,
      onError: error => this.#reportError(error),
    })
    this.healing = new Healing({
      storage: this.storage,
      blocks: this.#blocks,
      chain: this.#chain,
      hash,
      erasures: this.erasures,
      index: () => this.#index,
      onHealed: from => this.healed(from),
    })
    this.#verifier = new LogVerifier({
      storeId: this.storeId,
      storage: this.storage,
      hash,
      chain: this.#chain,
      tree: this.proofs.tree,
      checkpoints: this.proofs.checkpoints,
      erasures: this.erasures,
      knownHead: () => Math.max(this.#saved.knownHead, this.#index.head),
    })
  }

  async load(): Promise<void> {
    const [saved] = await Promise.all([this.#restoreIndex(), this.erasures.load(), this.keys.load()])
    this.#saved = saved
    this.#assemble()
    await this.catchUp()
    await this.erasures.opened()
    this.#saved.opened()
    this.erasures.resume().catch(error => {
      if (!isStoreError(error, 'store-closed')) this.#reportError(error)
    })
    this.#startUpkeep()
    if (this.#options.isAuthority) return
    this.keys.settle().catch(error => {
      if (!isStoreError(error, 'store-closed')) this.#reportError(error)
    })
  }

  #restoreIndex(): Promise<SavedIndex> {
    return SavedIndex.restore({
      checkpoint: new IndexCheckpoint(this.storage, this.hash),
      blocks: this.#blocks,
      emptyIndex: () => new LogIndex({ isAuthority: this.#options.isAuthority ?? false }),
      onError: error => this.#reportError(error),
    })
  }

  async seal(): Promise<StateSeal | null> {
    return (await this.#options.seal?.()) ?? null
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

  async oldestPendingAt(): Promise<number | null> {
    const position = this.#index.firstPending
    if (position === null) return null
    if (position !== this.#oldestPending?.position) {
      const block = await this.#blocks.holding(position)
      this.#oldestPending = { position, at: block.recordedAt[position - block.firstPosition]! }
    }
    return this.#oldestPending.at
  }

  async progressOf(
    ...[eventIds, pushed]: Parameters<EventLog['progressOf']>
  ): ReturnType<EventLog['progressOf']> {
    await this.#saved.idsReady()
    return progressOf(eventIds, pushed, { index: this.#index, storage: this.storage })
  }

  async eventIdAt(position: GlobalPosition): Promise<string> {
    await this.#saved.idsReady()
    mustHave(position, this.#index.head)
    return eventIdOf(this.#index.idColumn(position, position))
  }

  contentBytes(): number {
    return this.#index.contentBytes
  }

  async append(request: Parameters<EventLog['append']>[0]): ReturnType<EventLog['append']> {
    const [outcome] = await this.appendMany([request])
    if (outcome!.status === 'rejected') throw outcome!.reason
    return outcome!.value
  }

  async appendMany(requests: Parameters<EventLog['appendMany']>[0]): ReturnType<EventLog['appendMany']> {
    return this.#writer.submit(
      appendJob(requests, {
        lookup: this.#lookup,
        now: this.#now,
        merges: this.#merges,
        held: this.#held,
        contents: this.#contents,
      }),
    )
  }

  async execute(request: Parameters<EventLog['execute']>[0]): ReturnType<EventLog['execute']> {
    return this.#writer.submit(
      executeJob(request, { ...this.#commandParts, lookup: this.#lookup, held: this.#held }),
    )
  }

  async amend(request: Parameters<EventLog['amend']>[0]): ReturnType<EventLog['amend']> {
    return this.#writer.submit(
      amendJob(request, {
        lookup: this.#lookup,
        now: this.#now,
        index: this.#index,
        held: this.#held,
        contents: this.#contents,
      }),
    )
  }

  async explainDecider(decider: string, id: string): ReturnType<EventLog['explainDecider']> {
    const { streamName } = deciderOf(this.#options.app?.deciders ?? {}, decider)
    return this.#folds.explain(decider, streamName(id))
  }

  amendments(streamName: string): ReturnType<EventLog['amendments']> {
    return readAmendments(streamName, this.#index, this.#blocks)
  }

  async admit(commits: Parameters<EventLog['admit']>[0]): ReturnType<EventLog['admit']> {
    return this.#writer.submit(admitJob(commits, { lookup: this.#lookup, chain: this.#chain }))
  }

  async applyRemote(page: Parameters<EventLog['applyRemote']>[0]): ReturnType<EventLog['applyRemote']> {
    const parts = {
      ...this.#commandParts,
      lookup: this.#lookup,
      chain: this.#chain,
      tail: this.#tail,
      serverTree: this.#serverTree,
      erasures: this.erasures,
      merges: this.#merges,
    }
    if (await passBy(page, { ...this.#serverTree, storage: this.storage }))
      return { confirmed: 0, rebased: 0, rejected: [] }
    const outcome = await this.#writer.submit(remoteJob(page, parts))
    return { ...outcome, rejected: await openRejections(outcome.rejected, this.#contents) }
  }

  async serverRootBehind(page: RemotePage): Promise<Uint8Array | null> {
    return (await serverTreeBehind(page, this.#serverTree))?.root() ?? null
  }

  pendingCommits(maxBytes: number): ReturnType<EventLog['pendingCommits']> {
    return takeCommits(this.#tail.commits(), maxBytes)
  }

  readCommits(...[after, maxBytes, streams]: Parameters<EventLog['readCommits']>): Promise<CommitPage> {
    const commits = effectiveCommitsBehind(after, this.#index, this.#blocks)
    return cutPage(commits, { after, maxBytes, streams, tree: this.proofs.tree })
  }

  async rejections(): ReturnType<EventLog['rejections']> {
    return openRejections(await readRejections(this.storage), this.#contents)
  }

  async setAside(refused: RefusedCommit): ReturnType<EventLog['setAside']> {
    const parts = {
      ...this.#commandParts,
      lookup: this.#lookup,
      tail: this.#tail,
      merges: this.#merges,
    }
    return openRejections(await this.#writer.submit(setAsideJob(refused, parts)), this.#contents)
  }

  async rejoin(prefixOf: PrefixSource): ReturnType<EventLog['rejoin']> {
    const found = await commonPrefix(prefixOf, this.#serverTree)
    return found ? this.#writer.submit(rejoinJob(found, { ...this.#serverTree, now: this.#now })) : null
  }

  async resubscribe(streams: readonly StreamPattern[] | undefined): Promise<boolean> {
    return this.#writer.submit(resubscribeJob(streams, { ...this.#serverTree, now: this.#now }))
  }

  acknowledgeRejection(id: string): Promise<void> {
    return dropRejection(this.storage, id)
  }

  recordVerdict(verdict: Verdict): Promise<void> {
    return this.#writer.submit(verdictJob(verdict))
  }

  streamHead(streamName: string): ReturnType<EventLog['streamHead']> {
    return this.#reader.streamHead(streamName)
  }

  readStream(...args: Parameters<EventLog['readStream']>): ReturnType<EventLog['readStream']> {
    this.#held.mustHold(args[0])
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

  get order(): EffectiveOrder {
    return this.#index.order
  }

  catchUp(): Promise<void> {
    this.#catchingUp ??= this.#readBehind().finally(() => {
      this.#catchingUp = null
    })
    return this.#catchingUp
  }

  onChange(listener: (change: LogChange) => void, signal?: AbortSignal): void {
    this.#changes.add(listener, signal)
  }

  onDamaged(listener: (position: GlobalPosition) => void, signal?: AbortSignal): void {
    this.#damages.add(listener, signal)
  }

  healed(from: GlobalPosition): void {
    this.#blocks.forgetAll()
    this.#folds.forget()
    this.#tellOf({ healedFrom: from })
  }

  verify(options?: Parameters<EventLog['verify']>[0]): ReturnType<EventLog['verify']> {
    return this.#verifier.verify(options)
  }

  exportPart(after: GlobalPosition, size: number): ReturnType<EventLog['exportPart']> {
    return exportPart(after, size, { storage: this.storage, hash: this.hash })
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeOnce()
    return this.#closed
  }

  readonly #now = (): number => (this.#options.now ?? Date.now)()

  get #commandParts() {
    const { deciders = {} } = this.#options.app ?? {}
    const { today } = this
    return {
      deciders,
      folds: this.#folds,
      now: this.#now,
      index: this.#index,
      reader: this.#reader,
      today,
      contents: this.#contents,
    }
  }

  get #merges(): NonNullable<App['merges']> {
    return this.#options.app?.merges ?? {}
  }

  get #serverTree(): ServerTreeParts {
    return { storage: this.storage, hash: this.hash, index: this.#index, blocks: this.#blocks }
  }

  get #index(): LogIndex {
    return this.#saved.index
  }

  #assemble(): void {
    this.#reader = new LogReader({
      storeId: this.storeId,
      index: this.#index,
      blocks: this.#blocks,
      chain: this.#chain,
      contents: this.#contents,
    })
    this.#tail = new PendingTail(this.#index, this.#blocks)
    this.#lookup = new EntryLookup(this.#index, this.#blocks)
    const { app, snapshots, onReplayed } = this.#options
    const folding = { snapshotCodec: snapshots?.codec, onReplayed }
    this.#folds = createDeciderFolds({ log: this.#wholeLog(), deciders: app?.deciders ?? {}, ...folding })
    this.#writer = new Writer({
      index: this.#index,
      reader: this.#reader,
      chain: this.#chain,
      hash: this.hash,
      storage: this.storage,
      advance: blocks => this.#advance(blocks),
      catchUp: () => this.catchUp(),
      ready: () => this.#saved.idsReady(),
    })
  }

  /** For who decides: a stream with an event in it whose key is not here is refused, and not read in part. */
  #wholeLog(): FoldLog {
    const log = this
    return {
      storage: log.storage,
      hash: log.hash,
      erasures: log.erasures,
      today: log.today,
      seal: () => log.seal(),
      head: () => log.head(),
      cursor: () => log.cursor(),
      readStream: (streamName, options) => log.#reader.readStream(streamName, options, 'refuse'),
      readAll: options => log.readAll(options),
      streamVersion: streamName => log.streamVersion(streamName),
      isEffective: position => log.isEffective(position),
      catchUp: () => log.catchUp(),
      onChange: (listener, signal) => log.onChange(listener, signal),
      get order() {
        return log.order
      },
    }
  }

  #startUpkeep(): void {
    const { storage, hash } = this
    const { compaction, app = {} } = this.#options
    if (!compaction || !keepsBlocks(storage)) return
    const onError = (error: unknown): void => this.#reportError(error)
    const onMerged = this.#blocks.merged.bind(this.#blocks)
    const snapshots = new SnapshotCleanup({ log: this, app, ...this.#options.snapshots })
    const work = async (signal: AbortSignal): Promise<void> => {
      await dropStaged(storage)
      await compactLog({ storage, hash, onMerged, onDamaged: onError }, signal)
      if (!signal.aborted) await snapshots.run()
    }
    this.#upkeep = new IdleUpkeep(work, compaction, onError)
    this.#upkeep.touch()
  }

  async #readBehind(): Promise<void> {
    for (;;) {
      const blocks = await this.#blocks.behind(this.#index.head)
      if (blocks.length === 0) return
      this.#advance(blocks.map(block => ({ block, bytes: 0 })))
      // Nothing holds the place where the log goes on: without this, the same blocks would be read for ever.
      if (blocks.at(-1)!.lastPosition > this.#index.head) {
        throw new LogDamaged(this.#index.head + 1, 'the block is missing')
      }
    }
  }

  /** The own write and a catch-up may both bring a block: whoever is second passes it by. */
  #advance(blocks: readonly { block: Block; bytes: number }[]): void {
    const after = this.#index.head
    let supersededFrom: GlobalPosition | null = null
    let amendedFrom: GlobalPosition | null = null
    let unconfirmedFrom: GlobalPosition | null = null
    const erasures: ErasureRecord[] = []
    for (const { block, bytes } of blocks) {
      const next = this.#index.head + 1
      // A block that was merged meanwhile may begin before the head; what is behind it counts.
      if (block.firstPosition > next || block.lastPosition < next) continue
      const applied = this.#index.apply(block)
      supersededFrom = earliest(supersededFrom, applied.supersededFrom)
      amendedFrom = earliest(amendedFrom, applied.amendedFrom)
      unconfirmedFrom = earliest(unconfirmedFrom, applied.unconfirmedFrom)
      erasures.push(...this.erasures.takeFrom(block, next))
      if (bytes > 0) this.#blocks.keep(block, bytes)
    }
    if (this.#index.head === after) return
    this.#upkeep?.touch()
    if (erasures.some(({ origin }) => origin === 'keys')) this.keys.changed()
    const erasedFrom = firstTouched(erasures)
    this.#tellOf({ after, supersededFrom, amendedFrom, unconfirmedFrom, erasedFrom })
    this.#saved.grown()
  }

  #tellOf(change: Partial<LogChange>): void {
    const { head, cursor } = this.#index
    const nothing = { supersededFrom: null, amendedFrom: null, unconfirmedFrom: null }
    const rewritten = { erasedFrom: null, healedFrom: null }
    this.#changes.tell({ after: head, head, ...nothing, ...rewritten, cursor, ...change })
  }

  #reportError(error: unknown): void {
    this.#options.onBackgroundError?.(error instanceof Error ? error : new Error(String(error)))
  }

  async #closeOnce(): Promise<void> {
    await this.keys.close()
    await this.#writer.close()
    await this.#upkeep?.close()
    await this.#catchingUp?.catch(error => {
      if (!isStoreError(error)) throw error
    })
    await this.#folds.close()
    await this.proofs.checkpoints.settled()
    await this.#saved.close()
    this.#changes.clear()
    this.#damages.clear()
    await this.storage.close()
  }
}

/** The first position from which on these records have anything folded again. */
function firstTouched(records: readonly ErasureRecord[]): GlobalPosition | null {
  const positions = records.flatMap(({ touched }) => touched.map(([, position]) => position))
  return positions.length === 0 ? null : Math.min(...positions)
}
