// What amendments make of a log: where each event counts, and what was changed between two states of the log.

import { newVersionIn, type OrderChange } from '../../log/amendment.ts'
import type { GlobalPosition, StreamVersion } from '../../log/event.ts'
import { StreamOrder } from './stream-order.ts'

/** An amendment that the log has, whether it counts or a rebase superseded it. Plain JSON. */
export type AmendmentRecord = Readonly<{
  streamName: string
  position: GlobalPosition
  version: StreamVersion
  changes: readonly OrderChange[]
  /** The first and the last place at which it made something else stand; null where it had no effect. */
  touched: PlaceRange | null
  /** Position of the entry that says so; null for one that counts. */
  supersededAt: GlobalPosition | null
}>

export type PlaceRange = Readonly<{ first: GlobalPosition; last: GlobalPosition }>

/** Where an event counts: at the version and position of the recorded event whose place it has. */
export type Place = Readonly<{ version: StreamVersion; position: GlobalPosition }>

type StreamPlaces = Readonly<{
  positionAt: (streamName: string, version: StreamVersion) => GlobalPosition
  versionAt: (streamName: string, position: GlobalPosition) => StreamVersion
}>

type EventPlace = Readonly<{
  streamName: string
  streamVersion: StreamVersion
  globalPosition: GlobalPosition
}>

const NOWHERE: PlaceRange = { first: Number.POSITIVE_INFINITY, last: 0 }

export class EffectiveOrder {
  readonly #streams: StreamPlaces
  /** In order of position. */
  #records: AmendmentRecord[] = []
  readonly #orders = new Map<string, StreamOrder>()

  constructor(streams: StreamPlaces) {
    this.#streams = streams
  }

  /** Nothing was ever amended: every event counts where it was recorded. */
  get isEmpty(): boolean {
    return this.#records.length === 0
  }

  get records(): readonly AmendmentRecord[] {
    return this.#records
  }

  /** Those of a stream that count. */
  countingOf(streamName: string): readonly AmendmentRecord[] {
    return this.#records.filter(one => one.streamName === streamName && one.supersededAt === null)
  }

  /** Null for a stream in which every event counts where it was recorded. */
  orderOf(streamName: string): StreamOrder | null {
    return this.#orders.get(streamName) ?? null
  }

  /** The place of an event that counts. */
  placeOf({ streamName, streamVersion: version, globalPosition: position }: EventPlace): Place {
    const place = this.#orders.get(streamName)?.placeOf(version) ?? version
    return place === version
      ? { version, position }
      : { version: place, position: this.#streams.positionAt(streamName, place) }
  }

  /** Positions of what counts at the place of an entry. */
  at(streamName: string, position: GlobalPosition): readonly GlobalPosition[] {
    const order = this.#orders.get(streamName)
    if (!order) return [position]
    const standing = order.at(this.#streams.versionAt(streamName, position))
    return standing.map(version => this.#streams.positionAt(streamName, version))
  }

  /** Takes in the next amendment of the log. */
  take(
    amendment: Pick<AmendmentRecord, 'streamName' | 'position' | 'version' | 'changes'>,
  ): PlaceRange | null {
    const { streamName, position, version, changes } = amendment
    const order = this.#orders.get(streamName) ?? new StreamOrder()
    this.#orders.set(streamName, order)
    order.leaveOut(version)
    let touched: PlaceRange | null = null
    let touchedWithin: PlaceRange | null = null
    const added = new Set(changes.map(newVersionIn))
    for (const change of changes) {
      for (const place of order.apply(change) ?? []) {
        const position = this.#streams.positionAt(streamName, place)
        // What comes with the amendment, hardly anybody has folded before it: to count it would be to fold more again.
        if (added.has(place)) touchedWithin = including(touchedWithin, position)
        else touched = including(touched, position)
      }
    }
    // Another tab may read a long commit in parts: whoever folded the first ones must hear of it.
    touched ??= touchedWithin
    this.#records.push({ streamName, position, version, changes, touched, supersededAt: null })
    return touched
  }

  /** Those in [from, to] do not count any more, as the entry at `at` says. Returns where something else stands now. */
  supersede(from: GlobalPosition, to: GlobalPosition, at: GlobalPosition): PlaceRange | null {
    let touched: PlaceRange | null = null
    const streams = new Set<string>()
    this.#records = this.#records.map(record => {
      const { position, supersededAt, streamName } = record
      if (position < from || position > to || supersededAt !== null) return record
      streams.add(streamName)
      if (record.touched) touched = including(including(touched, record.touched.first), record.touched.last)
      return { ...record, supersededAt: at }
    })
    for (const streamName of streams) this.#orderAnew(streamName)
    return touched
  }

  /** What {@link records} gave, when the streams are known again. */
  restore(records: readonly AmendmentRecord[]): void {
    this.#records = [...records]
    for (const streamName of new Set(records.map(one => one.streamName))) this.#orderAnew(streamName)
  }

  /**
   * Position of the last entry that changed the order of a stream, or with null of any; 0 where there is none. Two folds
   * that read on with the same saw the same order.
   */
  changedAt(streamName: string | null): GlobalPosition {
    let last = 0
    for (const { position, supersededAt } of this.#of(streamName))
      last = Math.max(last, supersededAt ?? position)
    return last
  }

  /** Where the order is another one at `to` than it was at `from`: in both cases, what {@link changedAt} gave then. */
  changedBetween(from: GlobalPosition, to: GlobalPosition, streamName: string | null): PlaceRange {
    let range = NOWHERE
    if (from === to) return range
    for (const { position, supersededAt, touched } of this.#of(streamName)) {
      const counts = (at: GlobalPosition) => position <= at && (supersededAt === null || supersededAt > at)
      if (touched && counts(from) !== counts(to)) range = covering(range, touched)
    }
    return range
  }

  /** The first place of a stream, or of any, at which something else than what was recorded stands; infinite where none is. */
  firstChanged(streamName: string | null): GlobalPosition {
    return this.#countingBehind(0, streamName)
  }

  /** Up to where no rebase changes anything: the confirmed position, or before the first place that a pending amendment changes. */
  settledThrough(confirmedThrough: GlobalPosition, streamName: string | null): GlobalPosition {
    return Math.min(confirmedThrough, this.#countingBehind(confirmedThrough, streamName) - 1)
  }

  #countingBehind(after: GlobalPosition, streamName: string | null): GlobalPosition {
    let range = NOWHERE
    for (const { position, supersededAt, touched } of this.#of(streamName)) {
      if (touched && supersededAt === null && position > after) range = covering(range, touched)
    }
    return range.first
  }

  #of(streamName: string | null): readonly AmendmentRecord[] {
    return streamName === null
      ? this.#records
      : this.#records.filter(record => record.streamName === streamName)
  }

  #orderAnew(streamName: string): void {
    const order = new StreamOrder()
    const counting = this.countingOf(streamName)
    for (const { version, changes } of counting) {
      order.leaveOut(version)
      for (const change of changes) order.apply(change)
    }
    if (counting.length > 0) this.#orders.set(streamName, order)
    else this.#orders.delete(streamName)
  }
}

const including = (range: PlaceRange | null, position: GlobalPosition): PlaceRange =>
  covering(range ?? NOWHERE, { first: position, last: position })

const covering = (a: PlaceRange, b: PlaceRange): PlaceRange => ({
  first: Math.min(a.first, b.first),
  last: Math.max(a.last, b.last),
})
