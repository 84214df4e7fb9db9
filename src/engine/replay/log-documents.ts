// Documents of a projection that folds all streams. All of them are held in memory, and one snapshot holds them
// all.

import type { GlobalPosition, RecordedEvent } from '../../log/event.ts'
import type { AnyProjection } from '../../model/app.ts'
import type { LogChange } from '../event-log.ts'
import { DocumentLayer, type LayerStep, layerStepOf } from './document-layer.ts'
import { countConfirmed, type FoldFailure, type FoldLog, isStanding, markNow, snapshotEvery } from './fold.ts'
import { type HandlerVersions, handlerVersionsOf } from './handler-versions.ts'
import { Pace } from './pace.ts'
import type { OnFoldFailure, ProjectionDocument, ProjectionDocuments } from './projection-documents.ts'
import type { FoldSnapshot, SnapshotOwner } from './snapshot-record.ts'
import type { LoadOptions, SnapshotStore } from './snapshot-store.ts'
import { TaskChain } from './task-chain.ts'
import { Watchers } from './watchers.ts'

export type LogDocumentsOptions = Readonly<{
  log: FoldLog
  name: string
  definition: AnyProjection
  snapshots: SnapshotStore
  onFailure: OnFoldFailure
}>

export class LogDocuments implements ProjectionDocuments {
  readonly watchers = new Watchers()
  readonly #options: LogDocumentsOptions
  readonly #log: FoldLog
  readonly #step: LayerStep
  readonly #owner: SnapshotOwner
  readonly #handlers: HandlerVersions
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
  #isAdvanceQueued = false
  /** Documents that changed since watchers were told. */
  readonly #touched = new Set<string>()

  constructor(options: LogDocumentsOptions) {
    this.#options = options
    this.#log = options.log
    this.#step = layerStepOf(options.definition)
    this.#handlers = handlerVersionsOf(options.definition)
    this.#owner = { kind: 'projection', name: options.name, streamName: null }
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

  onChange({ supersededFrom, erasedFrom, healedFrom }: LogChange): void {
    if (healedFrom !== null) this.#isForgotten = true
    for (const from of [supersededFrom, erasedFrom]) {
      if (from !== null) this.#changedFrom = Math.min(from, this.#changedFrom ?? from)
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
      await this.#readOn()
      // A rebase, an erasure or a healed block in the meantime takes back what was just folded.
    } while (this.#changedFrom !== null || this.#isForgotten)
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
    const { confirmedThrough } = this.#log.cursor()
    const newest = await this.#load()
    if (newest && newest.position > confirmedThrough) {
      const confirmed = confirmedThrough > 0 ? await this.#load({ maxPosition: confirmedThrough }) : null
      if (confirmed) this.#base.restore(confirmed)
      this.#latest.restore(newest)
    } else if (newest) {
      this.#base.restore(newest)
      this.#latest.drop()
    }
    this.#isRestored = true
  }

  async #readOn(): Promise<void> {
    const pace = new Pace()
    const { confirmedThrough } = this.#log.cursor()
    if (this.#failure) return
    this.#latest.mark = markNow(this.#latest.mark, null, this.#log)
    // Bounded: what a rebase in the meantime appends must not follow what it takes back.
    const range = { from: this.#latest.mark.position + 1, to: this.#log.head() }
    for await (const events of this.#log.readAll(range)) {
      const confirmed = countConfirmed(events, confirmedThrough)
      this.#fold(events.slice(0, confirmed))
      if (confirmed > 0) this.#mergeDown()
      if (confirmed < events.length && !this.#failure) this.#fold(events.slice(confirmed))
      if (this.#failure) return
      await pace.breathe()
    }
  }

  #fold(events: readonly RecordedEvent[]): void {
    this.#failure = this.#step(this.#latest, events, this.#touched)
  }

  /** Brings the base up to the confirmed position: what stands above it is what is pending. */
  async #advanceBase(): Promise<void> {
    const { confirmedThrough } = this.#log.cursor()
    if (this.#latest.mark.position <= confirmedThrough) this.#mergeDown()
    else if (this.#baseThrough !== confirmedThrough) await this.#readInto(this.#base, confirmedThrough)
    this.#baseThrough = confirmedThrough
  }

  async #readInto(layer: DocumentLayer, to: GlobalPosition): Promise<void> {
    const pace = new Pace()
    layer.mark = markNow(layer.mark, null, this.#log)
    const touched = layer === this.#base ? this.#touched : new Set<string>()
    for await (const events of this.#log.readAll({ from: layer.mark.position + 1, to })) {
      const failure = this.#step(layer, events, touched)
      if (failure) throw failure.error
      await pace.breathe()
    }
  }

  #mergeDown(): void {
    for (const id of this.#latest.ownIds()) {
      if (this.#base.get(id)?.count !== this.#latest.get(id)!.count) this.#touched.add(id)
    }
    this.#latest.mergeDown()
  }

  async #load(bounds: Omit<LoadOptions, 'handlers'> = {}): Promise<FoldSnapshot | null> {
    const { snapshots, definition } = this.#options
    if (snapshotEvery(definition) === Infinity) return null
    return snapshots.load(this.#owner, { ...bounds, handlers: this.#handlers })
  }

  /**
   * A snapshot holds all documents, so it waits for as many events as there are documents: however many they
   * become, an event costs no more than writing one document.
   */
  #keepSnapshots(): void {
    const { snapshots, definition } = this.#options
    for (const layer of [this.#base, this.#latest]) {
      const { version, position } = layer.mark
      const every = Math.max(snapshotEvery(definition), layer.size)
      if (version - snapshots.newestVersion(this.#owner, position) < every) continue
      const snapshot = layer.toSnapshot()
      if (!snapshot) continue
      snapshots.save(this.#owner, this.#handlers, snapshot, from => this.#refold(from, position))
    }
  }

  /** The state of all documents, made aside. */
  async #refold(from: FoldSnapshot | null, to: GlobalPosition): Promise<unknown> {
    const layer = new DocumentLayer()
    if (from) layer.restore(from)
    await this.#readInto(layer, to)
    return layer.toSnapshot()?.state
  }

  #tellWatchers(): void {
    const touched = [...this.#touched]
    this.#touched.clear()
    this.watchers.tell(touched)
  }
}
