// What was erased from the board, by whichever device, in words for people.

import { html, nothing } from 'lit'
import type { Erasure } from 'streamdingo'
import { Cell } from '../cell.ts'
import type { Parts } from '../parts.ts'

/** Follows the store: what another device erased comes with sync. */
export class Erased extends Cell<readonly Erasure[]> {
  constructor({ store, page, notices }: Pick<Parts, 'store' | 'page' | 'notices'>) {
    super([])
    const read = () =>
      store
        .erasures()
        .then(erasures => this.set(erasures))
        .catch(error => notices.error(error))
    page.subscribe(read)
    store.sync.status().subscribe(read)
    void read()
  }
}

export function erasedNews(erasures: readonly Erasure[]) {
  const count = erasures.reduce((sum, { eventIds }) => sum + eventIds.length, 0)
  if (count === 0) return nothing
  const events = count === 1 ? 'What one event said was' : `What ${count.toLocaleString()} events said was`
  return html`
    <details class="erased" data-count=${count}>
      <summary>${events} erased</summary>
      <p>It is gone here, and from the server and every other device once they have synced. That there was something stays, and so do all seals: the history can be checked as before.</p>
      <ul>
        ${erasures.map(
          ({ eventIds, erasedAt }) =>
            html`<li>${new Date(erasedAt).toLocaleString()}: ${eventIds.map(id => html`<code>${id}</code> `)}</li>`,
        )}
      </ul>
    </details>
  `
}
