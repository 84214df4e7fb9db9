// Keeps the head anchor of a log: read when it is compared, moved as the log grows, by one tab at a time.

import type { EventLog } from '../src/engine/event-log.ts'
import { anchorOf, type HeadAnchor, parseAnchor } from '../src/engine/recovery/head-anchor.ts'
import type { AnchorShelf } from './anchor-shelf.ts'
import { underBriefLock } from './web-lock.ts'

export type AnchorKeeperParts = Readonly<{
  log: EventLog
  /** Where what is stored can be known again; without it there is no anchor. */
  place: string | undefined
  shelf: AnchorShelf
  /** The anchor as it was before the log was read: asked for early, so that nobody waits for it. */
  anchorAtOpening: Promise<string | null>
}>

export class AnchorKeeper {
  readonly #parts: AnchorKeeperParts

  constructor(parts: AnchorKeeperParts) {
    this.#parts = parts
  }

  async atOpening(): Promise<HeadAnchor | null> {
    return anchorIn(await this.#parts.anchorAtOpening)
  }

  async read(): Promise<HeadAnchor | null> {
    const { place, shelf } = this.#parts
    return anchorIn(place === undefined ? null : await shelf.read(place))
  }

  /** Writes down where the log ends, unless another tab knows of more. */
  async move(): Promise<void> {
    if (this.#parts.place === undefined) return
    await this.inTurn(async () => {
      const anchor = await this.read()
      if ((anchor?.size ?? 0) <= this.#parts.log.head()) await this.write()
    })
  }

  /** Writes down where the log ends, whatever was known before. To be called {@link inTurn}. */
  async write(): Promise<void> {
    const { log, place, shelf } = this.#parts
    if (place !== undefined) await shelf.write(place, JSON.stringify(await anchorOf(log)))
  }

  /** One tab at a time. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return underBriefLock(`streamdingo:anchor:${this.#parts.place ?? ''}`, work)
  }
}

/** What stands on a shelf, if that is an anchor. */
export const anchorIn = (text: string | null): HeadAnchor | null => (text === null ? null : parseAnchor(text))
