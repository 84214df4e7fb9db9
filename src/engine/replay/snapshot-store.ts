// Persisted snapshots: which there are, whether one may be used, and how long it is kept.

import type { GlobalPosition, RecordedEvent } from '../../log/event.ts'
import type { Audit, Refold } from './audit.ts'
import type { FoldLog } from './fold.ts'
import type { HandlerVersions } from './handler-versions.ts'
import { type Kept, keptAt, keyOf, ownerPrefixOf, prefixOf } from './snapshot-key.ts'
import {
  type FoldSnapshot,
  faultOfSeal,
  type SnapshotOwner,
  type SnapshotRecord,
  sealSnapshot,
  snapshotFromBytes,
  snapshotToBytes,
} from './snapshot-record.ts'
import { deleteSnapshots } from './snapshot-rows.ts'
import { TaskChain } from './task-chain.ts'

/** Why a snapshot was not used, or not written. The state is folded from the events instead. */
export type SnapshotProblem =
  /** Its bytes are not what was written, or its state does not have the hash it was stored with. */
  | 'damaged'
  /** It was written in another version of this format. */
  | 'other-format'
  /** It bears no seal, as none could be made when it was written, or none was wanted; or somebody wrote it from outside. */
  | 'unsealed'
  /** It does not bear this device's seal: somebody wrote it from outside, or it is of a copy of this database. */
  | 'wrong-seal'
  /** It is a snapshot of something else. */
  | 'foreign'
  /** Some event in it would be folded by other code today. */
  | 'handler-version'
  /** It stands on an event that this log does not have, or has in another place. */
  | 'other-history'
  /** It stands on an event that a rebase superseded. */
  | 'superseded'
  /** Events in it were erased since. */
  | 'erased'
  /** The state cannot be written as JSON, or the storage refused; see `cause`. */
  | 'not-written'

export type SnapshotDrop = Readonly<{
  owner: SnapshotOwner
  position: GlobalPosition
  problem: SnapshotProblem
  cause?: unknown
}>

export type SnapshotStoreOptions = Readonly<{
  log: Pick<
    FoldLog,
    | 'storage'
    | 'hash'
    | 'seal'
    | 'head'
    | 'cursor'
    | 'readStream'
    | 'readAll'
    | 'isEffective'
    | 'catchUp'
    | 'erasures'
  >
  /** Told of every snapshot that was dropped or could not be written. Must not throw. */
  onSnapshotDropped?: ((drop: SnapshotDrop) => void) | undefined
  /** Folds some of what is saved a second time. Left out: nobody does. */
  audit?: Audit | undefined
}>

export type LoadOptions = Readonly<{
  handlers: HandlerVersions
  /** Only snapshots at or before. */
  maxVersion?: number
  maxPosition?: GlobalPosition
}>

type Unwritten = Readonly<{ owner: SnapshotOwner; handlers: HandlerVersions; snapshot: FoldSnapshot }>

/** How many of the newest are kept, beside the newest one that is confirmed. */
const NEWEST_KEPT = 3
/** Snapshots wait so long for others to be written with, and for newer ones to be written in their place. */
const LINGER_MS = 250
/** Of a projection with up to so many snapshots it is known which documents have one: others are not looked up. */
const MAX_KNOWN = 5_000

export class SnapshotStore {
  readonly #log: SnapshotStoreOptions['log']
  readonly #onDropped: (drop: SnapshotDrop) => void
  readonly #audit: Audit | undefined
  /** By prefix, in order of position: what this worker has seen or saved. */
  readonly #kept = new Map<string, Kept[]>()
  /** Prefixes that the storage had snapshots under when it was asked; null where it has too many. By projection. */
  readonly #known = new Map<string, Promise<ReadonlySet<string> | null>>()
  /** Keys that could not be written: not tried again, but no reason to give up older ones. */
  readonly #failed = new Set<string>()
  readonly #unwritten = new Map<string, Unwritten>()
  readonly #deletions = new Set<string>()
  /** Prefixes of what is not in the storage yet. */
  #waiting = new Set<string>()
  #beingWritten = new Set<string>()
  readonly #writes = new TaskChain()
  #forgetting: Promise<void> = Promise.resolve()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor({ log, onSnapshotDropped, audit }: SnapshotStoreOptions) {
    this.#log = log
    this.#audit = audit
    this.#onDropped = onSnapshotDropped ?? (() => {})
  }

  /** The newest snapshot that holds. Those that do not are deleted and reported, and the next older is tried. */
  async load(owner: SnapshotOwner, options: LoadOptions): Promise<FoldSnapshot | null> {
    const { maxVersion = Infinity, maxPosition = Infinity } = options
    await this.#forgetting
    const prefix = prefixOf(owner)
    if (await this.#hasNone(owner, prefix)) return null
    if (this.#waiting.has(prefix) || this.#beingWritten.has(prefix)) await this.flush()
    const rows = await this.#log.storage.list(prefix)
    this.#kept.set(
      prefix,
      rows.map(([key]) => keptAt(key)),
    )
    for (const [key, bytes] of rows.reverse()) {
      const kept = keptAt(key)
      if (kept.version > maxVersion || kept.position > maxPosition) continue
      const checked = await this.#check(owner, kept, bytes, options.handlers)
      if (typeof checked !== 'string') return checked
      this.#remove(prefix, kept)
      this.#onDropped({ owner, position: kept.position, problem: checked })
    }
    return null
  }

  /** Version of the newest snapshot at or before a position, 0 where there is none. */
  newestVersion(owner: SnapshotOwner, maxPosition: GlobalPosition): number {
    const kept = this.#kept.get(prefixOf(owner))
    const newest = kept?.findLast(
      ({ position }) => position <= maxPosition && this.#log.isEffective(position),
    )
    return newest?.version ?? 0
  }

  /**
   * Written soon, together with others, never in the caller's way. The state must not be changed any more. Of who is
   * found not to be deterministic, nothing is written.
   *
   * @param refold makes the state anew from its events, for an audit
   */
  save(owner: SnapshotOwner, handlers: HandlerVersions, snapshot: FoldSnapshot, refold?: Refold): void {
    if (this.#audit?.trusts(owner) === false) return
    const prefix = prefixOf(owner)
    const { version, position } = snapshot
    if (refold) {
      const older = () => this.load(owner, { handlers, maxVersion: version - 1 })
      this.#audit?.consider({ owner, snapshot, refold, older })
    }
    const key = keyOf(prefix, version, position)
    const others = (this.#kept.get(prefix) ?? []).filter(kept => kept.key !== key)
    const kept = [...others, { key, version, position }].sort((a, b) => a.position - b.position)
    this.#kept.set(prefix, kept)
    this.#unwritten.set(key, { owner, handlers, snapshot })
    for (const one of this.#outlived(kept)) this.#remove(prefix, one)
    this.#writeSoon(prefix)
  }

  /** Deletes all snapshots of a decider or projection, of whichever stream. */
  async dropAll({ kind, name }: Pick<SnapshotOwner, 'kind' | 'name'>): Promise<void> {
    await this.flush()
    const prefix = prefixOf({ kind, name, streamName: null }).slice(0, -1)
    await deleteSnapshots(this.#log.storage, key => key.startsWith(prefix))
    for (const kept of [...this.#kept.keys()]) if (kept.startsWith(prefix)) this.#kept.delete(kept)
    this.#known.delete(prefix)
  }

  /** Deletes all there are, whoever wrote them: they may be of events that were not what was recorded. */
  forget(): void {
    for (const one of [
      this.#kept,
      this.#known,
      this.#failed,
      this.#unwritten,
      this.#deletions,
      this.#waiting,
    ]) {
      one.clear()
    }
    this.#forgetting = this.#writes.run(() => deleteSnapshots(this.#log.storage))
    // Who wants to load one is told.
    this.#forgetting.catch(() => {})
  }

  /** Writes what waits. Never rejects: what cannot be written is reported. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    return this.#writes.run(() => this.#writeWaiting())
  }

  /** What another tab wrote since counts as none: it costs a longer fold. */
  async #hasNone({ kind, name }: SnapshotOwner, prefix: string): Promise<boolean> {
    if (this.#kept.has(prefix)) return false
    const of = prefixOf({ kind, name, streamName: null }).slice(0, -1)
    if (!this.#known.has(of)) this.#known.set(of, this.#prefixesUnder(of))
    const prefixes = await this.#known.get(of)!
    return prefixes !== null && !prefixes.has(prefix) && !this.#kept.has(prefix)
  }

  async #prefixesUnder(prefix: string): Promise<ReadonlySet<string> | null> {
    try {
      const keys = await this.#log.storage.keys(prefix, MAX_KNOWN + 1)
      return keys.length > MAX_KNOWN ? null : new Set(keys.map(ownerPrefixOf))
    } catch (error) {
      this.#known.delete(prefix)
      throw error
    }
  }

  async #check(
    owner: SnapshotOwner,
    kept: Kept,
    bytes: Uint8Array,
    handlers: HandlerVersions,
  ): Promise<SnapshotRecord | SnapshotProblem> {
    const record = snapshotFromBytes(bytes, this.#log.hash)
    if (typeof record === 'string') return record
    const fault = await faultOfSeal(bytes, await this.#log.seal())
    if (fault) return fault
    if (!isOf(record, owner, kept)) return 'foreign'
    if (record.handlerVersion !== handlers.versionOf(record.types)) return 'handler-version'
    // Another tab may be ahead of what this one has read of the log.
    if (record.position > this.#log.head()) await this.#log.catchUp()
    if (record.position > this.#log.head()) return 'other-history'
    if (!this.#log.isEffective(record.position)) return 'superseded'
    if (this.#isErased(record, record)) return 'erased'
    return (await this.#standsOn(record)) ? record : 'other-history'
  }

  /** Something of what it was folded of was erased since. */
  #isErased({ position, erasures }: FoldSnapshot, { streamName }: SnapshotOwner): boolean {
    return this.#log.erasures.touchedSince(erasures, streamName) <= position
  }

  async #standsOn({ streamName, version, position, eventHash }: SnapshotRecord): Promise<boolean> {
    const events =
      streamName === null
        ? this.#log.readAll({ from: position, to: position })
        : this.#log.readStream(streamName, { from: version, to: version })
    const event = await firstOf(events)
    return event?.metadata.globalPosition === position && event.metadata.hash === eventHash
  }

  /**
   * Superseded ones, and those older than the newest few. One that no rebase can supersede is always kept, and
   * so is the last one: when it failed to be written, it tells when to try again.
   */
  #outlived(kept: readonly Kept[]): Kept[] {
    const { confirmedThrough } = this.#log.cursor()
    const usable = kept.filter(
      ({ key, position }) => this.#log.isEffective(position) && !this.#failed.has(key),
    )
    const confirmed = usable.findLast(({ position }) => position <= confirmedThrough)
    const wanted = new Set([...usable.slice(-NEWEST_KEPT), confirmed, kept.at(-1)])
    return kept.filter(one => !wanted.has(one))
  }

  #remove(prefix: string, { key }: Kept): void {
    this.#kept.set(
      prefix,
      this.#kept.get(prefix)!.filter(kept => kept.key !== key),
    )
    this.#failed.delete(key)
    this.#unwritten.delete(key)
    this.#deletions.add(key)
    this.#writeSoon(prefix)
  }

  #writeSoon(prefix: string): void {
    this.#waiting.add(prefix)
    this.#timer ??= setTimeout(() => this.flush(), LINGER_MS)
  }

  async #writeWaiting(): Promise<void> {
    if (this.#waiting.size === 0) return
    this.#beingWritten = this.#waiting
    this.#waiting = new Set()
    const values: Record<string, Uint8Array<ArrayBuffer> | null> = {}
    for (const key of this.#deletions) values[key] = null
    const written: [string, Unwritten][] = []
    for (const [key, unwritten] of this.#unwritten) {
      try {
        const { owner, handlers, snapshot } = unwritten
        // What was erased since must not be written down once more.
        if (this.#isErased(snapshot, owner)) continue
        const handlerVersion = handlers.versionOf(snapshot.types)
        values[key] = snapshotToBytes({ ...owner, ...snapshot, handlerVersion }, this.#log.hash)
        written.push([key, unwritten])
      } catch (cause) {
        this.#fail(key, unwritten, cause)
      }
    }
    this.#deletions.clear()
    this.#unwritten.clear()
    try {
      await this.#sealAll(written.map(([key]) => values[key]!))
      await this.#log.storage.put(values)
    } catch (cause) {
      for (const [key, unwritten] of written) this.#fail(key, unwritten, cause)
    }
    this.#beingWritten.clear()
  }

  async #sealAll(snapshots: readonly Uint8Array[]): Promise<void> {
    const seal = await this.#log.seal()
    if (seal) await Promise.all(snapshots.map(bytes => sealSnapshot(bytes, seal)))
  }

  #fail(key: string, { owner, snapshot }: Unwritten, cause: unknown): void {
    this.#failed.add(key)
    this.#onDropped({ owner, position: snapshot.position, problem: 'not-written', cause })
  }
}

function isOf(record: SnapshotRecord, owner: SnapshotOwner, { version, position }: Kept): boolean {
  return (
    record.kind === owner.kind &&
    record.name === owner.name &&
    record.streamName === owner.streamName &&
    record.version === version &&
    record.position === position
  )
}

async function firstOf(parts: AsyncIterable<readonly RecordedEvent[]>): Promise<RecordedEvent | undefined> {
  for await (const [event] of parts) return event
  return undefined
}
