// The single write door: every record, local or remote, is sequenced here. While one draft is being written the next
// is planned behind it, of all that waits (group commit).

import { type Block, decodeBlock } from '../log/block.ts'
import { StorageFailed, StoreError } from '../log/errors.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { Draft, type DraftParts } from './draft.ts'

/** A wish to write: plans itself onto a draft, again and again until a draft is written. */
export interface Job<T> {
  /** True when the job must be planned on a draft of its own. */
  readonly isAlone: boolean
  /**
   * Adds whole commits to the draft and returns the answer, or throws the refusal: then the commit it was at is
   * taken back, and all of the draft if the job is alone. The answer is given only once the draft that it was
   * judged against is durable.
   */
  plan(draft: Draft): Promise<T>
  /** Told each time that it was planned, before anything is written. Must not throw. */
  onPlanned?(answer: T): void
}

/** A draft this large is written before more is added. */
const MAX_DRAFT_BYTES = 4 * 1024 * 1024

type Queued = {
  readonly job: Job<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A draft and the jobs that were planned onto it. */
type Plan = Readonly<{ draft: Draft; jobs: { readonly queued: Queued; readonly settle: () => void }[] }>

/** Without an error, another writer was first. */
type Failed = Readonly<{ plan: Plan; error?: unknown }>

export type WriterOptions = DraftParts &
  Readonly<{
    storage: LogStorage
    /** Takes in what was written. */
    advance: (blocks: readonly { block: Block; bytes: number }[]) => void
    /** Reads what others wrote. */
    catchUp: () => Promise<void>
    /** Resolves when writes can be judged: soon after opening, from then on at once. */
    ready: () => Promise<void>
  }>

export class Writer {
  readonly #options: WriterOptions
  #queue: Queued[] = []
  /** What is being written. */
  #writing: Plan | null = null
  /** What is planned behind it meanwhile: it takes for granted that the write succeeds. */
  #next: Plan | null = null
  #failed: Failed | null = null
  #running: Promise<void> | null = null
  #onSubmitted: () => void = () => {}
  #isClosed = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  submit<T>(job: Job<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StoreError('store-closed', 'The store is closed'))
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ job, resolve: resolve as (value: unknown) => void, reject })
      this.#onSubmitted()
      this.#running ??= this.#run()
    })
  }

  /** Takes no more, and resolves when all that was taken is settled. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#running
  }

  /** Plans what waits while the plan before it is written: thread and disk work side by side. */
  async #run(): Promise<void> {
    try {
      // One turn later at least, so that all appends of this turn go into one write.
      await this.#options.ready()
    } catch (error) {
      this.#refuseAll(error)
    }
    let writing: Promise<void> | null = null
    while (this.#queue.length > 0 || this.#next || writing || this.#failed) {
      if (this.#failed) await this.#takeBack(this.#failed)
      else if (this.#canPlan()) await this.#plan()
      else if (this.#next && !writing) {
        writing = this.#write(this.#next).finally(() => {
          writing = null
        })
      } else await Promise.race([writing, this.#submitted()])
    }
    this.#running = null
  }

  #refuseAll(error: unknown): void {
    for (const { reject } of this.#queue) reject(error)
    this.#queue = []
  }

  #submitted(): Promise<void> {
    return new Promise(resolve => {
      this.#onSubmitted = resolve
    })
  }

  #canPlan(): boolean {
    const job = this.#queue[0]?.job
    if (!job) return false
    if (job.isAlone) return !this.#next && !this.#writing
    return !this.#next || hasRoom(this.#next)
  }

  async #plan(): Promise<void> {
    this.#next ??= { draft: new Draft(this.#options, this.#writing?.draft), jobs: [] }
    const { draft, jobs } = this.#next
    // Taken out at once behind the loop: shifting a long queue moves all of it each time.
    let taken = 0
    do {
      const queued = this.#queue[taken]!
      const settle = await planOne(queued, draft)
      if (settle === null) {
        // Alone in its draft: nothing else is planned again with it.
        this.#next = null
        return
      }
      taken++
      jobs.push({ queued, settle })
    } while (hasRoom(this.#next) && this.#queue[taken]?.job.isAlone === false)
    this.#queue.splice(0, taken)
  }

  /** Never rejects: who waits for the jobs is told, or they are taken back. */
  async #write(plan: Plan): Promise<void> {
    this.#writing = plan
    this.#next = null
    try {
      if (plan.draft.isEmpty || (await this.#store(plan.draft))) {
        this.#forgetWritten()
        for (const { settle } of plan.jobs) settle()
      } else this.#failed = { plan }
    } catch (error) {
      this.#failed = { plan, error }
    }
    this.#writing = null
  }

  #forgetWritten(): void {
    this.#next?.draft.forgetBefore()
  }

  /** What was planned behind a write that failed is planned again; so is what lost the race, on what the log is now. */
  async #takeBack({ plan, error }: Failed): Promise<void> {
    const behind = this.#next?.jobs ?? []
    this.#failed = null
    this.#next = null
    try {
      if (error !== undefined) throw error
      await this.#options.catchUp()
      behind.unshift(...plan.jobs)
    } catch (reason) {
      for (const { queued } of plan.jobs) queued.reject(reason)
    }
    this.#queue = [...behind.map(({ queued }) => queued), ...this.#queue]
  }

  async #store(draft: Draft): Promise<boolean> {
    const stored = await draft.finish()
    const outcome = await this.#options.storage.append(draft.after, stored, draft.values)
    if (outcome.type === 'conflict') {
      if (outcome.head >= draft.after) return false
      throw new StorageFailed(
        'version-change',
        'The log was begun anew, by another tab or process. Open it again',
      )
    }
    this.#options.advance(
      stored.map(({ bytes, firstPosition }) => ({
        block: decodeBlock(bytes, firstPosition),
        bytes: bytes.length,
      })),
    )
    return true
  }
}

function hasRoom({ draft, jobs }: Plan): boolean {
  return draft.bytes < MAX_DRAFT_BYTES && !jobs[0]?.queued.job.isAlone
}

/** Null for a job to be planned again: the log moved on under it, and what it met is not what it was begun on. */
async function planOne({ job, resolve, reject }: Queued, draft: Draft): Promise<(() => void) | null> {
  try {
    const answer = await job.plan(draft)
    job.onPlanned?.(answer)
    return () => resolve(answer)
  } catch (refusal) {
    if (job.isAlone && draft.isOvertaken) return null
    if (job.isAlone) draft.discardAll()
    else draft.discardStaged()
    return () => reject(refusal)
  }
}
