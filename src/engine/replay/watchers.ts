// Who wants to be told when a document changed.

export class Watchers {
  readonly #listeners = new Map<string, Set<() => void>>()

  get isEmpty(): boolean {
    return this.#listeners.size === 0
  }

  documentIds(): string[] {
    return [...this.#listeners.keys()]
  }

  add(documentId: string, onDirty: () => void, signal: AbortSignal): void {
    if (signal.aborted) return
    // The same function may watch twice, and end one of the two.
    const listener = () => onDirty()
    const listeners = this.#listeners.get(documentId) ?? new Set()
    this.#listeners.set(documentId, listeners.add(listener))
    signal.addEventListener('abort', () => this.#remove(documentId, listener), { once: true })
  }

  tell(documentIds: Iterable<string>): void {
    for (const documentId of documentIds) {
      for (const listener of this.#listeners.get(documentId) ?? []) listener()
    }
  }

  #remove(documentId: string, listener: () => void): void {
    const listeners = this.#listeners.get(documentId)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#listeners.delete(documentId)
  }
}
