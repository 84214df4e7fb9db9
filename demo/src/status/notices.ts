// Short messages above the foot of the page: what was refused and why, what was done and how to take it back.

import { html, render } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { isStoreError } from 'streamdingo'

type NoticeAction = Readonly<{ label: string; run: () => void }>

export type NoticeContent = Readonly<{
  /** `problem` is read out at once, `news` when there is a pause. */
  kind: 'problem' | 'news'
  text: string
  detail?: string
  actions?: readonly NoticeAction[]
  onDismiss?: () => void
}>

type Notice = NoticeContent & Readonly<{ id: number }>

const SHOWN_MS = 8_000

export class Notices {
  /** A popover of the manual kind. */
  readonly #host: HTMLElement
  readonly #spoken: HTMLElement
  #notices: readonly Notice[] = []
  #lastId = 0

  /** `spoken`: a live region for what is seen elsewhere on the page, and only has to be said. */
  constructor(host: HTMLElement, spoken: HTMLElement) {
    this.#host = host
    this.#spoken = spoken
  }

  /** Shows an error with its way out, for a while. */
  error(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    const hasWayOut = isStoreError(error) && error.code !== 'command-refused'
    this.show({ kind: 'problem', text, ...(hasWayOut && { detail: error.recovery }) })
  }

  /** Goes by itself. */
  show(content: NoticeContent): void {
    const dismiss = this.keep(content)
    setTimeout(dismiss, SHOWN_MS)
  }

  /** Stays until the reader dismisses it, or the returned function does. */
  keep(content: NoticeContent): () => void {
    const id = ++this.#lastId
    this.#set([...this.#notices, { ...content, id }])
    this.#toTheTop()
    return () => this.#set(this.#notices.filter(notice => notice.id !== id))
  }

  say(text: string): void {
    this.#spoken.textContent = text
  }

  /** Above a dialog that is open: what was shown last lies highest. */
  #toTheTop(): void {
    this.#host.hidePopover()
    this.#host.showPopover()
  }

  #set(notices: readonly Notice[]): void {
    this.#notices = notices
    if (notices.length === 0) this.#host.hidePopover()
    const rows = repeat(
      notices,
      ({ id }) => id,
      notice => this.#row(notice),
    )
    render(rows, this.#host)
  }

  #row({ id, kind, text, detail, actions = [], onDismiss }: Notice) {
    const close = (): void => this.#set(this.#notices.filter(notice => notice.id !== id))
    const dismiss = (): void => {
      close()
      onDismiss?.()
    }
    const act = ({ run }: NoticeAction): void => {
      close()
      run()
    }
    return html`
      <div class="notice" data-kind=${kind} role=${kind === 'problem' ? 'alert' : 'status'}>
        <div class="notice-text">
          <strong>${text}</strong>
          ${detail ? html`<p>${detail}</p>` : null}
        </div>
        ${actions.map(
          action =>
            html`<button type="button" class="link" @click=${() => act(action)}>${action.label}</button>`,
        )}
        <button type="button" class="icon" aria-label="Dismiss" @click=${dismiss}>✕</button>
      </div>
    `
  }
}
