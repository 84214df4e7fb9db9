// Folds single streams aside, from a snapshot or from what somebody has of them: for what is not kept in memory.

import type { GlobalPosition, StreamVersion } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import {
  countThrough,
  type FoldDefinition,
  type FoldLog,
  isStanding,
  markNow,
  settledThrough,
} from './fold.ts'
import { type Folded, type FoldStep, foldedFrom, foldStepOf, initiallyFolded } from './folded.ts'
import { Pace } from './pace.ts'
import { pastBoundsOf } from './past.ts'
import type { Skips } from './skipped-events.ts'
import type { FoldSnapshot, SnapshotOwner } from './snapshot-record.ts'
import type { LoadBounds, SnapshotStore } from './snapshot-store.ts'
import { type SnapshotTerms, termsOf } from './snapshot-terms.ts'

export type StreamAsideOptions<S> = Readonly<{
  log: FoldLog
  kind: SnapshotOwner['kind']
  /** Name of the decider or projection: snapshots are kept under it. */
  name: string
  definition: FoldDefinition<S>
  snapshots: SnapshotStore
  skips: Skips
}>

export type PastStream<S> = Readonly<{ folded: Folded<S>; pending: number }>

export class StreamAside<S> {
  readonly step: FoldStep<S>
  readonly terms: SnapshotTerms
  readonly #options: StreamAsideOptions<S>
  readonly #log: FoldLog

  constructor(options: StreamAsideOptions<S>) {
    const { log, definition } = options
    this.#options = options
    this.#log = log
    this.step = foldStepOf(definition, log, options.skips)
    this.terms = termsOf(definition, log)
  }

  initial(): Folded<S> {
    return initiallyFolded(this.#options.definition)
  }

  ownerOf(streamName: string): SnapshotOwner {
    const { kind, name } = this.#options
    return { kind, name, streamName }
  }

  stands(streamName: string, { read }: Folded<S>): boolean {
    return isStanding(read, streamName, this.#log)
  }

  /** As it is when the log is now read on from it. */
  markedNow(streamName: string, folded: Folded<S>): Folded<S> {
    return { ...folded, read: markNow(folded.read, streamName, this.#log) }
  }

  /** The newest snapshot within bounds, or the initial state. */
  async load(streamName: string, bounds: LoadBounds): Promise<Folded<S>> {
    if (this.#log.streamVersion(streamName) < this.terms.schedule.fewestEvents) return this.initial()
    const snapshot = await this.#options.snapshots.load(this.ownerOf(streamName), this.terms, bounds)
    return snapshot ? foldedFrom(snapshot) : this.initial()
  }

  /** @throws `StoreError` `handler-failed` */
  async foldOn(
    streamName: string,
    from: Folded<S>,
    { to, through = Infinity }: { to: StreamVersion; through?: GlobalPosition },
  ): Promise<Folded<S>> {
    const pace = new Pace()
    let folded = this.markedNow(streamName, from)
    for await (const events of this.#log.readStream(streamName, { from: from.read.version + 1, to })) {
      const wanted = events.slice(0, countThrough(events, through, this.#log.order))
      const { reached, failure } = this.step(folded, wanted)
      if (failure) throw failure.error
      folded = reached
      if (wanted.length < events.length) break
      await pace.breathe()
    }
    return folded
  }

  async refold(streamName: string, from: FoldSnapshot | null, to: StreamVersion): Promise<S> {
    return (await this.foldOn(streamName, from ? foldedFrom(from) : this.initial(), { to })).state
  }

  /**
   * The stream as it was.
   *
   * @throws `StoreError` `handler-failed` when a handler fails before that moment; `invalid-argument`.
   */
  async at(streamName: string, moment: Moment): Promise<PastStream<S>> {
    const readBackwards = () => this.#log.readStream(streamName, { direction: 'backwards' })
    for (;;) {
      const { maxVersion, maxPosition } = await pastBoundsOf(moment, readBackwards, this.#log.order)
      const confirmedThrough = settledThrough(this.#log, streamName)
      const past = await this.#foldThrough(streamName, maxVersion, maxPosition)
      const confirmed =
        past.folded.position <= confirmedThrough
          ? past
          : await this.#foldThrough(streamName, maxVersion, confirmedThrough)
      // A rebase in the meantime takes back what was just folded.
      if (!this.stands(streamName, past)) continue
      return { folded: past, pending: past.folded.count - confirmed.folded.count }
    }
  }

  async #foldThrough(
    streamName: string,
    maxVersion: StreamVersion,
    maxPosition: GlobalPosition,
  ): Promise<Folded<S>> {
    if (maxPosition === 0) return this.initial()
    const from = await this.load(streamName, { maxVersion, maxPosition })
    return this.foldOn(streamName, from, { to: maxVersion, through: maxPosition })
  }
}
