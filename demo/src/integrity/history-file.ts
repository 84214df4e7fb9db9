// A saved history that is to be opened: what becomes of what is here is said before.

import { html } from 'lit'

export type HistoryOffer = Readonly<{
  file: File
  /** Events that are on no server now. */
  pending: number
  onOpen: () => void
  onLeave: () => void
}>

export function historyOffer({ file, pending, onOpen, onLeave }: HistoryOffer) {
  return html`
    <div class="finding" data-kind="forged" role="status">
      <strong>Open ${file.name}?</strong>
      <p>${lossInWords(pending)} It is checked first: a file that was changed is not opened.</p>
      <div class="buttons">
        <button type="button" class="primary" @click=${onOpen}>Open it</button>
        <button type="button" @click=${onLeave}>Leave it</button>
      </div>
    </div>
  `
}

function lossInWords(pending: number): string {
  const place = 'It takes the place of what this browser has of the board.'
  if (pending === 0) return `${place} The server has all of that.`
  const events = pending === 1 ? 'One event that is' : `${pending.toLocaleString()} events that are`
  return `${place} ${events} only here would be lost.`
}
