// Dragging cards with mouse, pen or finger, by pointer events.

import type { ColumnId } from './domain/board.ts'

/** A press must move this far to be a drag and not a click. */
const THRESHOLD_PX = 6

export function dragging(
  host: HTMLElement,
  onMove: (cardId: string, column: ColumnId, index: number) => void,
): void {
  host.addEventListener('pointerdown', pressed => {
    const card = (pressed.target as Element).closest<HTMLElement>('.card')
    if (!card || pressed.button !== 0 || (pressed.target as Element).closest('.actions')) return
    // Touch scrolls; only a press that is held on the card itself is a drag there.
    if (pressed.pointerType === 'touch') return
    trackDrag(host, card, pressed, onMove)
  })
}

function trackDrag(
  host: HTMLElement,
  card: HTMLElement,
  pressed: PointerEvent,
  onMove: (cardId: string, column: ColumnId, index: number) => void,
): void {
  const ended = new AbortController()
  const { signal } = ended
  let place: { column: HTMLElement; index: number } | null = null
  let isDragging = false

  const finish = (): void => {
    ended.abort()
    card.style.transform = ''
    card.classList.remove('dragged')
    for (const column of host.querySelectorAll('.column')) column.classList.remove('target')
  }

  host.ownerDocument.addEventListener(
    'pointermove',
    event => {
      const [x, y] = [event.clientX - pressed.clientX, event.clientY - pressed.clientY]
      isDragging ||= Math.hypot(x, y) > THRESHOLD_PX
      if (!isDragging) return
      event.preventDefault()
      card.classList.add('dragged')
      card.style.transform = `translate(${x}px, ${y}px) rotate(1.5deg)`
      place = placeAt(host, card, event)
      for (const column of host.querySelectorAll('.column'))
        column.classList.toggle('target', column === place?.column)
    },
    { signal },
  )
  host.ownerDocument.addEventListener(
    'pointerup',
    () => {
      finish()
      if (!isDragging) return
      // The click that follows a drag would open the card.
      card.addEventListener('click', event => event.stopPropagation(), { capture: true, once: true })
      if (place) onMove(card.dataset['card']!, place.column.dataset['column'] as ColumnId, place.index)
    },
    { signal },
  )
  host.ownerDocument.addEventListener('pointercancel', finish, { signal })
}

/** The column under the pointer, and how many of its other cards lie above. */
function placeAt(host: HTMLElement, card: HTMLElement, { clientX, clientY }: PointerEvent) {
  const column = [...host.querySelectorAll<HTMLElement>('.column')].find(one => {
    const { left, right, top, bottom } = one.getBoundingClientRect()
    return clientX >= left && clientX <= right && clientY >= top && clientY <= bottom
  })
  if (!column) return null
  const others = [...column.querySelectorAll<HTMLElement>('.card')].filter(one => one !== card)
  const index = others.filter(one => {
    const { top, height } = one.getBoundingClientRect()
    return top + height / 2 < clientY
  }).length
  return { column, index }
}
