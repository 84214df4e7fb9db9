// The single write door: every record, local or remote, is sequenced here. Appends that wait while one is being
// written go into the next write together (group commit).

import { type Block, decodeBlock } from '../log/block.ts'
import { StoreError } from '../log/errors.ts'
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
}

/** A draft this large is written before more is added. */
const MAX_DRAFT_BYTES = 4 * 1024 * 1024

type Queued = {
  readonly job: Job<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

type Planned = Queued & { readonly settle: () => void }

export type WriterOptions = DraftParts &
  Readonly<{
    storage: LogStorage
    /** Takes in what was written. */
    advance: (blocks: readonly { block: Block; bytes: number }[]) => void
    /** Reads what others wrote. */
    catchUp: () => Promise<void>
  }>

export class Writer {
  readonly #options: WriterOptions
  readonly #queue: Queued[] = []
  #running: Promise<void> | null = null
  #isClosed = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  submit<T>(job: Job<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StoreError('store-closed', 'The store is closed'))
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ job, resolve: resolve as (value: unknown) => void, reject })
      this.#running ??= this.#run()
    })
  }

  /** Takes no more, and resolves when all that was taken is settled. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#running
  }

  async #run(): Promise<void> {
    // One turn later, so that all appends of this turn go into one write.
    await Promise.resolve()
    while (this.#queue.length > 0) await this.#writeOnce()
    this.#running = null
  }

  async #writeOnce(): Promise<void> {
    const draft = new Draft(this.#options)
    const planned = await this.#planOnto(draft)
    try {
      if (!draft.isEmpty && !(await this.#write(draft))) {
        // Lost the race: everything is judged again on what the log is now.
        await this.#options.catchUp()
        this.#queue.unshift(...planned)
        return
      }
    } catch (error) {
      for (const { reject } of planned) reject(error)
      return
    }
    for (const { settle } of planned) settle()
  }

  async #planOnto(draft: Draft): Promise<Planned[]> {
    const planned: Planned[] = []
    while (this.#queue.length > 0 && draft.bytes < MAX_DRAFT_BYTES) {
      if (this.#queue[0]!.job.isAlone && planned.length > 0) break
      const queued = this.#queue.shift()!
      planned.push({ ...queued, settle: await planOne(queued, draft) })
      if (queued.job.isAlone) break
    }
    return planned
  }

  async #write(draft: Draft): Promise<boolean> {
    const stored = await draft.finish()
    const outcome = await this.#options.storage.append(draft.after, stored, draft.values)
    if (outcome.type === 'conflict') return false
    this.#options.advance(
      stored.map(({ bytes, firstPosition }) => ({
        block: decodeBlock(bytes, firstPosition),
        bytes: bytes.length,
      })),
    )
    return true
  }
}

async function planOne({ job, resolve, reject }: Queued, draft: Draft): Promise<() => void> {
  try {
    const answer = await job.plan(draft)
    return () => resolve(answer)
  } catch (refusal) {
    if (job.isAlone) draft.discardAll()
    else draft.discardStaged()
    return () => reject(refusal)
  }
}
