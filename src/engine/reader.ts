// Reads effective events, those left out that were erased: of one stream by the index, of all streams by position, in
// either direction; in the order in which they count, or as they were recorded.

import type { Block } from '../log/block.ts'
import { hexOf } from '../log/bytes.ts'
import { KIND_EVENT } from '../log/entry.ts'
import { StoreError } from '../log/errors.ts'
import type { GlobalPosition, Hash, RecordedEvent, StreamVersion } from '../log/event.ts'
import type { HashChain } from '../log/hash-chain.ts'
import type { ReadAllOptions, ReadOrder, ReadStreamOptions } from '../model/event-store.ts'
import type { StreamOrder } from './amendments/stream-order.ts'
import type { BlockStore } from './block-store.ts'
import type { EventContents, Missing } from './encryption/event-contents.ts'
import type { StreamHead } from './event-log.ts'
import type { LogIndex } from './log-index.ts'

/** Entries between two of a stream over which blocks are read on. */
const NEAR = 256
/** A stretch of more entries is read as it is asked for; of shorter ones, several are read at once, whole. */
const LONG_STRETCH = 4_096
const READS_AT_ONCE = 8
/** Places of an amended stream whose events are gathered before they are given in order. */
const PLACES_AT_ONCE = 2_048

export type LogReaderParts = Readonly<{
  storeId: string
  index: LogIndex
  blocks: BlockStore
  chain: HashChain
  contents: EventContents
}>

export class LogReader {
  readonly #storeId: string
  readonly #index: LogIndex
  readonly #blocks: BlockStore
  readonly #chain: HashChain
  readonly #contents: EventContents

  constructor({ storeId, index, blocks, chain, contents }: LogReaderParts) {
    this.#storeId = storeId
    this.#index = index
    this.#blocks = blocks
    this.#chain = chain
    this.#contents = contents
  }

  async streamHead(streamName: string): Promise<StreamHead> {
    const version = this.#index.versionOf(streamName)
    const position = version === 0 ? 0 : this.#index.positionAt(streamName, version)
    return { version, position, hash: hexOf(await this.headHash(streamName)) as Hash }
  }

  /** Hash of the stream's last effective entry, or its genesis. */
  async headHash(streamName: string): Promise<Uint8Array> {
    const known = this.#index.headHashOf(streamName)
    if (known) return known
    const version = this.#index.versionOf(streamName)
    if (version === 0) return this.#chain.genesis(this.#storeId, streamName)
    const position = this.#index.positionAt(streamName, version)
    const block = await this.#blocks.holding(position)
    const hash = block.hashOf(position - block.firstPosition).slice()
    this.#index.rememberHeadHash(streamName, version, hash)
    return hash
  }

  async *readStream(
    streamName: string,
    options: ReadStreamOptions = {},
    missing: Missing = 'pass',
  ): AsyncGenerator<readonly RecordedEvent[]> {
    const end = this.#index.versionOf(streamName)
    let rest = options
    let left = options.maxCount ?? Infinity
    const order = options.order === 'recorded' ? null : this.#index.order.orderOf(streamName)
    for (let range = rangeOf(rest, end); range; range = rangeOf(rest, end)) {
      const read = order
        ? this.#eventsInOrder(streamName, order, range, missing)
        : this.#eventsAt(this.#index.positionsOf(streamName, range.first, range.last), missing)
      for await (const events of range.backwards ? backwards(await collect(read)) : read) {
        yield events.length > left ? events.slice(0, left) : events
        left -= events.length
        if (left <= 0) return
      }
      // Where some do not count, as many more are read behind.
      rest = { ...options, from: range.backwards ? range.first - 1 : range.last + 1, maxCount: left }
    }
  }

  async *readAll(options: ReadAllOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    const { direction, order = 'effective', maxCount = Infinity, ...bounds } = options
    checkCount(maxCount)
    if (maxCount === 0) return
    const range = rangeOf({ ...bounds, ...(direction && { direction }) }, this.#index.head)
    if (!range) return
    let left = maxCount
    const read = range.backwards ? this.#allBackwards(range, order) : this.#allForwards(range, order)
    for await (const events of read) {
      yield events.length > left ? events.slice(0, left) : events
      left -= events.length
      if (left <= 0) return
    }
  }

  async *#allForwards({ first, last }: Range, order: ReadOrder): AsyncGenerator<RecordedEvent[]> {
    let next = first
    for await (const block of this.#blocks.run(first, last)) {
      const events = await this.#effectiveEvents(block, next, last, order)
      if (events.length > 0) yield events
      next = block.lastPosition + 1
    }
  }

  async *#allBackwards({ first, last }: Range, order: ReadOrder): AsyncGenerator<RecordedEvent[]> {
    let end = last
    while (end >= first) {
      const block = await this.#blocks.holding(end)
      const events = await this.#effectiveEvents(block, first, end, order)
      if (events.length > 0) yield events.reverse()
      end = block.firstPosition - 1
    }
  }

  /** What counts at the places from first to last of a block. */
  async #effectiveEvents(
    block: Block,
    first: GlobalPosition,
    last: GlobalPosition,
    order: ReadOrder,
  ): Promise<RecordedEvent[]> {
    const isAsRecorded = order === 'recorded' || this.#index.order.isEmpty
    const positions: GlobalPosition[] = []
    const end = Math.min(last, block.lastPosition)
    for (let position = Math.max(first, block.firstPosition); position <= end; position++) {
      if (!this.#index.isEffective(position)) continue
      if (isAsRecorded) positions.push(position)
      else positions.push(...this.#index.countingAt(position))
    }
    if (isAsRecorded) return this.#eventsIn(block, positions)
    const isHere = (position: GlobalPosition) =>
      position >= block.firstPosition && position <= block.lastPosition
    const events = new Map<GlobalPosition, RecordedEvent>()
    addByPosition(await this.#eventsIn(block, positions.filter(isHere)), events)
    for (const position of positions) {
      if (isHere(position)) continue
      addByPosition(await this.#eventsIn(await this.#blocks.holding(position), [position]), events)
    }
    return positions.flatMap(position => events.get(position) ?? [])
  }

  /** Of these positions of a block, those that are events, were not erased, and can be read. */
  #eventsIn(block: Block, positions: readonly GlobalPosition[]): RecordedEvent[] | Promise<RecordedEvent[]> {
    const indexes: number[] = []
    for (const position of positions) {
      const i = position - block.firstPosition
      if (block.kinds[i] === KIND_EVENT) indexes.push(i)
    }
    return this.#contents.eventsIn(block, indexes, this.#index.cursor.confirmedThrough)
  }

  /** Places are never divided: what counts at one of them comes in one array. */
  async *#eventsInOrder(
    streamName: string,
    order: StreamOrder,
    { first, last }: Range,
    missing: Missing,
  ): AsyncGenerator<RecordedEvent[]> {
    for (let from = first; from <= last; from += PLACES_AT_ONCE) {
      const positions: GlobalPosition[] = []
      for (let place = from; place <= Math.min(last, from + PLACES_AT_ONCE - 1); place++) {
        for (const version of order.at(place)) positions.push(this.#index.positionAt(streamName, version))
      }
      const events = new Map<GlobalPosition, RecordedEvent>()
      for await (const part of this.#eventsAt(Uint32Array.from(positions).sort(), missing))
        addByPosition(part, events)
      const inOrder = positions.flatMap(position => events.get(position) ?? [])
      if (inOrder.length > 0) yield inOrder
    }
  }

  /** Events at ascending positions of one stream. */
  async *#eventsAt(positions: Uint32Array, missing: Missing): AsyncGenerator<RecordedEvent[]> {
    let next = 0
    for await (const block of this.#blocksAt(positions)) {
      const indexes: number[] = []
      while (next < positions.length && positions[next]! <= block.lastPosition) {
        const i = positions[next++]! - block.firstPosition
        if (block.kinds[i] === KIND_EVENT) indexes.push(i)
      }
      if (indexes.length === 0) continue
      const { confirmedThrough } = this.#index.cursor
      const events = await this.#contents.eventsIn(block, indexes, confirmedThrough, missing)
      if (events.length > 0) yield events
    }
  }

  /** The blocks that hold these positions, in order; where they lie apart, several reads are under way at once. */
  async *#blocksAt(positions: Uint32Array): AsyncGenerator<Block> {
    const stretches = stretchesOf(positions)
    const underWay: (Promise<Block[]> | AsyncIterable<Block>)[] = []
    while (underWay.length > 0 || stretches.length > 0) {
      while (underWay.length < READS_AT_ONCE && stretches.length > 0) {
        const [first, last] = stretches.shift()!
        const run = this.#blocks.run(first, last)
        underWay.push(last - first < LONG_STRETCH ? collected(run) : run)
      }
      yield* await underWay.shift()!
    }
  }
}

function addByPosition(events: readonly RecordedEvent[], known: Map<GlobalPosition, RecordedEvent>): void {
  for (const event of events) known.set(event.metadata.globalPosition, event)
}

function collected(run: AsyncIterable<Block>): Promise<Block[]> {
  const reading = collect(run)
  // Whoever waits for it hears of a failure; one who stopped does not.
  reading.catch(() => {})
  return reading
}

type Stretch = [first: GlobalPosition, last: GlobalPosition]

/** Parts of the log that are read as a whole: positions as near to each other as most blocks are long. */
function stretchesOf(positions: Uint32Array): Stretch[] {
  const stretches: Stretch[] = []
  for (const position of positions) {
    const open = stretches.at(-1)
    if (open && position - open[1] <= NEAR) open[1] = position
    else stretches.push([position, position])
  }
  return stretches
}

type Range = Readonly<{ first: number; last: number; backwards: boolean }>

/** The part of 1..end that is asked for; `from` is where reading begins, so backwards it is the upper bound. */
function rangeOf(options: ReadStreamOptions, end: StreamVersion | GlobalPosition): Range | null {
  const { from, to, maxCount = Infinity, direction = 'forwards' } = options
  checkCount(maxCount)
  for (const bound of [from, to]) {
    if (bound !== undefined && (!Number.isSafeInteger(bound) || bound < 0)) {
      throw new StoreError('invalid-argument', `A bound must be a whole number from 0, not ${bound}`, {
        bound,
      })
    }
  }
  const isBackwards = direction === 'backwards'
  let first = Math.max(1, (isBackwards ? to : from) ?? 1)
  let last = Math.min(end, (isBackwards ? from : to) ?? end)
  if (isBackwards) first = Math.max(first, last - maxCount + 1)
  else last = Math.min(last, first + maxCount - 1)
  return first > last ? null : { first, last, backwards: isBackwards }
}

export function checkCount(maxCount: number): void {
  if (maxCount !== Infinity && (!Number.isSafeInteger(maxCount) || maxCount < 0)) {
    throw new StoreError('invalid-argument', `maxCount must be a whole number from 0, not ${maxCount}`, {
      maxCount,
    })
  }
}

async function collect<T>(parts: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const part of parts) all.push(part)
  return all
}

function* backwards<T>(parts: T[][]): Generator<T[]> {
  for (const part of parts.reverse()) yield part.reverse()
}
