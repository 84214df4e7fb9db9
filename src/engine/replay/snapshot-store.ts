// Persisted snapshots: which may be used, and how long they are kept.

import type { GlobalPosition } from '../../log/event.ts'
import { jsonCodec, type SnapshotCodec } from '../../model/snapshot-codec.ts'
import type { SinceSnapshot } from '../../model/snapshot-policy.ts'
import type { Audit, Refold } from './audit.ts'
import { amendedSince, erasedSince, type FoldLog, settledThrough } from './fold.ts'
import type { FoldCode } from './fold-code.ts'
import { isMadeBy } from './replay-plan.ts'
import { isSamePlace, SnapshotCatalog } from './snapshot-catalog.ts'
import { familyPrefixOf, type Kept, prefixOf } from './snapshot-key.ts'
import {
  type OpenedSnapshot,
  type SnapshotFault,
  type SnapshotLog,
  SnapshotReader,
} from './snapshot-reader.ts'
import type { FoldSnapshot, SnapshotHeader, SnapshotOwner } from './snapshot-record.ts'
import { retained } from './snapshot-retention.ts'
import type { SnapshotTerms } from './snapshot-terms.ts'
import { SnapshotWriter } from './snapshot-writer.ts'

/** Why a snapshot was not used, or not written. The state is folded from the events instead. */
export type SnapshotProblem =
  | SnapshotFault
  /** The state cannot be written as JSON, or the storage refused; see `cause`. */
  | 'not-written'

export type SnapshotDrop = Readonly<{
  owner: SnapshotOwner
  position: GlobalPosition
  problem: SnapshotProblem
  cause?: unknown
}>

export type SnapshotStoreOptions = Readonly<{
  log: SnapshotLog & Pick<FoldLog, 'cursor'>
  /** Told of every snapshot that was dropped or could not be written. Must not throw. */
  onSnapshotDropped?: ((drop: SnapshotDrop) => void) | undefined
  /** Folds some of what is saved a second time. Left out: nobody does. */
  audit?: Audit | undefined
  /** Default: JSON. */
  codec?: SnapshotCodec | undefined
}>

export type LoadBounds = Readonly<{
  /** Only snapshots at or before. */
  maxVersion?: number
  maxPosition?: GlobalPosition
}>

/** What there is to begin with. */
export type FoundSnapshots = Readonly<{
  /** The newest snapshot that holds, null where none does. */
  start: FoldSnapshot | null
  /** Newer ones that were made by other code, or of events in another order, in order of position. */
  ahead: readonly SnapshotHeader[]
  /** The order of events in newer ones was amended. */
  isAmended: boolean
  /** What was wrong with newer ones. */
  problems: readonly SnapshotProblem[]
}>

export class SnapshotStore {
  readonly #log: SnapshotStoreOptions['log']
  readonly #onDropped: (drop: SnapshotDrop) => void
  readonly #audit: Audit | undefined
  readonly #catalog: SnapshotCatalog
  readonly #reader: SnapshotReader
  readonly #writer: SnapshotWriter
  /** Could not be written: not tried again, but no reason to give up older ones. */
  readonly #failed = new WeakSet<Kept>()
  /** Made by code that is not today's, but makes the same of what is in it. */
  readonly #ofUse = new WeakSet<Kept>()
  #forgetting: Promise<void> = Promise.resolve()

  constructor({ log, onSnapshotDropped, audit, codec = jsonCodec }: SnapshotStoreOptions) {
    this.#log = log
    const form = { hash: log.hash, codec }
    this.#reader = new SnapshotReader(log, form)
    this.#audit = audit
    this.#onDropped = onSnapshotDropped ?? (() => {})
    this.#catalog = new SnapshotCatalog(log.storage)
    this.#writer = new SnapshotWriter({
      storage: log.storage,
      form,
      seal: () => log.seal(),
      isWhole: ({ owner, snapshot: { erasures, position } }) =>
        erasedSince(erasures, owner.streamName, log) > position,
      onWritten: ({ prefix }, was, now) => this.#written(prefix, was, now),
      onFailed: ({ owner }, kept, cause) => {
        this.#failed.add(kept)
        this.#onDropped({ owner, position: kept.position, problem: 'not-written', cause })
      },
    })
  }

  /** The newest snapshot that holds; see {@link find}. */
  async load(owner: SnapshotOwner, terms: SnapshotTerms, bounds?: LoadBounds): Promise<FoldSnapshot | null> {
    return (await this.find(owner, terms, bounds)).start
  }

  /**
   * Looks for the newest snapshot that holds. On the way there, those that do not are deleted and reported; those of
   * other code stay: somebody else may use them, or this code come to the same.
   */
  async find(
    owner: SnapshotOwner,
    { code }: SnapshotTerms,
    { maxVersion = Infinity, maxPosition = Infinity }: LoadBounds = {},
  ): Promise<FoundSnapshots> {
    await this.#forgetting
    const prefix = prefixOf(owner)
    await this.#catalog.read(owner)
    await this.#writer.settled(prefix)
    const ahead: SnapshotHeader[] = []
    const problems: SnapshotProblem[] = []
    const amended: Kept[] = []
    for (const kept of this.#catalog.known(prefix).toReversed()) {
      if (kept.version > maxVersion || kept.position > maxPosition || this.#failed.has(kept)) continue
      const opened = await this.#open(owner, kept)
      if (opened === 'gone') continue
      if (typeof opened === 'string') {
        problems.push(opened)
        continue
      }
      const isOfOtherOrder = this.#isAmended(owner.streamName, kept)
      if (!isOfOtherOrder && isMadeBy(opened.header, code)) {
        const start = await this.#contentOf(owner, kept, opened)
        if (typeof start === 'string') {
          problems.push(start)
          continue
        }
        this.#ofUse.add(kept)
        const isNewer = ({ position }: Pick<Kept, 'position'>) => position > start.position
        return { start, ahead: ahead.filter(isNewer), isAmended: amended.some(isNewer), problems }
      }
      if (isOfOtherOrder) amended.push(kept)
      ahead.unshift(opened.header)
    }
    return { start: null, ahead, isAmended: amended.length > 0, problems }
  }

  /** The snapshot that a header is of; null where it is gone, or does not hold any more. */
  async fetch(owner: SnapshotOwner, { position, contentHash }: SnapshotHeader): Promise<FoldSnapshot | null> {
    const kept = this.#catalog
      .known(prefixOf(owner))
      .filter(one => one.position === position && one.key !== '')
    for (const one of kept) {
      const opened = await this.#open(owner, one)
      if (typeof opened === 'string' || opened.header.contentHash !== contentHash) continue
      const snapshot = await this.#contentOf(owner, one, opened)
      if (typeof snapshot !== 'string') return snapshot
    }
    return null
  }

  /** What came since the newest snapshot at or before a place, of this code or of one that makes the same. */
  since(
    owner: SnapshotOwner,
    { code }: SnapshotTerms,
    {
      version,
      position,
      msPerEvent,
    }: Readonly<{ version: number; position: GlobalPosition; msPerEvent: number }>,
  ): SinceSnapshot {
    const snapshots = this.#catalog.known(prefixOf(owner))
    const newest = snapshots.findLast(
      kept =>
        kept.position <= position &&
        this.#log.isEffective(kept.position) &&
        !this.#isAmended(owner.streamName, kept) &&
        this.#isOfUse(kept, snapshots, code),
    )
    const events = version - (newest?.version ?? 0)
    const ms = newest ? Date.now() - newest.savedAt * 1_000 : Infinity
    return { events, ms, replayMs: events * msPerEvent }
  }

  /**
   * Written soon, together with others, never in the caller's way. The state must not be changed any more. Of who is
   * found not to be deterministic, nothing is written.
   *
   * @param refold makes the state anew from its events, for an audit; null: not to be audited
   */
  save(
    owner: SnapshotOwner,
    terms: SnapshotTerms,
    snapshot: FoldSnapshot,
    refold: Refold | null = null,
  ): void {
    if (this.#audit?.trusts(owner) === false) return
    const { code } = terms
    const prefix = prefixOf(owner)
    const { version, position, amendedAt } = snapshot
    const place = { position, version, amendedAt, codeId: code.id }
    if (this.#catalog.known(prefix).some(one => isSamePlace(one, place))) return
    if (refold) {
      const older = () => this.load(owner, terms, { maxVersion: version - 1 })
      this.#audit?.consider({ owner, snapshot, refold, older })
    }
    const savedAt = Math.floor(Date.now() / 1_000)
    const kept: Kept = { key: '', ...place, savedAt, bytes: 0 }
    this.#catalog.add(prefix, kept)
    this.#writer.write(kept, { prefix, owner, code, snapshot })
    this.#thinOut(owner, terms)
  }

  /** None of those that there are is of today's code any more. */
  setAside(owner: SnapshotOwner): void {
    for (const kept of this.#catalog.known(prefixOf(owner))) this.#ofUse.delete(kept)
  }

  /** Deletes all snapshots of a decider or projection, of whichever stream. */
  async dropAll(owner: Pick<SnapshotOwner, 'kind' | 'name'>): Promise<void> {
    const family = familyPrefixOf(owner)
    await this.#writer.deleteUnder(family)
    this.#catalog.forgetFamily(family)
  }

  /** Deletes all there are, whoever wrote them: they may be of events that were not what was recorded. */
  forget(): void {
    this.#catalog.forget()
    this.#forgetting = this.#writer.deleteAll()
    // Who wants to load one is told.
    this.#forgetting.catch(() => {})
  }

  /** Writes what waits. Never rejects: what cannot be written is reported. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  /** 'gone': another tab deleted it. Anything else that is wrong is reported, and the snapshot deleted. */
  async #open(owner: SnapshotOwner, kept: Kept): Promise<OpenedSnapshot | SnapshotFault | 'gone'> {
    const opened = await this.#reader.open(owner, kept)
    if (opened === 'gone') this.#catalog.remove(prefixOf(owner), kept)
    else if (typeof opened === 'string') this.#drop(owner, kept, opened)
    return opened
  }

  async #contentOf(
    owner: SnapshotOwner,
    kept: Kept,
    opened: OpenedSnapshot,
  ): Promise<FoldSnapshot | SnapshotFault> {
    const content = await this.#reader.contentOf(opened)
    if (typeof content === 'string') this.#drop(owner, kept, content)
    return content
  }

  #drop(owner: SnapshotOwner, kept: Kept, problem: SnapshotFault): void {
    this.#remove(prefixOf(owner), kept)
    this.#onDropped({ owner, position: kept.position, problem })
  }

  /** Deletes what is superseded, and what is not worth its room. The last one that failed tells when to try again. */
  #thinOut(owner: SnapshotOwner, { code, schedule }: SnapshotTerms): void {
    const prefix = prefixOf(owner)
    const confirmedThrough = settledThrough(this.#log, owner.streamName)
    const all = this.#catalog.known(prefix)
    if (all.length === 1) return
    const isOfUse = (kept: Kept) => !this.#isAmended(owner.streamName, kept) && this.#isOfUse(kept, all, code)
    const newest = all.findLast(isOfUse)?.position ?? 0
    const usable = all.filter(
      kept =>
        this.#log.isEffective(kept.position) &&
        !this.#failed.has(kept) &&
        // Folds may come to hold again what lies ahead of them.
        (kept.position > newest || !this.#isAmended(owner.streamName, kept)),
    )
    const wanted = retained(usable, schedule.retention, { isOfUse, confirmedThrough })
    for (const kept of all) if (!wanted.has(kept) && kept !== all.at(-1)) this.#remove(prefix, kept)
  }

  /** Other events count before it now. */
  #isAmended(streamName: string | null, { amendedAt, position }: Kept): boolean {
    return !this.#log.order.isEmpty && amendedSince(amendedAt, streamName, this.#log) <= position
  }

  /** Made by today's code, or before one of the same code that is known to be of use. */
  #isOfUse(kept: Kept, all: readonly Kept[], code: FoldCode): boolean {
    if (kept.codeId === code.id) return true
    return all.some(
      other => other.codeId === kept.codeId && other.position >= kept.position && this.#ofUse.has(other),
    )
  }

  #written(prefix: string, was: Kept, now: Kept): boolean {
    if (!this.#catalog.known(prefix).includes(was)) return false
    this.#catalog.remove(prefix, was)
    this.#catalog.add(prefix, now)
    return true
  }

  #remove(prefix: string, kept: Kept): void {
    this.#catalog.remove(prefix, kept)
    this.#writer.delete(prefix, kept)
  }
}
