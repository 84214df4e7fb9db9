// Folds all streams, for projections whose documents are made of several: in memory in two layers, the confirmed events
// and the pending ones on top. One snapshot holds all documents.

import { StoreError } from '../../log/errors.ts'
import type { GlobalPosition, RecordedEvent } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation } from '../../model/replay-report.ts'
import type { SinceSnapshot } from '../../model/snapshot-policy.ts'
import type { LogChange } from '../event-log.ts'
import { earliest } from '../log-index.ts'
import type { Refold } from './audit.ts'
import { type DocumentLayer, documentFactsBehind } from './document-layer.ts'
import { DocumentLayers } from './document-layers.ts'
import { explainReplay } from './explain-replay.ts'
import {
  countThrough,
  type FoldFailure,
  type FoldLog,
  isStanding,
  type Mark,
  markNow,
  settledThrough,
} from './fold.ts'
import { FoldCost } from './fold-cost.ts'
import { LogAside } from './log-aside.ts'
import { type OlderDocuments, olderDocumentsIn } from './older-documents.ts'
import { Pace } from './pace.ts'
import type { ProjectionDocument, ProjectionParts } from './projection-documents.ts'
import { Replay } from './replay.ts'
import type { FoldSnapshot } from './snapshot-record.ts'
import { TaskChain } from './task-chain.ts'
import { readWantedBuild, wantNewBuild } from './wanted-build.ts'

export type LogFoldParts = ProjectionParts &
  Readonly<{
    /**
     * Told when everything is folded, or all before a failure: of documents that changed, or of which another part is
     * pending; null: of all, as what holds them back is not what it was. Must not throw.
     */
    onTouched: (documentIds: readonly string[] | null) => void
    /** Told, before documents are folded again, of what they were. Told again, it knows nothing better. */
    onOlder?: (older: OlderDocuments) => void
  }>

export class LogFold {
  readonly #options: LogFoldParts
  readonly #log: FoldLog
  readonly #aside: LogAside
  readonly #cost = new FoldCost()
  readonly #turns = new TaskChain()
  readonly #layers = new DocumentLayers()
  readonly #base = this.#layers.base
  readonly #latest = this.#layers.latest
  /** The confirmed position that the base has everything of. */
  #baseThrough: GlobalPosition = 0
  /** The end of the log when it was last read to its end. */
  #readThrough: GlobalPosition = 0
  #restoring: Promise<void> | null = null
  #preparing: Promise<void> | null = null
  /** What was folded so far was not what was recorded, or is not wanted. */
  #isForgotten = false
  /** A rebase superseded entries from here on, or some of them were erased, since the fold last looked. */
  #changedFrom: GlobalPosition | null = null
  #failure: FoldFailure | null = null
  /** What brings it up from a snapshot, as long as it is not there. */
  #replay: Replay | null = null
  /** Waits for its turn. */
  #nextAdvance: Promise<void> | null = null
  /** The failure that was there when somebody was told of documents that changed. */
  #toldFailure: FoldFailure | null = null
  #isClosed = false

  constructor(options: LogFoldParts) {
    this.#options = options
    this.#log = options.log
    this.#aside = new LogAside(options)
  }

  /** Behind it, nothing is folded. */
  get failure(): FoldFailure | null {
    return this.#failure
  }

  /** Every event up to here is in what {@link document} gives, or was passed by. */
  get processedPosition(): GlobalPosition {
    if (this.#failure) return this.#failure.position - 1
    return Math.max(this.#latest.mark.position, this.#readThrough)
  }

  /** Up to where events are in what {@link document} gives. */
  get mark(): Mark {
    return this.#latest.mark
  }

  /** The document as far as it is folded; null for one into which nothing was. */
  document(documentId: string): ProjectionDocument | null {
    return this.#layers.document(documentId)
  }

  async at(documentId: string, moment: Moment): Promise<ProjectionDocument | null> {
    await this.#prepared()
    return this.#aside.at(documentId, moment)
  }

  async explain(): Promise<ReplayExplanation> {
    await this.#prepared()
    const { owner, terms } = this.#aside
    return explainReplay({
      owner,
      terms,
      snapshots: this.#options.snapshots,
      log: this.#log,
      target: this.#log.head(),
    })
  }

  /** To be heard of every change, before {@link advance}. */
  note({ supersededFrom, amendedFrom, unconfirmedFrom, erasedFrom, healedFrom }: LogChange): void {
    // The base has what is pending again: it begins anew, from a snapshot that has not.
    if (healedFrom !== null || unconfirmedFrom !== null) this.#isForgotten = true
    // An event that was erased may have counted at an earlier place.
    const erased = erasedFrom === null ? null : Math.min(erasedFrom, this.#log.order.firstChanged(null))
    for (const from of [supersededFrom, amendedFrom, erased]) {
      this.#changedFrom = earliest(this.#changedFrom, from)
    }
  }

  /** Folds what is new, and gives the document as it is then. A failure of a handler is no error here. */
  current(documentId: string): Promise<ProjectionDocument | null> {
    return this.#turns.run(async () => {
      await this.#advance()
      return this.document(documentId)
    })
  }

  /** Folds what is new. All who ask before it begins are served by it. */
  advance(): Promise<void> {
    this.#nextAdvance ??= this.#turns.run(() => {
      this.#nextAdvance = null
      return this.#advance()
    })
    return this.#nextAdvance
  }

  /** Resolves when there is what there is to begin with, and perhaps no more. */
  restored(): Promise<void> {
    this.#restoring ??= this.#restoreFirst().catch(error => {
      this.#restoring = null
      throw error
    })
    return this.#restoring
  }

  /** Tries again where a handler failed. */
  resume(): Promise<void> {
    return this.#turns.run(async () => {
      await this.#prepared()
      this.#failure = null
    })
  }

  /** Has everything folded again, from the first event. */
  rebuild(): Promise<void> {
    // In turn: what is folded meanwhile is not of the new build.
    return this.#turns.run(async () => {
      await this.restored()
      this.#aside.useBuild(await wantNewBuild(this.#log, this.#options.name))
      this.#options.snapshots.setAside(this.#aside.owner)
      this.#isForgotten = true
      this.#tellOlder()
    })
  }

  /** Folds no further, also where it is under way. Resolves when it has ended. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.#turns.run(async () => {})
  }

  async #advance(): Promise<void> {
    this.#mustBeOpen()
    await this.restored()
    do {
      if (this.#isForgotten) await this.#startAfresh()
      await this.#takeBackChanged()
      await this.#cost.measure(() => this.#readOn())
      // A rebase, an erasure or a healed block in the meantime takes back what was just folded.
    } while (this.#changedFrom !== null || this.#isForgotten)
    const replay = this.#replay
    this.#replay = null
    if (replay) this.#options.onReplayed?.(replay.report(this.#latest.mark.version))
    await this.#advanceBase()
    if (!this.#isForgotten) this.#keepSnapshots({ isComplete: replay?.isAgain === true && !this.#failure })
    if (this.#failure) this.#options.onFailure(this.#failure)
    this.#tell()
  }

  async #restoreFirst(): Promise<void> {
    await this.#prepared()
    await this.#restore()
  }

  /** What is kept on this device beside the snapshots is known. */
  async #prepared(): Promise<void> {
    await this.#options.skips.ready()
    this.#preparing ??= this.#readBuild().catch(error => {
      this.#preparing = null
      throw error
    })
    await this.#preparing
  }

  async #readBuild(): Promise<void> {
    this.#aside.useBuild(await readWantedBuild(this.#log, this.#options.name))
  }

  async #startAfresh(): Promise<void> {
    this.#isForgotten = false
    this.#failure = null
    await this.#restore()
  }

  async #takeBackChanged(): Promise<void> {
    const from = this.#changedFrom
    this.#changedFrom = null
    // Where it still fails, it fails again.
    if (from !== null) this.#failure = null
    if (from === null || from > this.#latest.mark.position) return
    this.#tellOlder()
    this.#layers.takeBackPending()
    this.#readThrough = 0
    if (!isStanding(this.#base.mark, null, this.#log)) await this.#restore()
  }

  async #restore(): Promise<void> {
    this.#changedFrom = null
    // First: if the storage fails now, nothing must be folded on top of what does not stand.
    this.#layers.takeBackAll()
    this.#baseThrough = 0
    this.#readThrough = 0
    const confirmedThrough = settledThrough(this.#log, null)
    const newest = await this.#beginReplay()
    const confirmed = newest && (await this.#confirmedBefore(newest, confirmedThrough))
    if (newest) this.#layers.standOn(newest, confirmed, confirmedThrough)
  }

  async #beginReplay(): Promise<FoldSnapshot | null> {
    const target = this.#log.head()
    this.#replay = null
    if (target < this.#aside.terms.schedule.fewestEvents) return null
    const { snapshots } = this.#options
    const found = await snapshots.find(this.#aside.owner, this.#aside.terms)
    const parts = {
      owner: this.#aside.owner,
      terms: this.#aside.terms,
      snapshots,
      log: this.#log,
      factsBehind: documentFactsBehind,
      found,
      target,
    }
    this.#replay = new Replay(parts)
    const { onOlder } = this.#options
    const older = onOlder && (await olderDocumentsIn(found, this.#aside, { log: this.#log, snapshots }))
    if (older) onOlder(older)
    return found.start
  }

  /** What is in memory, unless a rebase took back a part of it. */
  #tellOlder(): void {
    const { position } = this.#latest.mark
    if (position === 0 || !this.#log.isEffective(position)) return
    this.#options.onOlder?.(this.#layers.copy())
  }

  /** The newest snapshot of confirmed events alone, where one has others in it, too. */
  async #confirmedBefore(
    { position }: FoldSnapshot,
    maxPosition: GlobalPosition,
  ): Promise<FoldSnapshot | null> {
    if (position <= maxPosition || maxPosition === 0) return null
    return this.#options.snapshots.load(this.#aside.owner, this.#aside.terms, { maxPosition })
  }

  /** How many events were read. */
  async #readOn(): Promise<number> {
    if (this.#failure) return 0
    const pace = new Pace()
    const confirmedThrough = settledThrough(this.#log, null)
    this.#latest.mark = markNow(this.#latest.mark, null, this.#log)
    // Bounded: what a rebase in the meantime appends must not follow what it takes back.
    const to = this.#log.head()
    let read = 0
    let hasJumped: boolean
    do {
      hasJumped = false
      for await (const events of this.#log.readAll({ from: this.#latest.mark.position + 1, to })) {
        read += events.length
        const confirmed = countThrough(events, confirmedThrough, this.#log.order)
        hasJumped =
          (await this.#foldPart(events.slice(0, confirmed), confirmedThrough)) ||
          (await this.#foldPart(events.slice(confirmed), confirmedThrough))
        if (this.#failure) return read
        if (hasJumped) break
        await pace.breathe()
        this.#mustBeOpen()
        // What comes further on would be folded on top of what is taken back.
        if (this.#changedFrom !== null || this.#isForgotten) return read
      }
    } while (hasJumped)
    this.#readThrough = to
    return read
  }

  /** Folds events that are confirmed, or events that are not. True when the replay could end: what is left is behind. */
  async #foldPart(events: readonly RecordedEvent[], confirmedThrough: GlobalPosition): Promise<boolean> {
    let rest = events
    while (rest.length > 0 && !this.#failure) {
      const part = this.#replay ? this.#replay.partOf(rest, this.#latest.mark) : rest
      rest = rest.slice(part.length)
      this.#failure = this.#aside.step(this.#latest, part, this.#layers.touched)
      if (this.#latest.mark.position <= confirmedThrough) this.#layers.mergeDown()
      if (!this.#replay || this.#failure) continue
      const isDue = this.#replay.hasFolded(part.length, this.#latest.mark)
      // Of one that is amended under way, nobody knows in which order it was folded.
      if (this.#changedFrom !== null) continue
      if (isDue && this.#sinceSnapshot(this.#latest).events >= this.#latest.size)
        this.#keep(this.#latest, null)
      const end = await this.#replay.endAt(this.#latest.mark, () => this.#latest.content())
      if (!end) continue
      const confirmed =
        this.#base.mark.position === 0 ? await this.#confirmedBefore(end, confirmedThrough) : null
      this.#layers.standOn(end, confirmed, confirmedThrough)
      for (const [id] of end.facts as [string][]) this.#layers.touched.add(id)
      return true
    }
    return false
  }

  /** Brings the base up to the confirmed position: what stands above it is what is pending. */
  async #advanceBase(): Promise<void> {
    const confirmedThrough = settledThrough(this.#log, null)
    if (this.#latest.mark.position <= confirmedThrough) this.#layers.mergeDown()
    else if (this.#baseThrough !== confirmedThrough) {
      await this.#aside.readInto(this.#base, confirmedThrough, this.#layers.touched)
    }
    this.#baseThrough = confirmedThrough
  }

  /**
   * A snapshot holds all documents, so it waits for as many events as there are documents: however many they
   * become, an event costs no more than writing one document. But for the one that says that all was folded again.
   */
  #keepSnapshots({ isComplete }: { isComplete: boolean }): void {
    for (const layer of [this.#base, this.#latest]) {
      const { position } = layer.mark
      if (!isStanding(layer.mark, null, this.#log)) continue
      const since = this.#sinceSnapshot(layer)
      const isDue = since.events >= layer.size && this.#aside.terms.schedule.isDue(since)
      if (!isDue && !(isComplete && since.events > 0)) continue
      this.#keep(layer, from => this.#aside.refold(from, position))
    }
  }

  #sinceSnapshot({ mark }: DocumentLayer): SinceSnapshot {
    const place = { ...mark, msPerEvent: this.#cost.msPerEvent }
    return this.#options.snapshots.since(this.#aside.owner, this.#aside.terms, place)
  }

  #keep(layer: DocumentLayer, refold: Refold | null): void {
    const snapshot = layer.toSnapshot()
    if (!snapshot) return
    this.#options.snapshots.save(this.#aside.owner, this.#aside.terms, snapshot, refold)
  }

  #tell(): void {
    const touched = this.#layers.takeTouched()
    const isHeldBackAsBefore = this.#failure === this.#toldFailure
    this.#toldFailure = this.#failure
    this.#options.onTouched(isHeldBackAsBefore ? touched : null)
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new StoreError('store-closed', 'The store was closed')
  }
}
