// Folds single streams, for deciders and for projections with one document a stream: from memory where that
// still stands, else from a snapshot, and only what is new.

import type { GlobalPosition, RecordedEvent, StreamVersion } from '../../log/event.ts'
import {
  countConfirmed,
  type FoldDefinition,
  type FoldFailure,
  type FoldLog,
  isStanding,
  markNow,
  snapshotEvery,
} from './fold.ts'
import { type Folded, type FoldedEvents, type FoldStep, foldStepOf, initiallyFolded } from './folded.ts'
import { type HandlerVersions, handlerVersionsOf } from './handler-versions.ts'
import { Pace } from './pace.ts'
import type { FoldSnapshot, SnapshotOwner } from './snapshot-record.ts'
import type { LoadOptions, SnapshotStore } from './snapshot-store.ts'
import { TaskChain } from './task-chain.ts'

export type StreamFoldOptions<S> = Readonly<{
  log: FoldLog
  kind: SnapshotOwner['kind']
  /** Name of the decider or projection: snapshots are kept under it. */
  name: string
  definition: FoldDefinition<S>
  snapshots: SnapshotStore
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
}

const MAX_STREAMS = 1_000

export class StreamFold<S = unknown> {
  readonly #options: StreamFoldOptions<S>
  readonly #log: FoldLog
  readonly #step: FoldStep<S>
  readonly #every: number
  readonly #handlers: HandlerVersions
  /** In order of use, the oldest first. */
  readonly #streams = new Map<string, StreamInMemory<S>>()

  constructor(options: StreamFoldOptions<S>) {
    this.#options = options
    this.#log = options.log
    this.#step = foldStepOf(options.definition)
    this.#every = snapshotEvery(options.definition)
    this.#handlers = handlerVersionsOf(options.definition)
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
      if (version === 0) return this.#initial().state
      if (!this.#stands(streamName, stream.latest) || stream.latest.read.version < version) {
        await this.#advance(streamName, stream, version)
        this.#keepSnapshots(streamName, stream)
      }
      if (stream.latest.read.version > version) return this.#earlierState(streamName, stream, version)
      if (stream.latest.read.version < version && stream.failure) throw stream.failure.error
      return stream.latest.state
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
      !this.#stands(streamName, latest) ||
      (stream.failure !== null && !this.#isStuck(streamName, stream)) ||
      (isPending && baseThrough !== this.#log.cursor().confirmedThrough)
    )
  }

  /** What was folded so far was not what was recorded. */
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
      while (!this.#stands(streamName, stream.latest)) await this.#goBack(streamName, stream)
      stream.seenVersion = this.#log.streamVersion(streamName)
      if (this.#isStuck(streamName, stream)) return
      stream.failure = null
      stream.latest = this.#markedNow(streamName, stream.latest)
      await this.#readOn(streamName, stream, to)
      // A rebase in the meantime takes back what was just folded.
    } while (!this.#stands(streamName, stream.latest))
  }

  /** To the newest state there is that no rebase took back, and no erasure. */
  async #goBack(streamName: string, stream: StreamInMemory<S>): Promise<void> {
    const base = this.#stands(streamName, stream.base) ? stream.base : this.#initial()
    stream.latest = base.read.version > 0 ? base : await this.#load(streamName)
    const isConfirmed = stream.latest.read.position <= this.#log.cursor().confirmedThrough
    stream.base = isConfirmed ? stream.latest : base
  }

  async #readOn(streamName: string, stream: StreamInMemory<S>, to?: StreamVersion): Promise<void> {
    const pace = new Pace()
    const { confirmedThrough } = this.#log.cursor()
    const range = { from: stream.latest.read.version + 1, ...(to !== undefined && { to }) }
    for await (const events of this.#log.readStream(streamName, range)) {
      const confirmed = countConfirmed(events, confirmedThrough)
      this.#fold(stream, events.slice(0, confirmed))
      if (confirmed > 0) stream.base = stream.latest
      if (confirmed < events.length && !stream.failure) this.#fold(stream, events.slice(confirmed))
      if (stream.failure) return
      await pace.breathe()
    }
  }

  #fold(stream: StreamInMemory<S>, events: readonly RecordedEvent[]): void {
    const { reached, failure } = this.#step(stream.latest, events)
    stream.latest = reached
    stream.failure = failure
  }

  /** Brings `base` up to the confirmed position: what stands between it and `latest` is what is pending. */
  async #advanceBase(streamName: string, stream: StreamInMemory<S>): Promise<void> {
    const { confirmedThrough } = this.#log.cursor()
    if (stream.latest.read.position <= confirmedThrough) stream.base = stream.latest
    else if (stream.baseThrough !== confirmedThrough) {
      if (stream.base.read.version === 0) {
        stream.base = await this.#load(streamName, { maxPosition: confirmedThrough })
      }
      stream.base = await this.#foldOn(streamName, stream.base, {
        to: stream.latest.read.version,
        through: confirmedThrough,
      })
    }
    stream.baseThrough = confirmedThrough
  }

  /** A state before the one in memory, for a commit that is decided again on what a rebase left. */
  async #earlierState(streamName: string, stream: StreamInMemory<S>, version: StreamVersion): Promise<S> {
    let from = stream.base
    if (from.read.version === 0 || from.read.version > version || !this.#stands(streamName, from)) {
      do from = await this.#load(streamName, { maxVersion: version })
      while (!this.#stands(streamName, from))
    }
    return (await this.#foldOn(streamName, from, { to: version })).state
  }

  /** Folds aside, up to a version and a position. */
  async #foldOn(
    streamName: string,
    from: Folded<S>,
    { to, through = Infinity }: { to: StreamVersion; through?: GlobalPosition },
  ): Promise<Folded<S>> {
    const pace = new Pace()
    let folded = this.#markedNow(streamName, from)
    for await (const events of this.#log.readStream(streamName, { from: from.read.version + 1, to })) {
      const wanted = events.slice(0, countConfirmed(events, through))
      const { reached, failure } = this.#step(folded, wanted)
      if (failure) throw failure.error
      folded = reached
      if (wanted.length < events.length) break
      await pace.breathe()
    }
    return folded
  }

  /** The newest snapshot, or the initial state. A stream that is too short to have one is not looked up. */
  async #load(streamName: string, bounds: Omit<LoadOptions, 'handlers'> = {}): Promise<Folded<S>> {
    if (this.#log.streamVersion(streamName) < this.#every) return this.#initial()
    const options = { ...bounds, handlers: this.#handlers }
    const snapshot = await this.#options.snapshots.load(this.#ownerOf(streamName), options)
    return snapshot ? foldedFrom(snapshot) : this.#initial()
  }

  #keepSnapshots(streamName: string, stream: StreamInMemory<S>): void {
    // Forgotten meanwhile.
    if (this.#streams.get(streamName) !== stream) return
    const { base, latest } = stream
    const { snapshots } = this.#options
    const owner = this.#ownerOf(streamName)
    // The confirmed state first: it outlives every rebase.
    for (const { state, read, folded } of [base, latest]) {
      const { version, position, eventHash, erasures, types } = read
      const isDue = version - snapshots.newestVersion(owner, position) >= this.#every
      if (!isDue || eventHash === null) continue
      const snapshot = { version, position, eventHash, erasures, types: [...types], state, facts: folded }
      snapshots.save(owner, this.#handlers, snapshot, from => this.#refold(streamName, from, version))
    }
  }

  async #refold(streamName: string, from: FoldSnapshot | null, to: StreamVersion): Promise<S> {
    const before = from ? foldedFrom<S>(from) : this.#initial()
    return (await this.#foldOn(streamName, before, { to })).state
  }

  #ownerOf(streamName: string): SnapshotOwner {
    return { kind: this.#options.kind, name: this.#options.name, streamName }
  }

  #stands(streamName: string, { read }: Folded<S>): boolean {
    return isStanding(read, streamName, this.#log)
  }

  #markedNow(streamName: string, folded: Folded<S>): Folded<S> {
    return { ...folded, read: markNow(folded.read, streamName, this.#log) }
  }

  /** The event whose handler failed is still there. */
  #isStuck(streamName: string, { latest, failure }: StreamInMemory<S>): boolean {
    if (!failure) return false
    return isStanding({ position: failure.position, erasures: latest.read.erasures }, streamName, this.#log)
  }

  #newStream(): StreamInMemory<S> {
    const initial = this.#initial()
    return {
      turns: new TaskChain(),
      latest: initial,
      base: initial,
      baseThrough: 0,
      failure: null,
      seenVersion: 0,
    }
  }

  #initial(): Folded<S> {
    return initiallyFolded(this.#options.definition)
  }
}

/** The snapshot was checked against what was written, and this is what {@link StreamFold} wrote. */
function foldedFrom<S>(snapshot: FoldSnapshot): Folded<S> {
  const { version, position, eventHash, erasures, types, state, facts } = snapshot
  return {
    state: state as S,
    read: { version, position, eventHash, erasures, types: new Set(types) },
    folded: facts as FoldedEvents,
  }
}
