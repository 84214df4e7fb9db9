// Documents of a projection that folds all streams. All of them are held in memory, and one snapshot holds them
// all.

import type { GlobalPosition, RecordedEvent } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation } from '../../model/replay-report.ts'
import type { SinceSnapshot } from '../../model/snapshot-policy.ts'
import type { LogChange } from '../event-log.ts'
import { earliest } from '../log-index.ts'
import type { Refold } from './audit.ts'
import { DocumentLayer, documentFactsBehind } from './document-layer.ts'
import { explainReplay } from './explain-replay.ts'
import { countThrough, type FoldFailure, type FoldLog, isStanding, markNow, settledThrough } from './fold.ts'
import { FoldCost } from './fold-cost.ts'
import { LogAside } from './log-aside.ts'
import { Pace } from './pace.ts'
import type { ProjectionDocument, ProjectionDocuments, ProjectionParts } from './projection-documents.ts'
import { Replay } from './replay.ts'
import type { FoldSnapshot } from './snapshot-record.ts'
import { TaskChain } from './task-chain.ts'
import { Watchers } from './watchers.ts'

export class LogDocuments implements ProjectionDocuments {
  readonly watchers = new Watchers()
  readonly #options: ProjectionParts
  readonly #log: FoldLog
  readonly #aside: LogAside
  readonly #cost = new FoldCost()
  readonly #turns = new TaskChain()
  /** Confirmed events alone: no rebase reaches here. */
  readonly #base = new DocumentLayer()
  readonly #latest = new DocumentLayer(this.#base)
  /** The confirmed position that the base has everything of. */
  #baseThrough: GlobalPosition = 0
  #isRestored = false
  /** What was folded so far was not what was recorded. */
  #isForgotten = false
  /** A rebase superseded entries from here on, or some of them were erased, since the fold last looked. */
  #changedFrom: GlobalPosition | null = null
  #failure: FoldFailure | null = null
  /** What brings it up from a snapshot, as long as it is not there. */
  #replay: Replay | null = null
  #isAdvanceQueued = false
  /** Documents that changed since watchers were told. */
  readonly #touched = new Set<string>()

  constructor(options: ProjectionParts) {
    this.#options = options
    this.#log = options.log
    this.#aside = new LogAside(options)
  }

  latest(documentId: string): Promise<ProjectionDocument | null> {
    return this.#turns.run(async () => {
      await this.#advance()
      const document = this.#latest.get(documentId)
      if (!document) return null
      const { state, count, position } = document
      const pending = count - (this.#base.get(documentId)?.count ?? 0)
      return { state, streamVersion: count, globalPosition: position, pending }
    })
  }

  at(documentId: string, moment: Moment): Promise<ProjectionDocument | null> {
    return this.#aside.at(documentId, moment)
  }

  explain(): Promise<ReplayExplanation> {
    const { owner, terms } = this.#aside
    return explainReplay({
      owner,
      terms,
      snapshots: this.#options.snapshots,
      log: this.#log,
      target: this.#log.head(),
    })
  }

  onChange({ supersededFrom, amendedFrom, erasedFrom, healedFrom }: LogChange): void {
    if (healedFrom !== null) this.#isForgotten = true
    // An event that was erased may have counted at an earlier place.
    const erased = erasedFrom === null ? null : Math.min(erasedFrom, this.#log.order.firstChanged(null))
    for (const from of [supersededFrom, amendedFrom, erased]) {
      this.#changedFrom = earliest(this.#changedFrom, from)
    }
    // Which documents an event belongs to is known once it is folded; while nobody watches, that can wait.
    if (this.watchers.isEmpty || this.#isAdvanceQueued) return
    this.#isAdvanceQueued = true
    const advanced = this.#turns.run(() => {
      this.#isAdvanceQueued = false
      return this.#advance()
    })
    // Who asks for the document now is given the error.
    advanced.catch(() => this.watchers.tell(this.watchers.documentIds()))
  }

  async #advance(): Promise<void> {
    if (!this.#isRestored) await this.#restore()
    do {
      if (this.#isForgotten) await this.#startAfresh()
      await this.#takeBackChanged()
      await this.#cost.measure(() => this.#readOn())
      // A rebase, an erasure or a healed block in the meantime takes back what was just folded.
    } while (this.#changedFrom !== null || this.#isForgotten)
    if (this.#replay) this.#options.onReplayed?.(this.#replay.report(this.#latest.mark.version))
    this.#replay = null
    await this.#advanceBase()
    if (!this.#isForgotten) this.#keepSnapshots()
    if (this.#failure) this.#options.onFailure(this.#failure)
    this.#tellWatchers()
  }

  async #startAfresh(): Promise<void> {
    this.#isForgotten = false
    this.#failure = null
    for (const id of [...this.#base.ownIds(), ...this.#latest.ownIds()]) this.#touched.add(id)
    await this.#restore()
  }

  async #takeBackChanged(): Promise<void> {
    const from = this.#changedFrom
    this.#changedFrom = null
    // Where it still fails, it fails again.
    if (from !== null) this.#failure = null
    if (from === null || from > this.#latest.mark.position) return
    for (const id of this.#latest.ownIds()) this.#touched.add(id)
    this.#latest.drop()
    if (isStanding(this.#base.mark, null, this.#log)) return
    for (const id of this.#base.ownIds()) this.#touched.add(id)
    await this.#restore()
  }

  async #restore(): Promise<void> {
    this.#base.drop()
    this.#latest.drop()
    this.#baseThrough = 0
    this.#changedFrom = null
    const confirmedThrough = settledThrough(this.#log, null)
    const newest = await this.#beginReplay()
    if (newest) await this.#startFrom(newest, confirmedThrough)
    this.#isRestored = true
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
    return found.start
  }

  /** Both layers are empty, or behind the snapshot. */
  async #startFrom(newest: FoldSnapshot, confirmedThrough: GlobalPosition): Promise<void> {
    if (newest.position > confirmedThrough) {
      const bounds = { maxPosition: confirmedThrough }
      const isBehind = this.#base.mark.position === 0 && confirmedThrough > 0
      const confirmed =
        isBehind && (await this.#options.snapshots.load(this.#aside.owner, this.#aside.terms, bounds))
      if (confirmed) this.#base.restore(confirmed)
      this.#latest.restore(newest)
    } else {
      this.#base.restore(newest)
      this.#latest.drop()
    }
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
      }
    } while (hasJumped)
    return read
  }

  /** Folds events that are confirmed, or events that are not. True when the replay could end: what is left is behind. */
  async #foldPart(events: readonly RecordedEvent[], confirmedThrough: GlobalPosition): Promise<boolean> {
    let rest = events
    while (rest.length > 0 && !this.#failure) {
      const part = this.#replay ? this.#replay.partOf(rest, this.#latest.mark) : rest
      rest = rest.slice(part.length)
      this.#failure = this.#aside.step(this.#latest, part, this.#touched)
      if (this.#latest.mark.position <= confirmedThrough) this.#mergeDown()
      if (!this.#replay || this.#failure) continue
      const isDue = this.#replay.hasFolded(part.length, this.#latest.mark)
      // Of one that is amended under way, nobody knows in which order it was folded.
      if (this.#changedFrom !== null) continue
      if (isDue && this.#sinceSnapshot(this.#latest).events >= this.#latest.size)
        this.#keep(this.#latest, null)
      const end = await this.#replay.endAt(this.#latest.mark, () => this.#latest.content())
      if (!end) continue
      await this.#startFrom(end, confirmedThrough)
      for (const [id] of end.facts as [string][]) this.#touched.add(id)
      return true
    }
    return false
  }

  /** Brings the base up to the confirmed position: what stands above it is what is pending. */
  async #advanceBase(): Promise<void> {
    const confirmedThrough = settledThrough(this.#log, null)
    if (this.#latest.mark.position <= confirmedThrough) this.#mergeDown()
    else if (this.#baseThrough !== confirmedThrough) {
      await this.#aside.readInto(this.#base, confirmedThrough, this.#touched)
    }
    this.#baseThrough = confirmedThrough
  }

  #mergeDown(): void {
    for (const id of this.#latest.ownIds()) {
      if (this.#base.get(id)?.count !== this.#latest.get(id)!.count) this.#touched.add(id)
    }
    this.#latest.mergeDown()
  }

  /**
   * A snapshot holds all documents, so it waits for as many events as there are documents: however many they
   * become, an event costs no more than writing one document.
   */
  #keepSnapshots(): void {
    for (const layer of [this.#base, this.#latest]) {
      const { position } = layer.mark
      const since = this.#sinceSnapshot(layer)
      if (!isStanding(layer.mark, null, this.#log)) continue
      if (since.events < layer.size || !this.#aside.terms.schedule.isDue(since)) continue
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

  #tellWatchers(): void {
    const touched = [...this.#touched]
    this.#touched.clear()
    this.watchers.tell(touched)
  }
}
