// Folds a sample of what is about to be kept a second time, in the background: handlers that are not deterministic make
// states that no two replicas agree on, and snapshots that hide it.

import { stateHashOf } from '../../integrity/state-hash.ts'
import { isStoreError } from '../../log/errors.ts'
import type { Hash } from '../../log/event.ts'
import { type FoldLog, isStanding } from './fold.ts'
import { nextTask } from './pace.ts'
import type { FoldSnapshot, SnapshotOwner } from './snapshot-record.ts'
import { TaskChain } from './task-chain.ts'

export type AuditOptions = Readonly<{
  /** One of so many snapshots is audited, and the first of each decider and projection. Default 16. */
  every?: number
  /** Most events that are folded for one audit: longer histories are folded on from an older snapshot. Default 10,000. */
  maxEvents?: number
}>

/** A second fold of the same events came to another state. */
export type AuditFailure = Readonly<{
  owner: SnapshotOwner
  position: number
  /** How many events were folded. */
  events: number
  stateHash: Hash
  secondStateHash: Hash
}>

/** Folds the events of a snapshot again, behind an older one or from the start. Gives the state. */
export type Refold = (from: FoldSnapshot | null) => Promise<unknown>

export type AuditedSnapshot = Readonly<{
  owner: SnapshotOwner
  snapshot: FoldSnapshot
  refold: Refold
  /** An older snapshot that holds. */
  older: () => Promise<FoldSnapshot | null>
}>

export type AuditParts = Readonly<{
  log: Pick<FoldLog, 'hash' | 'isEffective' | 'erasures' | 'order'>
  options: AuditOptions
  /** Told once for each decider and projection. Must not throw. */
  onFailure: (failure: AuditFailure) => void
}>

export class Audit {
  readonly #parts: AuditParts
  readonly #seen = new Map<string, number>()
  readonly #untrusted = new Set<string>()
  readonly #turns = new TaskChain()
  #isClosed = false

  constructor(parts: AuditParts) {
    this.#parts = parts
  }

  /** False for the states of a decider or projection that was found not to be deterministic. */
  trusts(owner: SnapshotOwner): boolean {
    return !this.#untrusted.has(nameOf(owner))
  }

  /** Audits a snapshot, soon, if its turn has come. */
  consider(audited: AuditedSnapshot): void {
    const name = nameOf(audited.owner)
    const seen = this.#seen.get(name) ?? 0
    this.#seen.set(name, seen + 1)
    const { every = DEFAULT_EVERY } = this.#parts.options
    if (seen % every !== 0 || this.#isClosed) return
    void this.#turns.run(() => this.#audit(audited))
  }

  /** Resolves when nothing is folded any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#turns.run(async () => {})
  }

  async #audit(audited: AuditedSnapshot): Promise<void> {
    // Views, appends and the snapshot itself come first.
    await nextTask()
    if (this.#isClosed || !this.trusts(audited.owner)) return
    try {
      const failure = await this.#compare(audited)
      if (!failure) return
      this.#untrusted.add(nameOf(audited.owner))
      this.#parts.onFailure(failure)
    } catch (error) {
      // A handler that fails, a log that is closed: whoever needs the state is told. Anything else is a defect.
      if (!isStoreError(error)) throw error
    }
  }

  async #compare({ owner, snapshot, refold, older }: AuditedSnapshot): Promise<AuditFailure | null> {
    const { log, options } = this.#parts
    const { maxEvents = DEFAULT_MAX_EVENTS } = options
    const { version, position, state } = snapshot
    // As it is now: a state that is changed in place later is a fault of another kind.
    const stateHash = stateHashOf(state, log.hash)
    const from = version > maxEvents ? await older() : null
    const events = version - (from?.version ?? 0)
    if (events > maxEvents) return null
    const secondStateHash = stateHashOf(await refold(from), log.hash)
    if (secondStateHash === stateHash) return null
    // A rebase may have put other events in the place of those that were folded first, or some were erased.
    const isSettled = await log.erasures.areSettled()
    if (!isSettled || !isStanding(snapshot, owner.streamName, log)) return null
    return { owner, position, events, stateHash, secondStateHash }
  }
}

const DEFAULT_EVERY = 16
const DEFAULT_MAX_EVENTS = 10_000

const nameOf = ({ kind, name }: SnapshotOwner): string => `${kind}/${name}`
