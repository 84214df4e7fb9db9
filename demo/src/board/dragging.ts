// Dragging cards by mouse, pen or finger, with pointer events. A finger has to rest on the card first: until then it
// scrolls.

import type { ColumnId } from '../domain/board.ts'

export type Drop = Readonly<{ cardId: string; column: ColumnId; index: number }>

/** A press must move this far to be a drag and not a click. */
const THRESHOLD_PX = 6
const LONG_PRESS_MS = 280

/** `board` holds elements with `data-column`, which hold elements with `data-card`. */
export function dragging(board: HTMLElement, onDrop: (drop: Drop) => void): void {
  board.addEventListener('pointerdown', event => {
    const card = (event.target as Element).closest<HTMLElement>('[data-card]')
    const isHandle = !(event.target as Element).closest('[data-no-drag]')
    if (card && isHandle && event.button === 0 && event.isPrimary) new Press(board, card, event, onDrop)
  })
}

/** From the press to the release: a click, a scroll or a drag. */
class Press {
  readonly #board: HTMLElement
  readonly #card: HTMLElement
  readonly #start: PointerEvent
  readonly #onDrop: (drop: Drop) => void
  readonly #ended = new AbortController()
  #drag: Drag | null = null

  constructor(board: HTMLElement, card: HTMLElement, start: PointerEvent, onDrop: (drop: Drop) => void) {
    this.#board = board
    this.#card = card
    this.#start = start
    this.#onDrop = onDrop
    this.#listen()
  }

  #listen(): void {
    const { signal } = this.#ended
    const isTouch = this.#start.pointerType === 'touch'
    document.addEventListener('pointermove', event => this.#onMove(event, isTouch), { signal })
    document.addEventListener('pointerup', () => this.#end(true), { signal })
    document.addEventListener('pointercancel', () => this.#end(false), { signal })
    document.addEventListener(
      'keydown',
      event => {
        if (event.key === 'Escape') this.#end(false)
      },
      { signal },
    )
    if (!isTouch) return
    const timer = setTimeout(() => this.#lift(), LONG_PRESS_MS)
    signal.addEventListener('abort', () => clearTimeout(timer))
    // Once the card is lifted the finger no longer scrolls, and a long press opens no menu of the browser.
    const hold = (event: Event): void => {
      if (this.#drag) event.preventDefault()
    }
    this.#card.addEventListener('touchmove', hold, { signal, passive: false })
    this.#card.addEventListener('contextmenu', event => event.preventDefault(), { signal })
  }

  #onMove(event: PointerEvent, isTouch: boolean): void {
    const hasMoved =
      Math.hypot(event.clientX - this.#start.clientX, event.clientY - this.#start.clientY) > THRESHOLD_PX
    if (!this.#drag && hasMoved) {
      if (isTouch) this.#end(false)
      else this.#lift()
    }
    this.#drag?.moveTo(event.clientX, event.clientY)
  }

  #lift(): void {
    this.#drag = new Drag(this.#board, this.#card, this.#start.clientX, this.#start.clientY)
  }

  #end(isDropped: boolean): void {
    this.#ended.abort()
    if (!this.#drag) return
    // The click that follows a drag would open the card.
    const swallow = (event: Event): void => event.stopPropagation()
    this.#card.addEventListener('click', swallow, { capture: true, once: true })
    setTimeout(() => this.#card.removeEventListener('click', swallow, { capture: true }))
    const place = this.#drag.end()
    if (isDropped && place) this.#onDrop({ cardId: this.#card.dataset['card']!, ...place })
  }
}

type Place = Readonly<{ column: ColumnId; index: number }>

/** Near an edge the page scrolls along. By time, not by frames: on a slow device a card gets across as soon. */
const [EDGE_PX, SCROLL_PX_PER_MS] = [48, 0.6]
/** After a longer pause it does not leap. */
const LONGEST_FRAME_MS = 100

/** A lifted card: a picture of it under the pointer, and a mark where it would go. */
class Drag {
  readonly #board: HTMLElement
  readonly #card: HTMLElement
  readonly #picture: HTMLElement
  readonly #mark = document.createElement('div')
  readonly #grip: { x: number; y: number }
  #pointer: { x: number; y: number }
  #place: Place | null = null
  #frame: number

  constructor(board: HTMLElement, card: HTMLElement, x: number, y: number) {
    const { left, top, width } = card.getBoundingClientRect()
    this.#board = board
    this.#card = card
    this.#grip = { x: x - left, y: y - top }
    this.#pointer = { x, y }
    this.#picture = card.cloneNode(true) as HTMLElement
    this.#picture.classList.add('drag-picture')
    this.#picture.removeAttribute('data-card')
    this.#picture.inert = true
    this.#picture.style.width = `${width}px`
    this.#mark.className = 'drop-mark'
    document.body.append(this.#mark, this.#picture)
    document.documentElement.classList.add('dragging')
    card.classList.add('lifted')
    this.moveTo(x, y)
    this.#frame = this.#scrollAlongAfter(performance.now())
  }

  moveTo(x: number, y: number): void {
    this.#pointer = { x, y }
    this.#picture.style.translate = `${x - this.#grip.x}px ${y - this.#grip.y}px`
    const column = this.#columnAt(x, y)
    for (const one of this.#columns()) one.classList.toggle('target', one === column)
    this.#place = column && this.#placeIn(column, y)
  }

  end(): Place | null {
    cancelAnimationFrame(this.#frame)
    this.#picture.remove()
    this.#mark.remove()
    this.#card.classList.remove('lifted')
    document.documentElement.classList.remove('dragging')
    for (const column of this.#columns()) column.classList.remove('target')
    return this.#place
  }

  #columns(): HTMLElement[] {
    return [...this.#board.querySelectorAll<HTMLElement>('[data-column]')]
  }

  #columnAt(x: number, y: number): HTMLElement | null {
    const board = this.#board.getBoundingClientRect()
    if (y < board.top || y > board.bottom) return null
    const isOver = ({ left, right }: DOMRect): boolean => x >= left && x <= right
    return this.#columns().find(column => isOver(column.getBoundingClientRect())) ?? null
  }

  /** How many of the column's other cards lie above the pointer. */
  #placeIn(column: HTMLElement, y: number): Place {
    const cards = [...column.querySelectorAll<HTMLElement>('[data-card]')].filter(one => one !== this.#card)
    const boxes = cards.map(card => card.getBoundingClientRect())
    const index = boxes.filter(({ top, height }) => top + height / 2 < y).length
    const list = column.querySelector('ol')!.getBoundingClientRect()
    const [above, beneath] = [boxes[index - 1], boxes[index]]
    const at = above ? above.bottom + 3 : beneath ? beneath.top - 5 : list.top
    Object.assign(this.#mark.style, { left: `${list.left}px`, top: `${at}px`, width: `${list.width}px` })
    return { column: column.dataset['column'] as ColumnId, index }
  }

  #scrollAlongAfter(last: number): number {
    return requestAnimationFrame(now => {
      this.#scrollAlong(Math.max(0, Math.min(now - last, LONGEST_FRAME_MS)) * SCROLL_PX_PER_MS)
      this.#frame = this.#scrollAlongAfter(now)
    })
  }

  #scrollAlong(distance: number): void {
    const { x, y } = this.#pointer
    const down = y > innerHeight - EDGE_PX ? distance : y < EDGE_PX ? -distance : 0
    const box = this.#board.getBoundingClientRect()
    const across = x > box.right - EDGE_PX ? distance : x < box.left + EDGE_PX ? -distance : 0
    if (down !== 0) scrollBy(0, down)
    if (across !== 0) this.#board.scrollBy(across, 0)
    if (down !== 0 || across !== 0) this.moveTo(x, y)
  }
}
