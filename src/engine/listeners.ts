// Who is told of what happens to the log, in order. One listener's fault keeps neither the others nor the log from going on.

export class Listeners<T> {
  readonly #listeners = new Set<(news: T) => void>()
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  add(listener: (news: T) => void, signal?: AbortSignal): void {
    if (signal?.aborted) return
    this.#listeners.add(listener)
    signal?.addEventListener('abort', () => this.#listeners.delete(listener), { once: true })
  }

  tell(news: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(news)
      } catch (error) {
        this.#onError(error)
      }
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}
