// One replay from a snapshot, or from the first event: where it may end early, what it leaves behind, what there is to
// tell of it.

import { stateHashOf } from '../../integrity/state-hash.ts'
import { isStoreError } from '../../log/errors.ts'
import type { RecordedEvent } from '../../log/event.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { ReplayReason, ReplayReport } from '../../model/replay-report.ts'
import { countThrough, type FoldLog, type Mark, placeOf } from './fold.ts'
import { changedTypes, type EarlyEnd, earlyEnds, type Today } from './replay-plan.ts'
import type { FoldSnapshot, SnapshotOwner } from './snapshot-record.ts'
import { versionsInPassing } from './snapshot-schedule.ts'
import type { FoundSnapshots, SnapshotProblem, SnapshotStore } from './snapshot-store.ts'
import type { SnapshotTerms } from './snapshot-terms.ts'

export type ReplayParts = Readonly<{
  owner: SnapshotOwner
  terms: SnapshotTerms
  snapshots: SnapshotStore
  log: Pick<FoldLog, 'hash' | 'order'>
  /** Facts behind a snapshot `to`, when those at `at`, on the way there, are `now`. */
  factsBehind: FactsBehind
  found: FoundSnapshots
  /** Version that there are events up to. */
  target: number
}>

export type FactsBehind = (now: unknown, at: unknown, to: unknown) => unknown

export class Replay {
  readonly #parts: ReplayParts
  #ends: readonly EarlyEnd[]
  #inPassing: readonly number[]
  #read = 0
  #stoppedAt: number | null = null

  constructor(parts: ReplayParts) {
    const { found, terms, target } = parts
    this.#parts = parts
    this.#ends = earlyEnds(found.ahead, todayOf(parts))
    this.#inPassing = versionsInPassing(found.start?.version ?? 0, target, terms.schedule.gapInPassing)
  }

  /** Events are folded again that had been folded before, by other code or in another order. */
  get isAgain(): boolean {
    return this.#parts.found.ahead.length > 0
  }

  /** Of events that are to be folded behind a mark, one at least, those to fold before {@link hasFolded} and {@link endAt} are asked. */
  partOf(events: readonly RecordedEvent[], { version }: Pick<Mark, 'version'>): readonly RecordedEvent[] {
    const { order } = this.#parts.log
    const first = placeOf(events[0]!, order).position
    // An event that was erased or superseded since is not there to stop at.
    while (this.#ends[0] && this.#ends[0].at.position < first) this.#ends = this.#ends.slice(1)
    const stop = this.#ends[0]?.at.position
    const toStop = stop === undefined ? events.length : countThrough(events, stop, order)
    const toSnapshot = Math.max((this.#inPassing[0] ?? Infinity) - version, 1)
    if (toSnapshot >= toStop) return events.slice(0, toStop)
    // What counts at one place is folded as a whole.
    return events.slice(0, countThrough(events, placeOf(events[toSnapshot - 1]!, order).position, order))
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
   * The newest of the old snapshots that are right, if the state is what it was before the change. They are kept as
   * today's from then on.
   */
  async endAt(mark: Mark, content: () => Content): Promise<FoldSnapshot | null> {
    const { position, eventHash, version } = mark
    const end = this.#ends.findLast(({ at }) => at.position <= position)
    this.#ends = this.#ends.filter(({ at }) => at.position > position)
    if (end?.at.position !== position || end.at.eventHash !== eventHash) return null
    const now = content()
    const { owner, snapshots, terms, log } = this.#parts
    if (hashIfJson(now.state, log.hash) !== end.at.stateHash) return null
    const at = await snapshots.fetch(owner, end.at)
    if (!at) return null
    let newest: FoldSnapshot | null = null
    for (const header of end.to) {
      const old = await snapshots.fetch(owner, header)
      if (!old) continue
      newest = this.#continued(mark, now, at, old)
      snapshots.save(owner, terms, newest)
    }
    if (!newest) return null
    this.#ends = []
    this.#inPassing = []
    this.#stoppedAt = version
    return newest
  }

  /** An old snapshot as it is behind what was folded now: only what lies behind `at` is taken from it. */
  #continued(mark: Mark, now: Content, at: FoldSnapshot, old: FoldSnapshot): FoldSnapshot {
    const behind = [...old.types].filter(([, last]) => last > at.position)
    return {
      ...old,
      version: old.version + mark.version - at.version,
      // What was erased or amended by then is not in it, or it would not have been found.
      erasures: mark.erasures,
      amendedAt: mark.amendedAt,
      types: new Map([...mark.types, ...behind]),
      facts: this.#parts.factsBehind(now.facts, at.facts, old.facts),
    }
  }

  /** @param version where it has come to stand */
  report(version: number): ReplayReport {
    return {
      ...causeOf(this.#parts),
      stoppedAt: this.#stoppedAt ?? version,
      replayed: this.#read,
      total: this.#totalAt(version),
      converged: this.#stoppedAt !== null,
    }
  }

  /** Of an amended stream a version says where a fold is, and not how many events count until there. */
  #totalAt(version: number): number {
    const { owner, log, target } = this.#parts
    const isAmended = owner.streamName !== null && log.order.orderOf(owner.streamName) !== null
    return isAmended ? Math.max(version, target) : version
  }
}

type Content = Pick<FoldSnapshot, 'state' | 'facts'>

/** How a fold of an owner goes today. */
export function todayOf({ owner, terms, log }: Pick<ReplayParts, 'owner' | 'terms' | 'log'>): Today {
  const { streamName } = owner
  const { order } = log
  return {
    code: terms.code,
    amendedAt: order.changedAt(streamName),
    changedBetween: (from, to) => order.changedBetween(from, to, streamName),
  }
}

/** Why events are folded, and from where. */
export function causeOf({ owner, terms, found }: Pick<ReplayParts, 'owner' | 'terms' | 'found'>) {
  const newestAhead = found.ahead.at(-1)
  const changed = newestAhead ? changedTypes(newestAhead, terms.code) : []
  return {
    ...owner,
    reason: reasonOf(found, changed),
    from: found.start?.version ?? 0,
    changedTypes: changed,
    isWeak: terms.code.isWeak,
  }
}

/** A state that JSON cannot carry is equal to none that was stored. */
function hashIfJson(state: unknown, hash: HashProvider): string | null {
  try {
    return stateHashOf(state, hash)
  } catch (error) {
    if (isStoreError(error, 'invalid-event')) return null
    throw error
  }
}

const DAMAGE: readonly SnapshotProblem[] = ['damaged', 'foreign', 'wrong-seal', 'other-history']
const CHANGED_HISTORY: readonly SnapshotProblem[] = ['superseded', 'erased']

function reasonOf(
  { start, isAmended, problems }: FoundSnapshots,
  changed: readonly string[] | null,
): ReplayReason {
  if (changed === null || changed.length > 0) return 'handler-changed'
  if (isAmended) return 'history-amended'
  if (problems.some(problem => DAMAGE.includes(problem))) return 'snapshot-damaged'
  if (problems.some(problem => CHANGED_HISTORY.includes(problem))) return 'history-changed'
  return start ? 'tail' : 'no-snapshot'
}
