// Events that a projection passes by since their handler fails on them and the application said to go on without: kept on
// this device, each with the code that failed on it, so that a mended one is tried again.

import { textOf, utf8 } from '../../log/bytes.ts'
import type { RecordedEvent } from '../../log/event.ts'
import type { SkippedEvent } from '../../model/projection-status.ts'
import { contentOf, sealedValue } from '../sealed-value.ts'
import type { FoldLog } from './fold.ts'
import type { FoldCode } from './fold-code.ts'
import { TaskChain } from './task-chain.ts'

/** Those of one projection, as folds ask for them. */
export interface Skips {
  /** To be awaited before the first question. */
  ready(): Promise<void>
  has(event: RecordedEvent): boolean
}

export const NO_SKIPS: Skips = { ready: async () => {}, has: () => false }

type SkipLog = Pick<FoldLog, 'storage' | 'hash'>

/** An event that a handler failed on, as its error knows it. */
export type FailedOn = Pick<SkippedEvent, 'eventId' | 'type'> &
  Readonly<{
    /** What it was recorded as, where an upcaster made another type of it. */
    recordedType?: string
  }>

type Skip = SkippedEvent & Readonly<{ recordedType: string; code: string }>

export class SkippedEvents implements Skips {
  readonly #log: SkipLog
  readonly #prefix: string
  readonly #code: FoldCode
  #skips: ReadonlyMap<string, Skip> = new Map()
  #reading: Promise<void> | null = null
  readonly #turns = new TaskChain()

  constructor(log: SkipLog, projection: string, code: FoldCode) {
    this.#log = log
    this.#prefix = `skip/${encodeURIComponent(projection)}/`
    this.#code = code
  }

  ready(): Promise<void> {
    this.#reading ??= this.#turns
      .run(() => this.#read())
      .catch(error => {
        this.#reading = null
        throw error
      })
    return this.#reading
  }

  /** What another tab added is heard from then on. */
  readAgain(): Promise<void> {
    this.#reading = null
    return this.ready()
  }

  has({ metadata }: RecordedEvent): boolean {
    if (this.#skips.size === 0) return false
    const skip = this.#skips.get(metadata.eventId)
    return skip !== undefined && this.#isOfToday(skip)
  }

  /** Those that are passed by with today's handlers. */
  list(): SkippedEvent[] {
    return [...this.#skips.values()]
      .filter(skip => this.#isOfToday(skip))
      .map(({ eventId, type, skippedAt }) => ({ eventId, type, skippedAt }))
  }

  async add({ eventId, type, recordedType = type }: FailedOn): Promise<void> {
    const skip: Skip = {
      eventId,
      type,
      recordedType,
      skippedAt: Date.now(),
      code: this.#codeOf(recordedType),
    }
    const value = await sealedValue(utf8(JSON.stringify(skip)), this.#log.hash)
    // In turn: a read that began before would not know of it.
    await this.#turns.run(async () => {
      await this.#log.storage.put({ [this.#prefix + eventId]: value })
      this.#skips = new Map(this.#skips).set(eventId, skip)
    })
  }

  async #read(): Promise<void> {
    const skips = new Map<string, Skip>()
    for (const [, value] of await this.#log.storage.list(this.#prefix)) {
      const content = await contentOf(value, this.#log.hash)
      // One that is damaged is none: the projection stops there again.
      if (!content) continue
      const skip = JSON.parse(textOf(content)) as Skip
      skips.set(skip.eventId, skip)
    }
    this.#skips = skips
  }

  #isOfToday({ recordedType, code }: Skip): boolean {
    return code === this.#codeOf(recordedType)
  }

  /** All that an event of a type is folded by: it may have failed in what counts for every type. */
  #codeOf(type: string): string {
    return JSON.stringify([this.#code.base, this.#code.hashOf(type)])
  }
}
