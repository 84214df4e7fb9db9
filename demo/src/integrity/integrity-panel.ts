// Integrity: check the history, forge it, and see what the check finds. Long work shows its progress here.

import { html, nothing, render } from 'lit'
import { findings, forgeryNews } from './findings.ts'
import type { Integrity, Work } from './integrity.ts'

export function integrityPanel(
  host: HTMLElement,
  integrity: Integrity,
  onShow: (position: number) => void,
): void {
  const draw = (): void => {
    const { work, report, tookMs, forgery } = integrity.getSnapshot()
    const isBusy = work !== null
    const forging = forgery
      ? html`<button type="button" ?disabled=${isBusy} @click=${() => integrity.putRight()}>Put it right</button>`
      : html`<button type="button" class="danger" ?disabled=${isBusy} @click=${() => integrity.forge()}>Forge an event</button>`
    const panel = html`
      <h2>Integrity</h2>
      <p class="lead">Each event is sealed with a fingerprint of its words and of the event before it. Change one, and its seal breaks.</p>
      <div class="buttons">
        <button type="button" class="primary" ?disabled=${isBusy} @click=${() => integrity.check()}>Check the history</button>
        ${forging}
        <button type="button" ?disabled=${isBusy} @click=${() => integrity.addMany()}>Add 10,000 events</button>
      </div>
      ${work && work.total > 0 ? progress(work, () => integrity.cancel()) : nothing}
      ${forgery && !report && !work ? forgeryNews(forgery) : nothing}
      ${report ? findings(report, tookMs, onShow) : nothing}
    `
    render(panel, host)
    host.dataset['found'] = report ? (report.ok ? 'genuine' : 'caught') : ''
  }
  integrity.subscribe(draw)
  draw()
}

function progress({ name, done, total }: Work, onStop: () => void) {
  return html`
    <div class="progress">
      <label for="work">${name} <span>${done.toLocaleString()} of ${total.toLocaleString()}</span></label>
      <progress id="work" max=${total} .value=${done}></progress>
      <button type="button" class="link" @click=${onStop}>Stop</button>
    </div>
  `
}
