// One card: its title, and its notes, which are a stream of their own.

import { html, nothing, render } from 'lit'
import type { Card } from '../domain/board.ts'
import { MAX_TITLE_LENGTH } from '../domain/board-decider.ts'
import { type NoteAdded, type Notes, noteStream } from '../domain/notes.ts'
import type { Parts } from '../parts.ts'
import type { BoardActions } from './board-actions.ts'

export class CardDialog {
  readonly #parts: Parts
  readonly #actions: BoardActions
  readonly #dialog = document.createElement('dialog')

  constructor(parts: Parts, actions: BoardActions) {
    this.#parts = parts
    this.#actions = actions
    this.#dialog.className = 'card-dialog'
    this.#dialog.setAttribute('aria-label', 'Card')
    document.body.append(this.#dialog)
  }

  open(card: Card): void {
    const view = this.#parts.store.view('cardNotes', noteStream(card.id))
    const draw = () => render(this.#content(card, view.getSnapshot()?.state ?? []), this.#dialog)
    const unsubscribe = view.subscribe(draw)
    this.#dialog.addEventListener('close', unsubscribe, { once: true })
    draw()
    this.#dialog.showModal()
  }

  #content(card: Card, notes: Notes) {
    return html`
      <form class="title-form" @submit=${(event: SubmitEvent) => this.#rename(event, card)}>
        <label>Title <input name="title" maxlength=${MAX_TITLE_LENGTH} autocomplete="off" required .value=${card.title} /></label>
        <button type="submit">Rename</button>
      </form>
      <h3>Notes</h3>
      <ul class="note-list">
        ${notes.map(({ text, at }) => html`<li><p>${text}</p><time>${new Date(at).toLocaleString()}</time></li>`)}
        ${notes.length === 0 ? html`<li class="empty">Nothing yet. Each note is an event in this card’s own stream.</li>` : nothing}
      </ul>
      <form @submit=${(event: SubmitEvent) => this.#addNote(event, card)}>
        <label>New note <input name="text" maxlength="2000" autocomplete="off" /></label>
        <button type="submit">Add note</button>
      </form>
      <footer>
        <button type="button" class="danger" @click=${() => this.#archive(card)}>Archive card</button>
        <button type="button" class="end" @click=${() => this.#dialog.close()}>Close</button>
      </footer>
    `
  }

  async #rename(event: SubmitEvent, card: Card): Promise<void> {
    const title = submitted(event, 'title')
    this.#dialog.close()
    if (title !== card.title) await this.#actions.rename(card, title)
  }

  #archive(card: Card): void {
    this.#dialog.close()
    void this.#actions.archive(card)
  }

  async #addNote(event: SubmitEvent, { id: cardId }: Card): Promise<void> {
    const text = submitted(event, 'text')
    if (text === '') return
    const form = event.currentTarget as HTMLFormElement
    const { store, replica, notices } = this.#parts
    const note: NoteAdded = { type: 'NoteAdded', data: { boardId: replica.boardId, cardId, text } }
    try {
      await store.appendToStream(noteStream(cardId), [note])
      form.reset()
    } catch (error) {
      notices.error(error)
    }
  }
}

/** What was written in a field, instead of sending the form. */
function submitted(event: SubmitEvent, field: string): string {
  event.preventDefault()
  return String(new FormData(event.currentTarget as HTMLFormElement).get(field) ?? '').trim()
}
