// Tasks that must not overlap, one after the other.

export class TaskChain {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs a task behind all that came before it; whether those failed is of no concern to it. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task)
    this.#last = result.catch(() => {})
    return result
  }
}
