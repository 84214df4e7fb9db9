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

  /** Takes the time of a fold, reading included. It gives how many events it has read. */
  async measure(fold: () => Promise<number>): Promise<void> {
    const start = performance.now()
    const read = await fold()
    if (read < FEWEST_MEASURED) return
    this.#ms += performance.now() - start
    this.#events += read
  }
}
