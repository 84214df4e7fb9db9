// Folds single streams, for deciders and for projections with one document a stream: from memory where that
// still stands, else from a snapshot, and only what is new.

import type { GlobalPosition, RecordedEvent, StreamVersion } from '../../log/event.ts'
import type { Moment } from '../../model/moment.ts'
import type { ReplayExplanation, ReplayReport } from '../../model/replay-report.ts'
import type { Refold } from './audit.ts'
import { explainReplay } from './explain-replay.ts'
import { countThrough, type FoldFailure, type FoldLog, isStanding, settledThrough } from './fold.ts'
import { FoldCost } from './fold-cost.ts'
import { type Folded, type FoldedEvents, factsBehind, foldedFrom, snapshotOf } from './folded.ts'
import { Pace } from './pace.ts'
import { Replay } from './replay.ts'
import { type PastStream, StreamAside, type StreamAsideOptions } from './stream-aside.ts'
import { TaskChain } from './task-chain.ts'

export type StreamFoldOptions<S> = StreamAsideOptions<S> &
  Readonly<{
    /** Told of each fold that did not go on from what is in memory. */
    onReplayed?: ((report: ReplayReport) => void) | undefined
    /** How many streams are kept in memory, the recently used ones. Default 1,000. */
    maxStreams?: number
  }>

/** A stream's optimistic state: the confirmed events, and the pending ones on top. */
export type FoldedStream<S> = Readonly<{
  state: S
  /** Version and position of the last event read. Less than the stream's own only behind a failure. */
  version: StreamVersion
  position: GlobalPosition
  folded: FoldedEvents
  /** How many of the folded events are not confirmed. */
  pending: number
  /** The state is the one before the event whose handler failed. */
  failure: FoldFailure | null
}>

type StreamInMemory<S> = {
  readonly turns: TaskChain
  latest: Folded<S>
  /** At or before the confirmed position, where no rebase reaches: a rebased stream is folded again from it. */
  base: Folded<S>
  /** The confirmed position that `base` has everything of. */
  baseThrough: GlobalPosition
  failure: FoldFailure | null
  /** Version of the stream when it was last brought up to date. */
  seenVersion: StreamVersion
  /** What brings it up from a snapshot, as long as it is not there. */
  replay: Replay | null
}

const MAX_STREAMS = 1_000

export class StreamFold<S = unknown> {
  readonly #options: StreamFoldOptions<S>
  readonly #log: FoldLog
  readonly #aside: StreamAside<S>
  readonly #cost = new FoldCost()
  /** In order of use, the oldest first. */
  readonly #streams = new Map<string, StreamInMemory<S>>()

  constructor(options: StreamFoldOptions<S>) {
    this.#options = options
    this.#log = options.log
    this.#aside = new StreamAside(options)
  }

  /** Folds what is new. A handler that fails is no error here: the state before it comes, with the failure. */
  current(streamName: string): Promise<FoldedStream<S>> {
    return this.#inTurn(streamName, async stream => {
      await this.#advance(streamName, stream)
      await this.#advanceBase(streamName, stream)
      this.#keepSnapshots(streamName, stream)
      const { latest, base, failure } = stream
      const { version, position } = latest.read
      const pending = latest.folded.count - base.folded.count
      return { state: latest.state, version, position, folded: latest.folded, pending, failure }
    })
  }

  /**
   * The state at a version. Should the stream not reach that far, because a rebase came between, the state at
   * its end.
   *
   * @throws `StoreError` `handler-failed` when a handler fails before that version.
   */
  stateAt(streamName: string, version: StreamVersion): Promise<S> {
    return this.#inTurn(streamName, async stream => {
      if (version === 0) return this.#aside.initial().state
      if (!this.#aside.stands(streamName, stream.latest) || stream.latest.read.version < version) {
        await this.#advance(streamName, stream, version)
        this.#keepSnapshots(streamName, stream)
      }
      if (stream.latest.read.version > version) return this.#earlierState(streamName, stream, version)
      if (stream.latest.read.version < version && stream.failure) throw stream.failure.error
      return stream.latest.state
    })
  }

  /** See {@link StreamAside.at}: what is in memory stays as it is. */
  at(streamName: string, moment: Moment): Promise<PastStream<S>> {
    return this.#aside.at(streamName, moment)
  }

  /** What a fold would do that has nothing in memory. */
  explain(streamName: string, target = this.#log.streamVersion(streamName)): Promise<ReplayExplanation> {
    const { snapshots } = this.#options
    return explainReplay({
      owner: this.#aside.ownerOf(streamName),
      terms: this.#aside.terms,
      snapshots,
      log: this.#log,
      target,
    })
  }

  /** True when `current` would give something new, as far as that can be told without reading. */
  isStale(streamName: string): boolean {
    const stream = this.#streams.get(streamName)
    if (!stream) return this.#log.streamVersion(streamName) > 0
    const { latest, base, baseThrough, seenVersion } = stream
    const isPending = latest.folded.count > base.folded.count
    return (
      seenVersion !== this.#log.streamVersion(streamName) ||
      !this.#aside.stands(streamName, latest) ||
      (stream.failure !== null && !this.#isStuck(streamName, stream)) ||
      (isPending && baseThrough !== settledThrough(this.#log, streamName))
    )
  }

  /** Of the streams in memory, those whose events still count. */
  failures(): FoldFailure[] {
    return [...this.#streams].flatMap(([streamName, stream]) =>
      this.#isStuck(streamName, stream) ? stream.failure! : [],
    )
  }

  failureOf(streamName: string): FoldFailure | null {
    return this.#streams.get(streamName)?.failure ?? null
  }

  /** Has handlers that failed tried again, when somebody asks. Gives the streams. */
  resume(): string[] {
    const stopped = [...this.#streams].filter(([, { failure }]) => failure !== null)
    for (const [, stream] of stopped) stream.failure = null
    return stopped.map(([streamName]) => streamName)
  }

  /** What was folded so far was not what was recorded, or is not wanted. */
  forget(): void {
    this.#streams.clear()
  }

  #inTurn<T>(streamName: string, task: (stream: StreamInMemory<S>) => Promise<T>): Promise<T> {
    const stream = this.#streams.get(streamName) ?? this.#newStream()
    this.#streams.delete(streamName)
    this.#streams.set(streamName, stream)
    const [oldest] = this.#streams.keys()
    if (this.#streams.size > (this.#options.maxStreams ?? MAX_STREAMS)) this.#streams.delete(oldest!)
    return stream.turns.run(() => task(stream))
  }

  /** Brings `latest` up to the stream's end, or to a version. */
  async #advance(streamName: string, stream: StreamInMemory<S>, to?: StreamVersion): Promise<void> {
    do {
      if (stream.latest.read.version === 0) await this.#goBack(streamName, stream)
      // Asked right before reading begins: from there on the read sees the stream as it is now.
      while (!this.#aside.stands(streamName, stream.latest)) await this.#goBack(streamName, stream)
      stream.seenVersion = this.#log.streamVersion(streamName)
      if (this.#isStuck(streamName, stream)) return
      stream.failure = null
      stream.latest = this.#aside.markedNow(streamName, stream.latest)
      await this.#cost.measure(() => this.#readOn(streamName, stream, to))
      // A rebase in the meantime takes back what was just folded.
    } while (!this.#aside.stands(streamName, stream.latest))
    if (stream.replay) this.#options.onReplayed?.(stream.replay.report(stream.latest.read.version))
    stream.replay = null
  }

  /** To the newest state there is that no rebase took back, and no erasure. */
  async #goBack(streamName: string, stream: StreamInMemory<S>): Promise<void> {
    const base = this.#aside.stands(streamName, stream.base) ? stream.base : this.#aside.initial()
    stream.latest = base.read.version > 0 ? base : await this.#beginReplay(streamName, stream)
    const isConfirmed = stream.latest.read.position <= settledThrough(this.#log, streamName)
    stream.base = isConfirmed ? stream.latest : base
  }

  /** A stream that is too short to have a snapshot is not looked up, and nothing is told of it. */
  async #beginReplay(streamName: string, stream: StreamInMemory<S>): Promise<Folded<S>> {
    const target = this.#log.streamVersion(streamName)
    stream.replay = null
    if (target < this.#aside.terms.schedule.fewestEvents) return this.#aside.initial()
    const { snapshots } = this.#options
    const owner = this.#aside.ownerOf(streamName)
    const found = await snapshots.find(owner, this.#aside.terms)
    stream.replay = new Replay({
      owner,
      terms: this.#aside.terms,
      snapshots,
      log: this.#log,
      factsBehind,
      found,
      target,
    })
    return found.start ? foldedFrom(found.start) : this.#aside.initial()
  }

  /** How many events were read. */
  async #readOn(streamName: string, stream: StreamInMemory<S>, to?: StreamVersion): Promise<number> {
    const pace = new Pace()
    const confirmedThrough = settledThrough(this.#log, streamName)
    let read = 0
    let hasJumped: boolean
    do {
      hasJumped = false
      const range = { from: stream.latest.read.version + 1, ...(to !== undefined && { to }) }
      for await (const events of this.#log.readStream(streamName, range)) {
        read += events.length
        const confirmed = countThrough(events, confirmedThrough, this.#log.order)
        hasJumped =
          (await this.#foldPart(streamName, stream, events.slice(0, confirmed), confirmedThrough)) ||
          (await this.#foldPart(streamName, stream, events.slice(confirmed), confirmedThrough))
        if (stream.failure) return read
        if (hasJumped) break
        await pace.breathe()
      }
    } while (hasJumped)
    return read
  }

  /** Folds events that are confirmed, or events that are not. True when the replay could end: what is left is behind. */
  async #foldPart(
    streamName: string,
    stream: StreamInMemory<S>,
    events: readonly RecordedEvent[],
    confirmedThrough: GlobalPosition,
  ): Promise<boolean> {
    let rest = events
    while (rest.length > 0 && !stream.failure) {
      const { replay } = stream
      const part = replay ? replay.partOf(rest, stream.latest.read) : rest
      rest = rest.slice(part.length)
      this.#fold(stream, part)
      this.#confirm(stream, confirmedThrough)
      if (!replay || stream.failure) continue
      const isDue = replay.hasFolded(part.length, stream.latest.read)
      // Of one that is amended under way, nobody knows in which order it was folded.
      if (!this.#aside.stands(streamName, stream.latest)) continue
      if (isDue && !this.#isForgotten(streamName, stream)) this.#keep(streamName, stream.latest, null)
      const { state, folded } = stream.latest
      const end = await replay.endAt(stream.latest.read, () => ({ state, facts: folded }))
      if (!end) continue
      stream.latest = foldedFrom(end)
      this.#confirm(stream, confirmedThrough)
      return true
    }
    return false
  }

  #confirm(stream: StreamInMemory<S>, confirmedThrough: GlobalPosition): void {
    if (stream.latest.read.position <= confirmedThrough) stream.base = stream.latest
  }

  #fold(stream: StreamInMemory<S>, events: readonly RecordedEvent[]): void {
    const { reached, failure } = this.#aside.step(stream.latest, events)
    stream.latest = reached
    stream.failure = failure
  }

  /** Brings `base` up to the confirmed position: what stands between it and `latest` is what is pending. */
  async #advanceBase(streamName: string, stream: StreamInMemory<S>): Promise<void> {
    const confirmedThrough = settledThrough(this.#log, streamName)
    if (stream.latest.read.position <= confirmedThrough) stream.base = stream.latest
    else if (stream.baseThrough !== confirmedThrough) {
      if (stream.base.read.version === 0) {
        stream.base = await this.#aside.load(streamName, { maxPosition: confirmedThrough })
      }
      stream.base = await this.#aside.foldOn(streamName, stream.base, {
        to: stream.latest.read.version,
        through: confirmedThrough,
      })
    }
    stream.baseThrough = confirmedThrough
  }

  /** A state before the one in memory, for a commit that is decided again on what a rebase left. */
  async #earlierState(streamName: string, stream: StreamInMemory<S>, version: StreamVersion): Promise<S> {
    let from = stream.base
    if (from.read.version === 0 || from.read.version > version || !this.#aside.stands(streamName, from)) {
      do from = await this.#aside.load(streamName, { maxVersion: version })
      while (!this.#aside.stands(streamName, from))
    }
    return (await this.#aside.foldOn(streamName, from, { to: version })).state
  }

  #keepSnapshots(streamName: string, stream: StreamInMemory<S>): void {
    if (this.#isForgotten(streamName, stream)) return
    const { schedule } = this.#aside.terms
    // The confirmed state first: it outlives every rebase.
    for (const folded of stream.base === stream.latest ? [stream.latest] : [stream.base, stream.latest]) {
      const { version } = folded.read
      if (version < schedule.fewestEvents || !this.#aside.stands(streamName, folded)) continue
      const place = { ...folded.read, msPerEvent: this.#cost.msPerEvent }
      const since = this.#options.snapshots.since(this.#aside.ownerOf(streamName), this.#aside.terms, place)
      if (schedule.isDue(since))
        this.#keep(streamName, folded, from => this.#aside.refold(streamName, from, version))
    }
  }

  #keep(streamName: string, folded: Folded<S>, refold: Refold | null): void {
    const snapshot = snapshotOf(folded)
    if (!snapshot) return
    this.#options.snapshots.save(this.#aside.ownerOf(streamName), this.#aside.terms, snapshot, refold)
  }

  /** Since the fold of it began. */
  #isForgotten(streamName: string, stream: StreamInMemory<S>): boolean {
    return this.#streams.get(streamName) !== stream
  }

  /** The event whose handler failed is still there. */
  #isStuck(streamName: string, { latest, failure }: StreamInMemory<S>): boolean {
    if (!failure) return false
    return isStanding({ ...latest.read, position: failure.position }, streamName, this.#log)
  }

  #newStream(): StreamInMemory<S> {
    const initial = this.#aside.initial()
    return {
      turns: new TaskChain(),
      latest: initial,
      base: initial,
      baseThrough: 0,
      failure: null,
      seenVersion: 0,
      replay: null,
    }
  }
}
