// The board: columns of cards, moved by dragging, by keys, or by each card's menu.

import { html, nothing, render } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { type Board, type Card, COLUMNS, type ColumnId, columnOf, findCard, TITLES } from '../domain/board.ts'
import { MAX_TITLE_LENGTH } from '../domain/board-decider.ts'
import type { BoardPage } from '../domain/board-page.ts'
import type { Parts } from '../parts.ts'
import { BoardActions, type Direction } from './board-actions.ts'
import { CardDialog } from './card-dialog.ts'
import { CardMenu } from './card-menu.ts'
import { dragging } from './dragging.ts'
import { Replay } from './replay.ts'

const LIMITS = [null, 1, 2, 3, 4, 5, 6, 8, 10]

const DIRECTIONS: Readonly<Record<string, Direction>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
}

/** Draws into `columns`; the controls of the replay go into `controls`. */
export class BoardPanel {
  readonly #host: HTMLElement
  readonly #parts: Parts
  readonly #actions: BoardActions
  readonly #dialog: CardDialog
  readonly #menu: CardMenu
  readonly #replay: Replay
  /** The card that was moved by keys or menu: it keeps the focus until that goes elsewhere. */
  #focusOn: string | null = null

  constructor({ columns, controls }: { columns: HTMLElement; controls: HTMLElement }, parts: Parts) {
    this.#host = columns
    this.#parts = parts
    this.#actions = new BoardActions(parts)
    this.#dialog = new CardDialog(parts, this.#actions)
    this.#menu = new CardMenu({
      actions: this.#actions,
      onOpen: card => this.#dialog.open(card),
      onMoved: card => this.#keepFocusOn(card),
    })
    this.#replay = new Replay(controls, parts, () => this.#draw())
    this.#letGoOfFocus()
    dragging(columns, ({ cardId, column, index }) => this.#drop(cardId, column, index))
    parts.page.subscribe(() => this.#draw())
    parts.pendingCards.subscribe(() => this.#draw())
    this.#draw()
  }

  /** Shows one card with its notes; nothing for a card that is not on the board. */
  open(cardId: string): void {
    const board = this.#parts.page.getSnapshot()?.state.board
    const card = board && columnOf(board, cardId) && findCard(board, cardId)
    if (card) this.#dialog.open(card)
  }

  #draw(): void {
    const present = this.#parts.page.getSnapshot()?.state
    const past = this.#replay.board()
    this.#host.inert = past !== null
    this.#host.classList.toggle('past', past !== null)
    if (!present) return
    const page: BoardPage = past ? { board: past, notes: {} } : present
    const columns = COLUMNS.map(column => this.#column(column, page))
    render(columns, this.#host)
    this.#restoreFocus()
  }

  #column(column: ColumnId, { board, notes }: BoardPage) {
    const cards = board.columns[column]
    const limit = board.limits[column]
    const row = (card: Card) => this.#card(card, notes[card.id] ?? 0)
    return html`
      <section class="column" data-column=${column} data-full=${isFull(board, column) || nothing} aria-label=${TITLES[column]}>
        <header>
          <h3>${TITLES[column]}</h3>
          <span class="count">${cards.length}${limit === null ? '' : ` / ${limit}`}</span>
          ${this.#limit(column, limit)}
        </header>
        <ol>${repeat(cards, ({ id }) => id, row)}</ol>
        <form @submit=${(event: SubmitEvent) => this.#add(event, column)}>
          <input name="title" maxlength=${MAX_TITLE_LENGTH} autocomplete="off" placeholder="Add a card" aria-label="New card in ${TITLES[column]}" />
          <button type="submit" aria-label="Add to ${TITLES[column]}">+</button>
        </form>
      </section>
    `
  }

  #limit(column: ColumnId, limit: number | null) {
    const change = (event: Event): void => {
      const select = event.target as HTMLSelectElement
      const wanted = select.value === '' ? null : Number(select.value)
      void this.#actions.limit(column, wanted).then(isSet => {
        if (!isSet) select.value = String(limit ?? '')
      })
    }
    const option = (one: number | null) =>
      html`<option value=${one ?? ''} .selected=${one === limit}>${one === null ? 'no limit' : `limit ${one}`}</option>`
    return html`<select aria-label="Limit of ${TITLES[column]}" @change=${change}>${LIMITS.map(option)}</select>`
  }

  #card(card: Card, notes: number) {
    const { id, title, label } = card
    const openMenu = (event: Event): void => this.#menu.open(card, event.currentTarget as HTMLElement)
    return html`
      <li class="card" data-card=${id} data-label=${label ?? nothing}>
        <button type="button" class="card-title" @click=${() => this.#dialog.open(card)} @keydown=${(event: KeyboardEvent) => this.#onKey(event, card)}>${title}</button>
        ${this.#parts.pendingCards.getSnapshot().has(id) ? html`<span class="unsent" role="img" title="On this device only, until the server confirms it" aria-label="Not on the server yet"></span>` : nothing}
        ${notes > 0 ? html`<span class="notes" title="Notes" aria-label="${notes} notes">✎ ${notes}</span>` : nothing}
        <button type="button" class="icon" data-no-drag aria-label="Actions for “${title}”" aria-haspopup="menu" @click=${openMenu}>⋯</button>
      </li>
    `
  }

  async #add(event: SubmitEvent, column: ColumnId): Promise<void> {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const title = String(new FormData(form).get('title') ?? '')
    if (title.trim() !== '' && (await this.#actions.add(column, title))) form.reset()
  }

  #drop(cardId: string, column: ColumnId, index: number): void {
    const board = this.#parts.page.getSnapshot()?.state.board
    const card = board && findCard(board, cardId)
    const isThere = board?.columns[column][index]?.id === cardId
    if (card && !isThere) void this.#actions.move(card, column, index)
  }

  #onKey(event: KeyboardEvent, card: Card): void {
    const direction = DIRECTIONS[event.key]
    if (!event.altKey || !direction) return
    event.preventDefault()
    void this.#actions.step(card, direction).then(isMoved => {
      if (isMoved) this.#keepFocusOn(card)
    })
  }

  /** A card that is drawn in another place is another element, and the focus of the old one is gone. */
  #keepFocusOn({ id }: Card): void {
    this.#focusOn = id
    this.#restoreFocus()
  }

  #restoreFocus(): void {
    if (this.#focusOn === null || document.activeElement !== document.body) return
    this.#host.querySelector<HTMLElement>(`[data-card="${CSS.escape(this.#focusOn)}"] .card-title`)?.focus()
  }

  #letGoOfFocus(): void {
    const release = ({ target }: Event): void => {
      const card = (target as Element).closest?.<HTMLElement>('[data-card]')
      if (card?.dataset['card'] !== this.#focusOn) this.#focusOn = null
    }
    document.addEventListener('focusin', release)
    document.addEventListener('pointerdown', release)
  }
}

function isFull(board: Board, column: ColumnId): boolean {
  const limit = board.limits[column]
  return limit !== null && board.columns[column].length >= limit
}
