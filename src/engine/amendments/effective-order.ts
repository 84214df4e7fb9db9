// What amendments make of a log: where each event counts, and what was changed between two states of the log.

import { newVersionIn } from '../../log/amendment.ts'
import type { GlobalPosition, StreamVersion } from '../../log/event.ts'
import {
  type AmendmentRecord,
  AmendmentRecords,
  covering,
  including,
  type LiveRecord,
  type PlaceRange,
} from './amendment-records.ts'
import { StreamOrder } from './stream-order.ts'

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

type AmendedStream = {
  readonly records: AmendmentRecords
  /** Null where none of its amendments counts any more. */
  order: StreamOrder | null
}

export class EffectiveOrder {
  readonly #places: StreamPlaces
  readonly #all = new AmendmentRecords()
  /** By name. What is asked of one of them costs nothing of the others. */
  readonly #streams = new Map<string, AmendedStream>()

  constructor(places: StreamPlaces) {
    this.#places = places
  }

  /** Nothing was ever amended: every event counts where it was recorded. */
  get isEmpty(): boolean {
    return this.#streams.size === 0
  }

  /** In order of position, as they are now: superseded ones change where they stand. */
  get records(): readonly AmendmentRecord[] {
    return this.#all.all
  }

  /** Those of a stream that count. */
  countingOf(streamName: string): readonly AmendmentRecord[] {
    return this.#of(streamName).counting()
  }

  /** Null for a stream in which every event counts where it was recorded. */
  orderOf(streamName: string): StreamOrder | null {
    return this.#streams.get(streamName)?.order ?? null
  }

  /** The place of an event that counts. */
  placeOf({ streamName, streamVersion: version, globalPosition: position }: EventPlace): Place {
    const place = this.orderOf(streamName)?.placeOf(version) ?? version
    return place === version
      ? { version, position }
      : { version: place, position: this.#places.positionAt(streamName, place) }
  }

  /** Positions of what counts at the place of an entry. */
  at(streamName: string, position: GlobalPosition): readonly GlobalPosition[] {
    const order = this.orderOf(streamName)
    if (!order) return [position]
    const standing = order.at(this.#places.versionAt(streamName, position))
    return standing.map(version => this.#places.positionAt(streamName, version))
  }

  /** Takes in the next amendment of the log. */
  take(
    amendment: Pick<AmendmentRecord, 'streamName' | 'position' | 'version' | 'changes'>,
  ): PlaceRange | null {
    const { streamName, position, version, changes } = amendment
    const stream = this.#streamNamed(streamName)
    stream.order ??= new StreamOrder()
    const { order } = stream
    order.leaveOut(version)
    let touched: PlaceRange | null = null
    let touchedWithin: PlaceRange | null = null
    const added = new Set(changes.map(newVersionIn))
    for (const change of changes) {
      for (const place of order.apply(change) ?? []) {
        const position = this.#places.positionAt(streamName, place)
        // What comes with the amendment, hardly anybody has folded before it: to count it would be to fold more again.
        if (added.has(place)) touchedWithin = including(touchedWithin, position)
        else touched = including(touched, position)
      }
    }
    // Another tab may read a long commit in parts: whoever folded the first ones must hear of it.
    touched ??= touchedWithin
    this.#add({ streamName, position, version, changes, touched, supersededAt: null })
    return touched
  }

  /** Those in [from, to] do not count any more, as the entry at `at` says. Returns where something else stands now. */
  supersede(from: GlobalPosition, to: GlobalPosition, at: GlobalPosition): PlaceRange | null {
    let touched: PlaceRange | null = null
    const records = this.#all.countingIn(from, to)
    for (const record of records) {
      record.supersededAt = at
      if (record.touched) touched = touched ? covering(touched, record.touched) : record.touched
    }
    this.#supersede(records)
    for (const streamName of new Set(records.map(one => one.streamName))) this.#orderAnew(streamName)
    return touched
  }

  /** What {@link records} gave, when the streams are known again. */
  restore(records: readonly AmendmentRecord[]): void {
    const live = records.map(record => ({ ...record }))
    for (const record of live) this.#add(record)
    const superseded = live.filter(({ supersededAt }) => supersededAt !== null)
    this.#supersede(superseded.sort((a, b) => a.supersededAt! - b.supersededAt!))
    for (const streamName of this.#streams.keys()) this.#orderAnew(streamName)
  }

  /**
   * Position of the last entry that changed the order of a stream, or with null of any; 0 where there is none. Two folds
   * that read on with the same saw the same order.
   */
  changedAt(streamName: string | null): GlobalPosition {
    return this.#of(streamName).changedAt
  }

  /** Where the order is another one at `to` than it was at `from`: in both cases, what {@link changedAt} gave then. */
  changedBetween(from: GlobalPosition, to: GlobalPosition, streamName: string | null): PlaceRange {
    return this.#of(streamName).changedBetween(from, to)
  }

  /** The first place of a stream, or of any, at which something else than what was recorded stands; infinite where none is. */
  firstChanged(streamName: string | null): GlobalPosition {
    return this.#of(streamName).firstTouched(0)
  }

  /** Up to where no rebase changes anything: the confirmed position, or before the first place that a pending amendment changes. */
  settledThrough(confirmedThrough: GlobalPosition, streamName: string | null): GlobalPosition {
    return Math.min(confirmedThrough, this.#of(streamName).firstTouched(confirmedThrough) - 1)
  }

  #of(streamName: string | null): AmendmentRecords {
    return streamName === null ? this.#all : (this.#streams.get(streamName)?.records ?? NONE)
  }

  #streamNamed(streamName: string): AmendedStream {
    const known = this.#streams.get(streamName)
    if (known) return known
    const stream = { records: new AmendmentRecords(), order: null }
    this.#streams.set(streamName, stream)
    return stream
  }

  #add(record: LiveRecord): void {
    this.#all.add(record)
    this.#streamNamed(record.streamName).records.add(record)
  }

  #supersede(records: readonly LiveRecord[]): void {
    this.#all.supersede(records)
    for (const record of records) this.#streamNamed(record.streamName).records.supersede([record])
  }

  #orderAnew(streamName: string): void {
    const stream = this.#streamNamed(streamName)
    const counting = stream.records.counting()
    stream.order = counting.length > 0 ? new StreamOrder() : null
    for (const { version, changes } of counting) {
      stream.order?.leaveOut(version)
      for (const change of changes) stream.order?.apply(change)
    }
  }
}

const NONE = new AmendmentRecords()
