// The rules of one sync loop as they show on the wire: those of the docblock of `step` that a network can see.

import { holds } from './violation.ts'

export class RequestRules {
  readonly #name: string
  readonly #now: () => number
  #open = 0
  #isOnline = true
  #isOver = false
  #hasReachedEnd = false
  /** When a request failed, until the application acts. */
  #failedAt: number | null = null

  constructor(name: string, now: () => number) {
    this.#name = name
    this.#now = now
  }

  setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline
    this.#failedAt = null
  }

  poked(): void {
    this.#failedAt = null
  }

  over(): void {
    this.#isOver = true
  }

  begins(isPush: boolean): void {
    holds(this.#open === 0, () => `sync 1: ${this.#name} has two requests under way`)
    holds(this.#isOnline && !this.#isOver, () => `sync 2: ${this.#name} requests while it must be quiet`)
    holds(
      !isPush || this.#hasReachedEnd,
      () => `sync 3: ${this.#name} pushes before it has pulled to the end`,
    )
    holds(this.#failedAt !== this.#now(), () => `sync 5: ${this.#name} tries again at once`)
    this.#open++
    this.#hasReachedEnd = false
  }

  /** Until its body is read, or it is given up. */
  ended(): void {
    this.#open--
  }

  reachedEnd(): void {
    this.#hasReachedEnd = true
  }

  failed(): void {
    // Who went offline in the meantime gave it up itself.
    if (this.#isOnline) this.#failedAt = this.#now()
  }
}
