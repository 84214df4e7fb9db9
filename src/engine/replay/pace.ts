// Keeps long folds from blocking their thread.

/** How long a fold may run before others get a turn, in milliseconds. */
const TURN_MS = 10

export class Pace {
  #since = performance.now()

  /** To be called between blocks, outside the inner loop. */
  async breathe(): Promise<void> {
    if (performance.now() - this.#since < TURN_MS) return
    await nextTask()
    this.#since = performance.now()
  }
}

/** Resolves when tasks that wait already, such as messages and timers, have had their turn. */
export function nextTask(): Promise<void> {
  // Browsers hold a nested setTimeout back for 4 ms; a message is not held back.
  const { port1, port2 } = new MessageChannel()
  return new Promise(resolve => {
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })
}
