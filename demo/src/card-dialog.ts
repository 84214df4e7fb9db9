// One card: its title, its notes (a stream of their own), and the way to the archive.

import { html, render } from 'lit'
import { type NoteAdded, noteStream } from './domain/board.ts'
import type { Parts } from './parts.ts'

export class CardDialog {
  readonly #parts: Parts
  readonly #dialog = document.createElement('dialog')

  constructor(parts: Parts) {
    this.#parts = parts
    this.#dialog.className = 'card-dialog'
    document.body.append(this.#dialog)
  }

  open(cardId: string, title: string): void {
    const view = this.#parts.store.view('cardNotes', noteStream(cardId))
    const draw = () => render(this.#content(cardId, title, view.getSnapshot()?.state ?? []), this.#dialog)
    const unsubscribe = view.subscribe(draw)
    this.#dialog.addEventListener('close', unsubscribe, { once: true })
    draw()
    this.#dialog.showModal()
  }

  #content(cardId: string, title: string, notes: readonly { text: string; at: number }[]) {
    return html`
      <form @submit=${(event: SubmitEvent) => this.#rename(event, cardId, title)}>
        <label>Title <input name="title" maxlength="200" autocomplete="off" .value=${title} /></label>
        <button type="submit">Rename</button>
      </form>
      <h3>Notes</h3>
      <ul>
        ${notes.map(({ text, at }) => html`<li><p>${text}</p><time>${new Date(at).toLocaleString()}</time></li>`)}
        ${notes.length === 0 ? html`<li class="empty">No notes yet.</li>` : null}
      </ul>
      <form @submit=${(event: SubmitEvent) => this.#addNote(event, cardId)}>
        <label>New note <input name="text" maxlength="2000" autocomplete="off" /></label>
        <button type="submit">Add note</button>
      </form>
      <footer>
        <button type="button" class="danger" @click=${() => this.#archive(cardId)}>Archive card</button>
        <button type="button" @click=${() => this.#dialog.close()}>Close</button>
      </footer>
    `
  }

  async #rename(event: SubmitEvent, cardId: string, before: string): Promise<void> {
    event.preventDefault()
    const title = new FormData(event.currentTarget as HTMLFormElement).get('title') as string
    if (title !== before) await this.#board({ type: 'RenameCard', data: { cardId, title } })
    this.#dialog.close()
  }

  async #archive(cardId: string): Promise<void> {
    await this.#board({ type: 'ArchiveCard', data: { cardId } })
    this.#dialog.close()
  }

  async #addNote(event: SubmitEvent, cardId: string): Promise<void> {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const text = (new FormData(form).get('text') as string).trim()
    if (text === '') return
    const { store, boardId, notices } = this.#parts
    try {
      await store.appendToStream<NoteAdded>(noteStream(cardId), [
        { type: 'NoteAdded', data: { boardId, cardId, text } },
      ])
      form.reset()
    } catch (error) {
      notices.error(error)
    }
  }

  async #board(command: Parameters<Parts['store']['execute']>[2]): Promise<void> {
    const { store, boardId, notices } = this.#parts
    await store.execute('board', boardId, command).catch(error => notices.error(error))
  }
}
