// A value that changes, in the form that React's useSyncExternalStore and its like take.

export interface Readable<T> {
  /** The same reference until the value changes. */
  readonly getSnapshot: () => T
  /** Calls `listener` after each change, until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void
}

/** A {@link Readable} with its owner's side. The functions are bound: they are handed on bare. */
export class Cell<T> implements Readable<T> {
  #value: T
  readonly #listeners = new Set<{ notify: () => void }>()

  constructor(value: T) {
    this.#value = value
  }

  readonly getSnapshot = (): T => this.#value

  readonly subscribe = (listener: () => void): (() => void) => {
    // Of its own, so that one function subscribed twice is called twice and each way out ends its own.
    const entry = { notify: listener }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    this.notify()
  }

  notify(): void {
    for (const { notify } of [...this.#listeners]) callSafely(notify)
  }
}

/** A listener that throws is an uncaught error of the page, and no reason to leave out the next one. */
export function callSafely(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
