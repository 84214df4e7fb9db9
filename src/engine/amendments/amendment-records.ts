// The amendments of a log, or of one stream of it, by when they came to count and when they ceased to.

import type { OrderChange } from '../../log/amendment.ts'
import type { GlobalPosition, StreamVersion } from '../../log/event.ts'

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

/** The same object in the list of the log and in that of its stream. */
export type LiveRecord = { -readonly [K in keyof AmendmentRecord]: AmendmentRecord[K] }

const NOWHERE: PlaceRange = { first: Number.POSITIVE_INFINITY, last: 0 }

export class AmendmentRecords {
  /** In order of position. */
  readonly #all: LiveRecord[] = []
  /** In order of the position at which they were superseded. */
  readonly #superseded: LiveRecord[] = []
  /** The first place that those behind a position touch: asked for again and again between two amendments. */
  #known: { after: GlobalPosition; first: GlobalPosition } | null = null

  get all(): readonly AmendmentRecord[] {
    return this.#all
  }

  /** Those that count. */
  counting(): AmendmentRecord[] {
    return this.#all.filter(isCounting)
  }

  /** The next one of the log. */
  add(record: LiveRecord): void {
    this.#all.push(record)
    if (this.#known && record.touched && record.position > this.#known.after) {
      this.#known.first = Math.min(this.#known.first, record.touched.first)
    }
  }

  /** Those in [from, to] that count. */
  countingIn(from: GlobalPosition, to: GlobalPosition): LiveRecord[] {
    return between(this.#all, { after: from - 1, through: to, at: positionOf }).filter(isCounting)
  }

  /** Some of them do not count any more, by the last entry of the log that says so. */
  supersede(records: readonly LiveRecord[]): void {
    for (const record of records) this.#superseded.push(record)
    this.#known = null
  }

  /** Position of the last entry that changed the order; 0 where there is none. */
  get changedAt(): GlobalPosition {
    return Math.max(this.#all.at(-1)?.position ?? 0, this.#superseded.at(-1)?.supersededAt ?? 0)
  }

  /** The places that are touched by what counts at one of two positions, and not at the other. */
  changedBetween(from: GlobalPosition, to: GlobalPosition): PlaceRange {
    const [after, through] = [Math.min(from, to), Math.max(from, to)]
    const came = between(this.#all, { after, through, at: positionOf })
    const went = between(this.#superseded, { after, through, at: supersededAtOf })
    const isOther = ({ position, supersededAt }: AmendmentRecord): boolean => {
      const counts = (at: GlobalPosition) => position <= at && (supersededAt === null || supersededAt > at)
      return counts(after) !== counts(through)
    }
    return touchedBy([...came, ...went].filter(isOther))
  }

  /** The first place that is touched by what counts and stands behind a position; infinite where none is. */
  firstTouched(after: GlobalPosition): GlobalPosition {
    if (this.#known?.after !== after) {
      const { first } = touchedBy(this.countingIn(after + 1, Number.POSITIVE_INFINITY))
      this.#known = { after, first }
    }
    return this.#known.first
  }
}

export const including = (range: PlaceRange | null, position: GlobalPosition): PlaceRange =>
  covering(range ?? NOWHERE, { first: position, last: position })

export const covering = (a: PlaceRange, b: PlaceRange): PlaceRange => ({
  first: Math.min(a.first, b.first),
  last: Math.max(a.last, b.last),
})

function touchedBy(records: readonly AmendmentRecord[]): PlaceRange {
  let range = NOWHERE
  for (const { touched } of records) if (touched) range = covering(range, touched)
  return range
}

const isCounting = ({ supersededAt }: AmendmentRecord): boolean => supersededAt === null
const positionOf = ({ position }: AmendmentRecord): GlobalPosition => position
const supersededAtOf = ({ supersededAt }: AmendmentRecord): GlobalPosition => supersededAt!

type Stretch = Readonly<{
  after: GlobalPosition
  through: GlobalPosition
  /** What the records are in order of. */
  at: (record: AmendmentRecord) => GlobalPosition
}>

function between(records: readonly LiveRecord[], { after, through, at }: Stretch): LiveRecord[] {
  let [low, high] = [0, records.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (at(records[middle]!) > after) high = middle
    else low = middle + 1
  }
  let end = low
  while (end < records.length && at(records[end]!) <= through) end++
  return records.slice(low, end)
}
