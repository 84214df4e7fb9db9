// Runs of a draft whose hashes are still to come: they are made when the first is asked for, of all together.

import { type EntryRun, hashOfRun, type UnlinkedRun } from '../log/entry-run.ts'
import type { StreamVersion } from '../log/event.ts'
import type { HashChain } from '../log/hash-chain.ts'
import { HASH_BYTES } from '../log/hash-provider.ts'

/** Where a stream stands in a draft. To ask for the hash has all that waits for its hash linked. */
export type DraftHead = Readonly<{ version: StreamVersion; hash: Uint8Array }>

/** What it links to, and its hashes, are known once it is linked. */
export type StagedRun = EntryRun &
  UnlinkedRun & {
    previous: Uint8Array
    follows: number | null
    hashes: Uint8Array
    /** The stream's head without it. */
    readonly before: DraftHead
  }

/** Stands for a hash that is not made yet. */
export const UNKNOWN_HASH = new Uint8Array()

/** The head that a staged run makes. */
export class LaterHead implements DraftHead {
  readonly version: StreamVersion
  readonly run: StagedRun
  readonly #link: () => void

  constructor(run: StagedRun, link: () => void) {
    this.version = run.firstVersion + run.batch.count - 1
    this.run = run
    this.#link = link
  }

  get hash(): Uint8Array {
    if (this.run.hashes === UNKNOWN_HASH) this.#link()
    return lastHashOf(this.run)
  }
}

/** Links runs, each to the head before it, which one of them may make or what was linked before. */
export function linkRuns(runs: readonly StagedRun[], chain: HashChain): void {
  const numberOf = new Map(runs.map((run, n) => [run, n]))
  for (const run of runs) {
    const { before } = run
    run.follows = before instanceof LaterHead ? (numberOf.get(before.run) ?? null) : null
    if (run.follows === null) run.previous = before.hash
  }
  const hashes = chain.hashesOfRuns(runs)
  let start = 0
  for (const run of runs) {
    const end = start + run.batch.count * HASH_BYTES
    if (run.follows !== null) run.previous = lastHashOf(runs[run.follows]!)
    run.hashes = hashes.subarray(start, end)
    start = end
  }
}

const lastHashOf = (run: EntryRun): Uint8Array => hashOfRun(run, run.batch.count - 1)
