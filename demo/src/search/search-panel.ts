// Search: the rows are in a database of the demo's own, which the worker keeps in step with the log.

import { liveQuery, type Subscription } from 'dexie'
import { html, nothing, render } from 'lit'
import { TITLES } from '../domain/board.ts'
import { type FoundCard, findCards, openSearch } from '../domain/card-search.ts'
import type { Parts } from '../parts.ts'

export function searchPanel(
  host: HTMLElement,
  { replica, notices }: Parts,
  onChosen: (cardId: string) => void,
): void {
  const db = openSearch(replica.database)
  let text = ''
  let query: Subscription | undefined

  const draw = (found: readonly FoundCard[] | null): void => {
    render(
      html`
        <search>
          <input type="search" placeholder="Search cards and notes" aria-label="Search cards and notes" autocomplete="off"
            @input=${(event: Event) => ask((event.target as HTMLInputElement).value)}
            @keydown=${(event: KeyboardEvent) => event.key === 'Escape' && close(event.target as HTMLInputElement)} />
          ${found ? results(found) : nothing}
        </search>
      `,
      host,
    )
  }

  const results = (found: readonly FoundCard[]) => html`
    <ul class="popover results" aria-label="Cards found">
      ${found.map(
        card => html`
          <li>
            <button type="button" class="quiet" ?disabled=${card.column === null} @click=${() => onChosen(card.id)}>
              <span>${card.title}</span>
              <small>${card.column === null ? 'archived' : TITLES[card.column]}${noteWith(card, text)}</small>
            </button>
          </li>
        `,
      )}
      ${found.length === 0 ? html`<li class="empty">No card has these words.</li>` : nothing}
    </ul>
  `

  /** Asked again by itself whenever the rows change, whoever changed them. */
  const ask = (wanted: string): void => {
    text = wanted
    query?.unsubscribe()
    if (wanted.trim() === '') {
      draw(null)
      return
    }
    query = liveQuery(() => findCards(db, wanted)).subscribe(draw, error => notices.error(error))
  }

  const close = (input: HTMLInputElement): void => {
    input.value = ''
    ask('')
  }

  draw(null)
}

/** The first note that has what was asked for. */
function noteWith({ notes }: FoundCard, text: string): string {
  const [word = ''] = text.trim().toLowerCase().split(/\s+/)
  const note = notes.find(one => one.toLowerCase().includes(word))
  return note === undefined ? '' : ` · ${note}`
}
