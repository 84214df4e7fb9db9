// In which order the events of one stream count. The recorded stream is the frame: each version is a place, at which the
// event of that version stands, or none, or others before or behind it. Pure.

import { newVersionIn, type OrderChange } from '../../log/amendment.ts'
import type { StreamVersion } from '../../log/event.ts'

export class StreamOrder {
  /** What stands at places where it is not just the event of that version. */
  readonly #places = new Map<StreamVersion, readonly StreamVersion[]>()
  /** Where events are that do not stand at their own place. */
  readonly #displaced = new Map<StreamVersion, StreamVersion | null>()

  /** Versions of the events that stand at a place, in order. */
  at(place: StreamVersion): readonly StreamVersion[] {
    return this.#places.get(place) ?? [place]
  }

  /** The place of an event; null for one that does not count. */
  placeOf(version: StreamVersion): StreamVersion | null {
    const place = this.#displaced.get(version)
    return place === undefined ? version : place
  }

  /** The version is that of an amendment, and no event; or of an event that is still to be put in. */
  leaveOut(version: StreamVersion): void {
    this.#takeAway(version)
  }

  /**
   * Makes a change. One that names an event which does not count has no effect: it comes to the same on every replica.
   *
   * @returns places at which something else stands now, that of an event which is put in left out; null without effect
   */
  apply(change: OrderChange): readonly StreamVersion[] | null {
    const { version } = change
    const isKnown = change.kind === 'insert' || this.placeOf(version) !== null
    const after = 'after' in change ? change.after : null
    const goal = this.#goalOf(after, version)
    if (!isKnown || (after !== null && goal === null)) return null
    const added = newVersionIn(change)
    if (added !== null) this.#takeAway(added)
    if (change.kind === 'replace') {
      const place = this.placeOf(version)!
      this.#put(change.by, place, this.at(place).indexOf(version))
      this.#takeAway(version)
      return [place]
    }
    const from = change.kind === 'insert' ? null : this.placeOf(version)
    this.#takeAway(version)
    if (goal !== null) this.#put(version, goal, after === 0 ? 0 : this.at(goal).indexOf(after!) + 1)
    return [from, goal].filter(place => place !== null)
  }

  /** Where something is to stand that comes behind an event. */
  #goalOf(after: StreamVersion | null, version: StreamVersion): StreamVersion | null {
    if (after === null || after === version) return null
    return after === 0 ? 1 : this.placeOf(after)
  }

  #takeAway(version: StreamVersion): void {
    const place = this.placeOf(version)
    this.#displaced.set(version, null)
    if (place !== null)
      this.#places.set(
        place,
        this.at(place).filter(one => one !== version),
      )
  }

  #put(version: StreamVersion, place: StreamVersion, index: number): void {
    this.#places.set(place, this.at(place).toSpliced(index, 0, version))
    if (place === version) this.#displaced.delete(version)
    else this.#displaced.set(version, place)
  }
}
