// Smart replay: change a handler, as a next release of the app would, and see what is folded again.

import { html, nothing, render } from 'lit'
import type { ReplayReport } from 'streamdingo'
import type { Activity } from '../domain/activity.ts'
import type { Parts } from '../parts.ts'
import { Replaying } from './replaying.ts'

export function replayingPanel(host: HTMLElement, parts: Parts): void {
  const replaying = new Replaying(parts)
  const { release } = replaying
  const draw = (): void => {
    const { activity, report } = replaying.getSnapshot()
    const panel = html`
      <details ?open=${release !== ''}>
        <summary><h2>Smart replay</h2></summary>
        <p class="lead">What is shown is folded from events by handlers. Ship another handler, and only what it has touched is folded again.</p>
      ${activity ? shown(activity) : nothing}
      <div class="buttons">
        ${
          release === ''
            ? html`
                <button type="button" @click=${() => replaying.open('CardLabelled')}>Change the handler of labels</button>
                <button type="button" @click=${() => replaying.open('NoteAdded')}>Change the handler of notes</button>`
            : html`<button type="button" class="primary" @click=${() => replaying.open('')}>Take the change of ${release} back</button>`
        }
      </div>
      ${report ? news(report) : html`<p class="quiet-words">A short history is folded in no time: add 10,000 events above to see a difference.</p>`}
      </details>
    `
    render(panel, host)
  }
  replaying.subscribe(draw)
  draw()
}

const shown = ({ cards, notes, latest }: Activity) => html`
  <p class="activity" data-notes=${notes}>${counted(cards, 'card')}, ${counted(notes, 'note')}. Lately: ${latest}.</p>
`

const counted = (count: number, what: string): string =>
  `${count.toLocaleString()} ${what}${count === 1 ? '' : 's'}`

function news(report: ReplayReport) {
  const { replayed, total, reason } = report
  return html`
    <div class="finding" data-kind="replayed" data-reason=${reason} data-replayed=${replayed} role="status">
      <strong>${replayed.toLocaleString()} of ${counted(total, 'event')} ${replayed === 1 ? 'was' : 'were'} folded when this page was opened.</strong>
      <meter max=${total} value=${replayed} aria-label="Share of the history that was folded"></meter>
      <p>${inWords(report)}</p>
    </div>
  `
}

function inWords({ reason, from, stoppedAt, converged, changedTypes }: ReplayReport): string {
  const begin =
    from === 0 ? 'From the first event on' : `From the snapshot at event ${from.toLocaleString()} on`
  const types = (changedTypes ?? []).join(' or ')
  const end = converged
    ? ` At event ${stoppedAt.toLocaleString()} the state was what it had been, and nothing ahead is folded otherwise now: the old snapshots behind are right again.`
    : ''
  switch (reason) {
    case 'handler-changed':
      return from === 0
        ? `${begin}: no older snapshot is without a ${types}, whose handler is another one now.${end}`
        : `${begin}: before it there is no ${types}, whose handler is another one now.${end}`
    case 'tail':
      return 'Every handler is what it was: the newest snapshot still holds.'
    case 'no-snapshot':
      return 'There was no snapshot yet.'
    case 'history-changed':
      return `${begin}: what came behind has moved, or was erased.`
    case 'history-amended':
      return `${begin}: history was amended behind it.${end}`
    case 'snapshot-damaged':
      return `${begin}: a newer snapshot was not what had been written.`
  }
}
