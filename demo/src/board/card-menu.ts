// The menu of a card: everything that dragging does, for keyboards and fingers, and what it does not.

import { html, nothing, render } from 'lit'
import { type Card, LABELS, type Label, TITLES } from '../domain/board.ts'
import type { BoardActions, Direction } from './board-actions.ts'

export type CardMenuParts = Readonly<{
  actions: BoardActions
  onOpen: (card: Card) => void
  /** The menu closes before the card is where it was sent. */
  onMoved: (card: Card) => void
}>

const STEPS: readonly (readonly [Direction, string, string])[] = [
  ['left', '←', 'Alt + ←'],
  ['right', '→', 'Alt + →'],
  ['up', '↑', 'Alt + ↑'],
  ['down', '↓', 'Alt + ↓'],
]

export class CardMenu {
  readonly #parts: CardMenuParts
  readonly #menu = document.createElement('div')

  constructor(parts: CardMenuParts) {
    this.#parts = parts
    this.#menu.className = 'popover menu'
    this.#menu.popover = 'auto'
    this.#menu.setAttribute('role', 'menu')
    this.#menu.addEventListener('keydown', event => this.#onKey(event))
    document.body.append(this.#menu)
  }

  open(card: Card, button: HTMLElement): void {
    this.#menu.setAttribute('aria-label', `“${card.title}”`)
    render(this.#items(card), this.#menu)
    this.#menu.showPopover()
    this.#placeAt(button)
    this.#focusables()[0]?.focus()
    this.#menu.addEventListener(
      'toggle',
      () => {
        if (this.#menu.contains(document.activeElement) || document.activeElement === document.body)
          button.focus()
      },
      { once: true },
    )
  }

  #items(card: Card) {
    const { actions, onOpen } = this.#parts
    return html`
      ${item('Open', '↵', () => this.#close(() => onOpen(card)))}
      <hr />
      ${STEPS.map(([direction, sign, keys]) => this.#step(card, direction, sign, keys))}
      <hr />
      <div class="labels" role="group" aria-label="Label">
        ${[null, ...LABELS].map(label => this.#label(card, label))}
      </div>
      <hr />
      ${item('Archive', '', () => this.#close(() => void actions.archive(card)))}
    `
  }

  #step(card: Card, direction: Direction, sign: string, keys: string) {
    const { actions, onMoved } = this.#parts
    const target = actions.target(card.id, direction)
    if (!target) return nothing
    const isAcross = direction === 'left' || direction === 'right'
    const move = async (): Promise<void> => {
      if (await actions.move(card, target.column, target.index)) onMoved(card)
    }
    const text = `Move ${isAcross ? `to ${TITLES[target.column]}` : direction}`
    return item(`${sign} ${text}`, keys, () => this.#close(() => void move()), text)
  }

  #label(card: Card, label: Label | null) {
    const choose = (): void => this.#close(() => void this.#parts.actions.label(card, label))
    return html`<button type="button" role="menuitemradio" aria-checked=${card.label === label} aria-label=${label ?? 'no label'} title=${label ?? 'no label'} data-label=${label ?? 'none'} @click=${choose}></button>`
  }

  #close(then: () => void): void {
    this.#menu.hidePopover()
    then()
  }

  /** Beneath its button, or above where there is no room. */
  #placeAt(button: HTMLElement): void {
    const [at, { width, height }] = [button.getBoundingClientRect(), this.#menu.getBoundingClientRect()]
    const left = Math.max(8, Math.min(at.right - width, innerWidth - width - 8))
    const top = at.bottom + 4 + height < innerHeight ? at.bottom + 4 : Math.max(8, at.top - height - 4)
    Object.assign(this.#menu.style, { left: `${left}px`, top: `${top}px` })
  }

  #focusables(): HTMLElement[] {
    return [...this.#menu.querySelectorAll('button')]
  }

  #onKey(event: KeyboardEvent): void {
    const buttons = this.#focusables()
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement)
    const next: Partial<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowRight: at + 1,
      ArrowUp: at - 1,
      ArrowLeft: at - 1,
      Home: 0,
      End: -1,
    }
    const to = next[event.key]
    if (event.key === 'Tab') this.#menu.hidePopover()
    if (to === undefined) return
    event.preventDefault()
    buttons.at(to % buttons.length)?.focus()
  }
}

function item(text: string, keys: string, run: () => void, name = text) {
  return html`<button type="button" role="menuitem" aria-label=${name} @click=${run}><span>${text}</span><kbd>${keys}</kbd></button>`
}
