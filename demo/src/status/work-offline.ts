// The offline switch. It is kept for the next visit, and the same in all tabs of this device.

import type { Readable } from 'streamdingo'
import { Cell } from '../cell.ts'
import type { Parts } from '../parts.ts'

export class WorkOffline implements Readable<boolean> {
  readonly #parts: Pick<Parts, 'store' | 'notices'>
  readonly #key: string
  readonly #isOffline: Cell<boolean>
  readonly getSnapshot: () => boolean
  readonly subscribe: (listener: () => void) => () => void

  constructor({ store, notices, replica }: Pick<Parts, 'store' | 'notices' | 'replica'>) {
    this.#parts = { store, notices }
    this.#key = `${replica.database}/offline`
    this.#isOffline = new Cell(localStorage.getItem(this.#key) !== null)
    this.getSnapshot = this.#isOffline.getSnapshot
    this.subscribe = this.#isOffline.subscribe
    if (this.getSnapshot()) this.#apply()
    this.#followOtherTabs()
    this.#followWorker()
  }

  set(isOffline: boolean): void {
    if (isOffline) localStorage.setItem(this.#key, 'yes')
    else localStorage.removeItem(this.#key)
    this.#isOffline.set(isOffline)
    this.#apply()
  }

  #apply(): void {
    const { store, notices } = this.#parts
    store.sync.setOnline(!this.getSnapshot()).catch(error => notices.error(error))
  }

  #followOtherTabs(): void {
    // Fires in the other tabs only, and the one that was switched has told the store.
    window.addEventListener('storage', ({ key, newValue }) => {
      if (key === this.#key) this.#isOffline.set(newValue !== null)
    })
  }

  /** A worker that replaces one that died begins online. */
  #followWorker(): void {
    const health = this.#parts.store.health()
    let { restarts } = health.getSnapshot()
    health.subscribe(() => {
      const now = health.getSnapshot()
      if (now.phase !== 'ready' || now.restarts === restarts) return
      restarts = now.restarts
      if (this.getSnapshot()) this.#apply()
    })
  }
}
