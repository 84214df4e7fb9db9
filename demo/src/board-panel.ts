// The board: columns of cards, moved by dragging or by the buttons on each card.

import { html, nothing, render } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { CardDialog } from './card-dialog.ts'
import {
  type BoardCommand,
  type BoardPage,
  type Card,
  COLUMNS,
  type ColumnId,
  TITLES,
} from './domain/board.ts'
import { dragging } from './dragging.ts'
import type { Parts } from './parts.ts'

export function boardPanel(host: HTMLElement, parts: Parts): void {
  const { store, boardId, notices } = parts
  const view = store.view('boardPage', boardId)
  const dialog = new CardDialog(parts)

  const execute = async (command: BoardCommand): Promise<boolean> => {
    try {
      await store.execute('board', boardId, command)
      return true
    } catch (error) {
      notices.error(error)
      return false
    }
  }
  const move = (cardId: string, column: ColumnId, index: number) =>
    void execute({ type: 'MoveCard', data: { cardId, column, index } })

  const add = async (column: ColumnId, submitted: SubmitEvent): Promise<void> => {
    submitted.preventDefault()
    const form = submitted.currentTarget as HTMLFormElement
    const title = new FormData(form).get('title') as string
    if (title.trim() === '') return
    const isAdded = await execute({ type: 'AddCard', data: { cardId: crypto.randomUUID(), title, column } })
    if (isAdded) form.reset()
  }

  const changeLimit = (column: ColumnId, limit: number | null) =>
    void execute({ type: 'SetLimit', data: { column, limit } })

  const card = (column: ColumnId, { id, title }: Card, page: BoardPage) => {
    const at = COLUMNS.indexOf(column)
    const step = (by: -1 | 1, label: string, sign: string) => {
      const to = COLUMNS[at + by]
      return to
        ? html`<button type="button" aria-label="${label} “${title}” to ${TITLES[to]}" @click=${() => move(id, to, page.board.columns[to].length)}>${sign}</button>`
        : nothing
    }
    const notes = page.notes[id] ?? 0
    return html`
      <li class="card" data-card=${id}>
        <button type="button" class="title" @click=${() => dialog.open(id, title)}>${title}</button>
        <div class="actions">
          ${notes > 0 ? html`<span class="notes" title="Notes">✎ ${notes}</span>` : nothing}
          ${step(-1, 'Move', '←')} ${step(1, 'Move', '→')}
        </div>
      </li>
    `
  }

  const columnOf = (column: ColumnId, page: BoardPage) => {
    const cards = page.board.columns[column]
    const limit = page.board.limits[column]
    const isFull = limit !== null && cards.length >= limit
    return html`
      <section class="column" data-column=${column} aria-label=${TITLES[column]}>
        <header>
          <h2>${TITLES[column]}</h2>
          <span class="count" data-full=${isFull}>${cards.length}${limit === null ? '' : ` / ${limit}`}</span>
          <select aria-label="Limit of ${TITLES[column]}" @change=${(event: Event) => changeLimit(column, limitIn(event))}>
            ${[null, 1, 2, 3, 4, 5, 8].map(
              one =>
                html`<option value=${one ?? ''} ?selected=${one === limit}>${one === null ? 'no limit' : `limit ${one}`}</option>`,
            )}
          </select>
        </header>
        <ol>${repeat(
          cards,
          one => one.id,
          one => card(column, one, page),
        )}</ol>
        <form @submit=${(event: SubmitEvent) => add(column, event)}>
          <input name="title" maxlength="200" autocomplete="off" placeholder="Add a card" aria-label="New card in ${TITLES[column]}" />
          <button type="submit" aria-label="Add to ${TITLES[column]}">+</button>
        </form>
      </section>
    `
  }

  const draw = (): void => {
    const page = view.getSnapshot()?.state
    render(
      page ? COLUMNS.map(column => columnOf(column, page)) : html`<p class="empty">Opening the board…</p>`,
      host,
    )
  }
  view.subscribe(draw)
  draw()
  dragging(host, move)
}

function limitIn(event: Event): number | null {
  const { value } = event.target as HTMLSelectElement
  return value === '' ? null : Number(value)
}
