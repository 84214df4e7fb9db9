// The rules of one sync loop as they show on the wire: those of the docblock of `step` that a network can see.

import { holds, type Watch } from './violation.ts'

export type RequestRulesParts = Readonly<{
  name: string
  now: () => number
  /** How far the device has the server's log, by what is stored. */
  position: () => number
  watch: Watch
}>

export class RequestRules {
  readonly #parts: RequestRulesParts
  #open = 0
  #isOnline = true
  #isOver = false
  /** The end of the server's log, as the request before told it; null where it was no pull. */
  #end: number | null = null
  /** When a request failed, until the application acts. */
  #failedAt: number | null = null

  constructor(parts: RequestRulesParts) {
    this.#parts = parts
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
    const { name, now, position, watch } = this.#parts
    watch(() => {
      holds(this.#open === 0, () => `sync 1: ${name} has two requests under way`)
      holds(this.#isOnline && !this.#isOver, () => `sync 2: ${name} requests while it must be quiet`)
      // Another tab may have taken in what lay between.
      const isThrough = this.#end !== null && this.#end <= position()
      holds(!isPush || isThrough, () => `sync 3: ${name} pushes before it has pulled to the end`)
      holds(this.#failedAt !== now(), () => `sync 5: ${name} tries again at once`)
    })
    this.#open++
    this.#end = null
  }

  /** Until its body is read, or it is given up. */
  ended(): void {
    this.#open--
  }

  toldOf(end: number): void {
    this.#end = end
  }

  /** The server took a push. */
  accepted(meantFor: string, epoch: string): void {
    const { name, watch } = this.#parts
    watch(() =>
      holds(meantFor === epoch, () => `10: what ${name} meant for another log was taken into this one`),
    )
  }

  /** By the server, or by what stands before it and says less of itself. */
  tooLarge(body: string): void {
    const { name, watch } = this.#parts
    // No commit of a run is larger than the least that a server takes.
    watch(() => holds(!body.includes('"too-large"'), () => `sync 7: ${name} pushes more than it was told`))
  }

  failed(): void {
    // Who went offline in the meantime gave it up itself.
    if (this.#isOnline) this.#failedAt = this.#parts.now()
  }
}
