// Short messages at the foot of the page: what was refused, and why.

import { html, render } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { isStoreError } from 'streamdingo'

type Notice = Readonly<{ id: number; text: string; detail: string; onDismiss: () => void }>

const SHOWN_MS = 8_000

export class Notices {
  #host: HTMLElement | null = null
  #notices: readonly Notice[] = []
  #lastId = 0

  mount(host: HTMLElement): void {
    this.#host = host
    this.#render()
  }

  /** Shows an error with its way out, for a while. */
  error(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    const detail = isStoreError(error) && error.code !== 'command-refused' ? error.recovery : ''
    const id = this.#show({ text, detail, onDismiss: () => {} })
    setTimeout(() => this.#dismiss(id), SHOWN_MS)
  }

  /** Stays until somebody dismisses it. */
  keep(text: string, detail: string, onDismiss: () => void): void {
    this.#show({ text, detail, onDismiss })
  }

  #show(notice: Omit<Notice, 'id'>): number {
    const id = ++this.#lastId
    this.#notices = [...this.#notices, { ...notice, id }]
    this.#render()
    return id
  }

  #dismiss(id: number): void {
    const notice = this.#notices.find(one => one.id === id)
    if (!notice) return
    this.#notices = this.#notices.filter(one => one.id !== id)
    notice.onDismiss()
    this.#render()
  }

  #render(): void {
    if (!this.#host) return
    const row = ({ id, text, detail }: Notice) => html`
      <div class="notice">
        <div><strong>${text}</strong>${detail ? html`<p>${detail}</p>` : null}</div>
        <button type="button" aria-label="Dismiss" @click=${() => this.#dismiss(id)}>✕</button>
      </div>
    `
    render(
      repeat(this.#notices, ({ id }) => id, row),
      this.#host,
    )
  }
}
