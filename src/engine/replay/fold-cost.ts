// What folding costs, measured.

/** Until something was measured; see docs/performance.md. */
const USUAL_MS_PER_EVENT = 0.002
/** Fewer say more about the waiting for the storage than about the events. */
const FEWEST_MEASURED = 100

export class FoldCost {
  #ms = 0
  #events = 0

  get msPerEvent(): number {
    return this.#events === 0 ? USUAL_MS_PER_EVENT : this.#ms / this.#events
  }

  /** Takes the time of a fold, reading included. `events` says how many it has read, once it has. */
  async measure<T>(fold: () => Promise<T>, events: () => number): Promise<T> {
    const [start, before] = [performance.now(), events()]
    const result = await fold()
    const read = events() - before
    if (read >= FEWEST_MEASURED) {
      this.#ms += performance.now() - start
      this.#events += read
    }
    return result
  }
}
