// Carries the rows of one side of a read model onward to the end of the log, a batch of events in one write.

import type { GlobalPosition, RecordedEvent } from '../../log/event.ts'
import { categoryTest } from '../../model/category.ts'
import { handlerFailed } from '../../model/evolve.ts'
import type { AnyReadModel } from '../../model/read-model.ts'
import { RowChangeFailed, type RowSide, type RowStore } from '../../model/row-store.ts'
import {
  countThrough,
  type FoldFailure,
  type FoldLog,
  type Mark,
  markBehind,
  markNow,
  settledThrough,
} from './fold.ts'
import type { FoldCode } from './fold-code.ts'
import { Pace } from './pace.ts'
import { progressOf, type RowMarks } from './row-progress.ts'
import { type RowSteps, rowStepsOf } from './row-steps.ts'
import type { Skips } from './skipped-events.ts'

export type RowsOnwardParts = Readonly<{
  log: FoldLog
  name: string
  definition: AnyReadModel
  rows: RowStore
  skips: Skips
  code: FoldCode
  /**
   * Events of which it is kept what rows were before them, where so many are pending; twice as many at most. Default
   * 10,000.
   */
  mostTakenBack?: number | undefined
  /** Told of each progress that was written, and the position that it is at. */
  onWritten: (progress: string, position: GlobalPosition) => void
}>

/** Where a side is: its rows are what the log says up to the latest mark. */
export type SideAt = Readonly<{ side: RowSide; progress: string; marks: RowMarks }>

/** Where it has come; `failure`: the handler of the event behind it failed. */
export type SideEnd = Readonly<{ progress: string; failure: FoldFailure | null }>

/** Events that are handled in one write, at most but for the rest of a block. */
const BATCH_EVENTS = 1_000
const MOST_TAKEN_BACK = 10_000

export class RowsOnward {
  readonly #parts: RowsOnwardParts
  readonly #log: FoldLog
  readonly #stepsOf: RowSteps
  readonly #covers: (streamName: string) => boolean

  constructor(parts: RowsOnwardParts) {
    const { log, definition, skips } = parts
    this.#parts = parts
    this.#log = log
    this.#stepsOf = rowStepsOf(definition, log, skips)
    this.#covers = categoryTest(definition.categories)
  }

  /** To the end of the log, or to an event whose handler fails. Null when somebody else has written meanwhile. */
  async toEnd({ side, progress, marks }: SideAt): Promise<SideEnd | null> {
    const pace = new Pace()
    const latest = markNow(marks.latest, null, this.#log)
    const through = this.#keptBehind(marks)
    const settled = await this.#settledMark(marks, through)
    const settledIn = marks.settled.position
    let reading: Reading | null = { side, progress, latest, settled, settledIn, through, failure: null }
    // Bounded: what a rebase in the meantime appends must not follow what it takes back.
    const to = this.#log.head()
    let batch: readonly RecordedEvent[] = []
    for await (const events of this.#log.readAll({ from: latest.position + 1, to })) {
      batch = batch.length === 0 ? events : [...batch, ...events]
      if (batch.length < BATCH_EVENTS) continue
      reading = await this.#write(reading, batch)
      if (!reading || reading.failure) return reading
      batch = []
      await pace.breathe()
    }
    reading = await this.#write(reading, batch)
    if (reading && !reading.failure) this.#parts.onWritten(reading.progress, to)
    return reading
  }

  /**
   * Behind it, it is kept what rows were before: of what a rebase may take back, but not of more than some events. One
   * that reaches farther has all rows made anew, and so has the first meeting with a server.
   */
  #keptBehind({ settled }: RowMarks): GlobalPosition {
    const head = this.#log.head()
    if (this.#log.cursor().epoch === '') return head
    const { mostTakenBack = MOST_TAKEN_BACK } = this.#parts
    const isLong = head - settled.position > 2 * mostTakenBack
    return Math.max(settledThrough(this.#log, null), isLong ? head - mostTakenBack : 0)
  }

  async #settledMark({ latest, settled }: RowMarks, through: GlobalPosition): Promise<Mark> {
    if (latest.position <= through) return markNow(latest, null, this.#log)
    let mark = markNow(settled, null, this.#log)
    if (mark.position >= through) return mark
    for await (const events of this.#log.readAll({ from: mark.position + 1, to: through })) {
      mark = this.#markBehind(mark, events)
    }
    return mark
  }

  /** @param failure of the event behind these */
  async #write(
    reading: Reading,
    events: readonly RecordedEvent[],
    failure: FoldFailure | null = null,
  ): Promise<Reading | null> {
    const found = this.#stepsOf(events)
    const next = this.#behind(reading, events.slice(0, found.taken))
    const stopped = found.failure ?? failure
    if (next === reading) return { ...reading, failure: stopped }
    const { name, rows } = this.#parts
    const to = progressOf({ ...next, isOutdated: false }, this.#parts.code)
    const { side, progress: from } = reading
    const { steps } = found
    try {
      const settledThrough = next.settled.position
      const outcome = await rows.write({ model: name, side, from, to, steps, settledThrough })
      if (outcome === 'moved') return null
    } catch (error) {
      if (!(error instanceof RowChangeFailed)) throw error
      const { event, position } = steps[error.step]!
      const failed = { error: handlerFailed(event, error.message, error.cause), position }
      return this.#write(reading, events.slice(0, events.indexOf(event)), failed)
    }
    this.#parts.onWritten(to, next.latest.position)
    return { ...next, progress: to, settledIn: next.settled.position, failure: stopped }
  }

  /** The same where there is nothing new. */
  #behind(reading: Reading, events: readonly RecordedEvent[]): Reading {
    const { latest, settled, settledIn, through } = reading
    if (events.length === 0) return settled.position === settledIn ? reading : { ...reading }
    const count = countThrough(events, through, this.#log.order)
    return {
      ...reading,
      latest: this.#markBehind(latest, events),
      settled: count > 0 ? this.#markBehind(latest, events.slice(0, count)) : settled,
    }
  }

  #markBehind(mark: Mark, events: readonly RecordedEvent[]): Mark {
    const version = mark.version + events.length
    return markBehind(mark, { events, version, order: this.#log.order, covers: this.#covers })
  }
}

/** A side on its way to the end of the log. */
type Reading = Readonly<{
  side: RowSide
  progress: string
  latest: Mark
  settled: Mark
  /** Position of the settled mark that is written in `progress`. */
  settledIn: GlobalPosition
  /** Where the settled mark is to come. */
  through: GlobalPosition
  /** What it stopped at. */
  failure: FoldFailure | null
}>
