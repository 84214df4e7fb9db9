// Who is told of changes of the log, in order. One listener's fault keeps neither the others nor the writer from going on.

import type { LogChange } from './event-log.ts'

export type ChangeListener = (change: LogChange) => void

export class ChangeListeners {
  readonly #listeners = new Set<ChangeListener>()
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  add(listener: ChangeListener, signal?: AbortSignal): void {
    if (signal?.aborted) return
    this.#listeners.add(listener)
    signal?.addEventListener('abort', () => this.#listeners.delete(listener), { once: true })
  }

  tell(change: LogChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change)
      } catch (error) {
        this.#onError(error)
      }
    }
  }

  clear(): void {
    this.#listeners.clear()
  }
}
