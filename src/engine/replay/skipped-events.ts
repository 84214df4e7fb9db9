// Events that a projection passes by since their handler fails on them and the application said to go on without: kept on
// this device, each with the hash of the handler, so that a mended one is tried again.

import { textOf, utf8 } from '../../log/bytes.ts'
import type { RecordedEvent } from '../../log/event.ts'
import type { SkippedEvent } from '../../model/projection-status.ts'
import { contentOf, sealedValue } from '../sealed-value.ts'
import type { FoldLog } from './fold.ts'
import type { FoldCode } from './fold-code.ts'

/** Those of one projection, as folds ask for them. */
export interface Skips {
  /** To be awaited before the first question. */
  ready(): Promise<void>
  has(event: RecordedEvent): boolean
}

export const NO_SKIPS: Skips = { ready: async () => {}, has: () => false }

type SkipLog = Pick<FoldLog, 'storage' | 'hash'>

type Skip = SkippedEvent & Readonly<{ handler: string | null }>

export class SkippedEvents implements Skips {
  readonly #log: SkipLog
  readonly #prefix: string
  readonly #code: FoldCode
  #skips: ReadonlyMap<string, Skip> = new Map()
  #reading: Promise<void> | null = null

  constructor(log: SkipLog, projection: string, code: FoldCode) {
    this.#log = log
    this.#prefix = `skip/${encodeURIComponent(projection)}/`
    this.#code = code
  }

  ready(): Promise<void> {
    this.#reading ??= this.#read().catch(error => {
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

  has({ type, metadata }: RecordedEvent): boolean {
    if (this.#skips.size === 0) return false
    const skip = this.#skips.get(metadata.eventId)
    return skip !== undefined && skip.handler === this.#code.hashOf(type)
  }

  /** Those that are passed by with today's handlers. */
  list(): SkippedEvent[] {
    return [...this.#skips.values()]
      .filter(({ type, handler }) => handler === this.#code.hashOf(type))
      .map(({ eventId, type, skippedAt }) => ({ eventId, type, skippedAt }))
  }

  async add({ eventId, type }: Pick<SkippedEvent, 'eventId' | 'type'>): Promise<void> {
    const skip: Skip = { eventId, type, skippedAt: Date.now(), handler: this.#code.hashOf(type) }
    const value = await sealedValue(utf8(JSON.stringify(skip)), this.#log.hash)
    await this.#log.storage.put({ [this.#prefix + eventId]: value })
    this.#skips = new Map(this.#skips).set(eventId, skip)
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
}
