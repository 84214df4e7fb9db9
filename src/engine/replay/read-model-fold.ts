// Keeps the rows of one read model in step with the log. Any tab may: what is written, and how far it has come, is one
// write, made only if nobody else has written meanwhile.
//
// Of two tabs with other handlers, the one that was opened later has its way: the rows are made anew for it, and the other
// one then leaves them alone, as it would be done and undone without end.
//
// Rows that cannot be gone on with, since they were made by other code or of another history, stay as they are until all
// rows were made anew, aside. What is not settled is in the rows, too, and is taken back when a rebase takes it back.

import type { StoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { AnyReadModel } from '../../model/read-model.ts'
import type { RowProgress, RowSide } from '../../model/row-store.ts'
import { erasedSince, type FoldFailure, type FoldLog, isStanding } from './fold.ts'
import { type FoldCode, foldCodeOf } from './fold-code.ts'
import type { Follower } from './followers.ts'
import { isOnEvent } from './on-event.ts'
import type { OnFoldFailure } from './projection-documents.ts'
import { anyMarksOf, marksOf, NO_ROWS, progressOf, type RowMarks } from './row-progress.ts'
import { RowsOnward, type RowsOnwardParts } from './rows-onward.ts'
import { TaskChain } from './task-chain.ts'

export type ReadModelParts = Omit<RowsOnwardParts, 'code' | 'onWritten'> &
  Readonly<{
    onFailure: OnFoldFailure
    /** Ends it: what is under way comes to its end. */
    signal: AbortSignal
  }>

type Progress = Follower['progress']

export class ReadModelFold implements Progress {
  readonly #parts: ReadModelParts
  readonly #log: FoldLog
  readonly #code: FoldCode
  readonly #onward: RowsOnward
  readonly #turns = new TaskChain()
  #nextAdvance: Promise<void> | null = null
  /** Progress that is known to stand on an event which the log has. */
  #known: RowProgress = null
  #isRebuilding = false
  /** The rows that are shown were those of this code once. */
  #hasHeld = false
  #isTakenOver = false
  /** The rows that are shown are to be made anew. */
  #isOutdated = false
  #failure: FoldFailure | null = null
  #processed: GlobalPosition = 0

  constructor(parts: ReadModelParts) {
    const { log, definition } = parts
    this.#parts = parts
    this.#log = log
    this.#code = codeOf(definition, log)
    this.#onward = new RowsOnward({
      ...parts,
      code: this.#code,
      onWritten: (progress, position) => {
        this.#known = progress
        this.#processed = position
      },
    })
  }

  get isRebuilding(): boolean {
    return this.#isRebuilding
  }

  get isTakenOver(): boolean {
    return this.#isTakenOver
  }

  get processedPosition(): GlobalPosition {
    return this.#processed
  }

  failures(): readonly StoreError[] {
    return this.#failure ? [this.#failure.error] : []
  }

  /** Brings the rows up to the end of the log. All who ask before it begins are served by it. */
  process(): Promise<void> {
    this.#nextAdvance ??= this.#turns.run(() => {
      this.#nextAdvance = null
      return this.#advance()
    })
    return this.#nextAdvance
  }

  async resume(): Promise<void> {
    await this.#turns.run(async () => {
      this.#failure = null
    })
    await this.process()
  }

  /** Has all rows made anew. */
  async rebuild(): Promise<void> {
    this.giveUp()
    await this.process()
  }

  /** As {@link rebuild}, with the next {@link process}. */
  giveUp(): void {
    this.#isOutdated = true
  }

  async #advance(): Promise<void> {
    await this.#parts.skips.ready()
    const { name, rows, signal } = this.#parts
    let next: 'again' | 'done' = 'again'
    while (next === 'again' && !signal.aborted) next = await this.#step(await rows.progress(name))
    if (this.#failure) this.#parts.onFailure(this.#failure)
  }

  /** Does what is to be done next, up to a write that may have come too late. */
  async #step({ shown, aside }: Readonly<Record<RowSide, RowProgress>>): Promise<'again' | 'done'> {
    if (this.#isOutdated && shown !== null) return this.#markOutdated(shown)
    this.#isOutdated = false
    const current = await this.#marksOf(shown)
    this.#isTakenOver = current === null && this.#hasHeld && isHeld(shown)
    this.#isRebuilding = current === null && shown !== null && !this.#isTakenOver
    if (this.#isTakenOver) {
      this.#processed = positionOf(shown)
      return 'done'
    }
    if (current) {
      this.#hasHeld = true
      // Somebody else may be making them anew; but what was erased has to go.
      if (aside !== null && this.#isErased(aside)) return this.#begin(aside)
      return (await this.#goOn('shown', shown!, current)) === null ? 'again' : 'done'
    }
    const anew = await this.#marksOf(aside)
    if (!anew) return this.#begin(aside)
    const complete = await this.#goOn('aside', aside!, anew)
    if (complete === null) return 'again'
    // Behind a handler that fails, the rows from before stay, but for those that have erased content in them.
    if (this.#failure && shown !== null && !this.#isErased(shown)) return 'done'
    await this.#parts.rows.switchOver({ model: this.#parts.name, shown, aside: complete })
    return 'again'
  }

  /** Null for rows that cannot be gone on with: made by other code, or in another log. */
  async #marksOf(progress: RowProgress): Promise<RowMarks | null> {
    // Another tab may be ahead of what this one has read of the log, with whatever code.
    if (positionOf(progress) > this.#log.head()) await this.#log.catchUp()
    const marks = marksOf(progress, this.#code)
    if (!marks || progress === this.#known) return marks
    if (positionOf(progress) > this.#log.head()) return null
    // What does not stand any more is not to be compared: it is taken back, or made anew.
    const standing = [marks.latest, marks.settled].find(mark => isStanding(mark, null, this.#log))
    return !standing || (await isOnEvent({ ...standing, streamName: null }, this.#log)) ? marks : null
  }

  /** The progress with which all was read; null where it has to be looked at again. */
  async #goOn(side: RowSide, progress: string, marks: RowMarks): Promise<string | null> {
    if (!isStanding(marks.latest, null, this.#log)) {
      await this.#takeBack(side, progress, marks)
      return null
    }
    if (this.#failure && isStanding({ ...marks.latest, position: this.#failure.position }, null, this.#log)) {
      return progress
    }
    this.#failure = null
    const end = await this.#onward.toEnd({ side, progress, marks })
    if (end) this.#failure = end.failure
    return end ? end.progress : null
  }

  /** To where no rebase reaches; or, where that does not stand either, all of it. */
  async #takeBack(side: RowSide, progress: string, { settled }: RowMarks): Promise<void> {
    const { name, rows } = this.#parts
    if (!isStanding(settled, null, this.#log)) {
      await (side === 'shown' ? this.#markOutdated(progress) : this.#begin(progress))
      return
    }
    const to = this.#progressOf({ latest: settled, settled })
    await rows.rewind({ model: name, side, from: progress, to, through: settled.position })
  }

  /** Has what is shown made anew. It stays as it is until then. */
  async #markOutdated(shown: string): Promise<'again'> {
    const { name, rows } = this.#parts
    const marks = anyMarksOf(shown) ?? NO_ROWS
    const to = this.#progressOf({ ...marks, isOutdated: true })
    const settledThrough = marks.settled.position
    const batch = { model: name, side: 'shown', from: shown, to, steps: [], settledThrough } as const
    if ((await rows.write(batch)) === 'written') this.#isOutdated = false
    return 'again'
  }

  async #begin(aside: RowProgress): Promise<'again'> {
    const { name, rows } = this.#parts
    await rows.begin({ model: name, from: aside, to: this.#progressOf(NO_ROWS) })
    return 'again'
  }

  #isErased(progress: string): boolean {
    const marks = anyMarksOf(progress)
    return !marks || erasedSince(marks.latest.erasures, null, this.#log) <= marks.latest.position
  }

  #progressOf(marks: Pick<RowMarks, 'latest' | 'settled'> & Partial<RowMarks>): string {
    return progressOf({ isOutdated: false, ...marks }, this.#code)
  }
}

const positionOf = (progress: RowProgress): GlobalPosition => anyMarksOf(progress)?.latest.position ?? 0

/** Somebody goes on with them. */
const isHeld = (progress: RowProgress): boolean => anyMarksOf(progress)?.isOutdated === false

/** Other tables are other rows, whatever the handlers are. */
function codeOf(definition: AnyReadModel, log: Pick<FoldLog, 'hash' | 'today'>): FoldCode {
  const { version = '1', tables } = definition
  return foldCodeOf({ ...definition, version: JSON.stringify([version, Object.entries(tables)]) }, log)
}
