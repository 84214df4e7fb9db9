// One replay from a snapshot, or from the first event: where it may end early, what it leaves behind, what there is to
// tell of it.

import { isStoreError } from '../../log/errors.ts'
import type { RecordedEvent } from '../../log/event.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { ReplayReason, ReplayReport } from '../../model/replay-report.ts'
import { countThrough, type Mark } from './fold.ts'
import { changedTypes, type EarlyEnd, earlyEnds } from './replay-plan.ts'
import { contentHashOf, type FoldSnapshot, type SnapshotOwner } from './snapshot-record.ts'
import { versionsInPassing } from './snapshot-schedule.ts'
import type { FoundSnapshots, SnapshotProblem, SnapshotStore } from './snapshot-store.ts'
import type { SnapshotTerms } from './snapshot-terms.ts'

export type ReplayParts = Readonly<{
  owner: SnapshotOwner
  terms: SnapshotTerms
  snapshots: SnapshotStore
  hash: HashProvider
  found: FoundSnapshots
  /** Version that there are events up to. */
  target: number
}>

export class Replay {
  readonly #parts: ReplayParts
  #ends: readonly EarlyEnd[]
  #inPassing: readonly number[]
  #read = 0
  #stoppedAt: number | null = null

  constructor(parts: ReplayParts) {
    const { found, terms, target } = parts
    this.#parts = parts
    this.#ends = earlyEnds(found.ahead, terms.code)
    this.#inPassing = versionsInPassing(found.start?.version ?? 0, target, terms.schedule.gapInPassing)
  }

  /** Of events that are to be folded behind a mark, one at least, those to fold before {@link hasFolded} and {@link endAt} are asked. */
  partOf(events: readonly RecordedEvent[], { version }: Pick<Mark, 'version'>): readonly RecordedEvent[] {
    // An event that was erased or superseded since is not there to stop at.
    while (this.#ends[0] && this.#ends[0].at.position < events[0]!.metadata.globalPosition) {
      this.#ends = this.#ends.slice(1)
    }
    const stop = this.#ends[0]?.at.position
    const toStop = stop === undefined ? events.length : countThrough(events, stop)
    const toSnapshot = (this.#inPassing[0] ?? Infinity) - version
    return events.slice(0, Math.min(toStop, Math.max(toSnapshot, 1)))
  }

  /** Counts them. True when a snapshot is to be made, so that this part of history has one. */
  hasFolded(events: number, { version }: Pick<Mark, 'version'>): boolean {
    this.#read += events
    const left = this.#inPassing.filter(passed => passed > version)
    const isDue = left.length < this.#inPassing.length
    this.#inPassing = left
    return isDue
  }

  /**
   * The newest of the old snapshots that are right, if the state is what it was with the code that made them. They are
   * kept as today's from then on.
   */
  async endAt(
    { position, version, eventHash }: Pick<Mark, 'position' | 'version' | 'eventHash'>,
    content: () => Pick<FoldSnapshot, 'state' | 'facts'>,
  ): Promise<FoldSnapshot | null> {
    const end = this.#ends.findLast(({ at }) => at.position <= position)
    this.#ends = this.#ends.filter(({ at }) => at.position > position)
    if (end?.at.position !== position || end.at.eventHash !== eventHash) return null
    if (hashIfJson(content(), this.#parts.hash) !== end.at.contentHash) return null
    const { owner, snapshots, terms } = this.#parts
    let newest: FoldSnapshot | null = null
    for (const header of end.to) {
      const snapshot = await snapshots.fetch(owner, header)
      if (!snapshot) continue
      snapshots.save(owner, terms, snapshot)
      newest = snapshot
    }
    if (!newest) return null
    this.#ends = []
    this.#inPassing = []
    this.#stoppedAt = version
    return newest
  }

  /** @param version where it has come to stand */
  report(version: number): ReplayReport {
    return {
      ...causeOf(this.#parts),
      stoppedAt: this.#stoppedAt ?? version,
      replayed: this.#read,
      total: version,
      converged: this.#stoppedAt !== null,
    }
  }
}

/** Why events are folded, and from where. */
export function causeOf({ owner, terms, found }: Pick<ReplayParts, 'owner' | 'terms' | 'found'>) {
  const newestAhead = found.ahead.at(-1)
  return {
    ...owner,
    reason: reasonOf(found),
    from: found.start?.version ?? 0,
    changedTypes: newestAhead ? changedTypes(newestAhead, terms.code) : [],
    isWeak: terms.code.isWeak,
  }
}

/** A state that JSON cannot carry is equal to none that was stored. */
function hashIfJson(content: Pick<FoldSnapshot, 'state' | 'facts'>, hash: HashProvider): string | null {
  try {
    return contentHashOf(content, hash)
  } catch (error) {
    if (isStoreError(error, 'invalid-event')) return null
    throw error
  }
}

const DAMAGE: readonly SnapshotProblem[] = ['damaged', 'foreign', 'wrong-seal', 'other-history']
const CHANGED_HISTORY: readonly SnapshotProblem[] = ['superseded', 'erased']

function reasonOf({ start, ahead, problems }: FoundSnapshots): ReplayReason {
  if (ahead.length > 0) return 'handler-changed'
  if (problems.some(problem => DAMAGE.includes(problem))) return 'snapshot-damaged'
  if (problems.some(problem => CHANGED_HISTORY.includes(problem))) return 'history-changed'
  return start ? 'tail' : 'no-snapshot'
}
