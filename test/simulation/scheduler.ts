// Decides what happens next. Whatever would take its time in the world (a call of a storage, a message) is parked here
// until it is its turn, and nothing else goes on meanwhile.

import type { FakeClock } from '../sync/fake-clock.ts'
import type { Random } from './random.ts'

/** What belongs to one that is dead never happens. */
export type Owner = Readonly<{ isAlive: boolean }>

type Parked = Readonly<{ label: string; owner: Owner; resume: () => void }>

/** How often time goes on while something waits for its turn: so requests run out of time. */
const TIME_PASSES = 0.04

/** The true one: a run replaces timers, not this. */
const turn = setImmediate

export class Scheduler {
  readonly clock: FakeClock
  /** What has happened, a line each. */
  readonly trace: string[] = []
  #parked: Parked[] = []
  #underWay = 0
  readonly #started: number

  constructor(clock: FakeClock) {
    this.clock = clock
    this.#started = clock.now()
  }

  /** How many things have happened. */
  get now(): number {
    return this.trace.length
  }

  get isIdle(): boolean {
    return this.#parked.length === 0
  }

  park(label: string, owner: Owner): Promise<void> {
    return new Promise(resume => this.#parked.push({ label, owner, resume }))
  }

  /** Nothing else happens until this is done, however many tasks it takes. */
  async whole<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay++
    try {
      return await work()
    } finally {
      this.#underWay--
    }
  }

  note(line: string): void {
    this.trace.push(`${this.clock.now() - this.#started} ${line}`)
  }

  /** Lets everything run that waits for nothing. */
  async settle(): Promise<void> {
    do await new Promise(resolve => turn(resolve))
    while (this.#underWay > 0)
    if (this.#parked.some(({ owner }) => !owner.isAlive)) {
      this.#parked = this.#parked.filter(({ owner }) => owner.isAlive)
    }
  }

  /** One thing happens, and all that follows from it at once. False when there is nothing left that could. */
  async step(random: Random): Promise<boolean> {
    if (this.isIdle || random.happens(TIME_PASSES)) {
      const wait = this.clock.waiting()[0]
      if (wait !== undefined) {
        this.note(`${wait} ms pass`)
        this.clock.advance(wait)
        await this.settle()
        return true
      }
      if (this.isIdle) return false
    }
    const [next] = this.#parked.splice(random.below(this.#parked.length), 1)
    this.note(next!.label)
    next!.resume()
    await this.settle()
    return true
  }
}
