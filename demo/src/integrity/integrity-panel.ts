// Integrity: check the history, forge it, and see what the check finds. Long work shows its progress here.

import { html, nothing, render } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { filePicker } from '../file-picker.ts'
import type { Parts } from '../parts.ts'
import { Erased, erasedNews } from './erased.ts'
import { findings, forgeryNews } from './findings.ts'
import { historyOffer } from './history-file.ts'
import type { Work } from './integrity.ts'
import { keepCopy, putCopyBack, wipe } from './intruder.ts'
import { proofNews } from './proof.ts'
import { signatureNews } from './signature.ts'
import { verdictNews } from './verdicts.ts'

export function integrityPanel(
  host: HTMLElement,
  { integrity, store, page, notices }: Parts,
  onShow: (position: number) => void,
): void {
  const status = store.integrity()
  const sync = store.sync.status()
  const erased = new Erased({ store, page, notices })
  const acknowledge = (id: string): void => {
    store.acknowledgeVerdict(id).catch(error => notices.error(error))
  }
  const draw = (): void => {
    const { work, report, isHealed, tookMs, forgery, chosen, proof } = integrity.getSnapshot()
    const found = status.getSnapshot()
    const isBusy = work !== null
    const forging = forgery
      ? html`<button type="button" ?disabled=${isBusy} @click=${() => integrity.putRight()}>Put it right</button>`
      : html`<button type="button" class="danger" ?disabled=${isBusy} @click=${() => integrity.forge()}>Forge an event</button>`
    const panel = html`
      <h2>Integrity</h2>
      <p class="lead">Each event is sealed with a fingerprint of its words and of the event before it. Change one, and its seal breaks.</p>
      ${signatureNews(found)}
      ${erasedNews(erased.getSnapshot())}
      ${repeat(
        found.verdicts,
        ({ id }) => id,
        verdict => verdictNews(verdict, () => acknowledge(verdict.id)),
      )}
      <div class="buttons">
        <button type="button" class="primary" ?disabled=${isBusy} @click=${() => integrity.check()}>Check the history</button>
        ${forging}
        <button type="button" ?disabled=${isBusy} @click=${() => integrity.addMany()}>Add 10,000 events</button>
        <button type="button" ?disabled=${isBusy} @click=${() => integrity.saveHistory()}>Save the whole history</button>
      </div>
      <details class="intruder">
        <summary>Play the intruder</summary>
        <p>Each of these goes behind the store’s back, and opens the board anew. Nothing of it is lost on the server.</p>
        <div class="buttons">
          <button type="button" ?disabled=${isBusy} @click=${() => integrity.intrude(keepCopy)}>Keep a copy of the database</button>
          <button type="button" ?disabled=${isBusy} class="danger" @click=${() => integrity.intrude(putCopyBack)}>Put the old copy back</button>
          <button type="button" ?disabled=${isBusy} class="danger" @click=${() => integrity.intrude(wipe)}>Empty the database</button>
        </div>
      </details>
      ${filePicker({ label: 'Check a proof', accept: '.tlog-proof,text/plain', onPicked: file => integrity.checkProof(file) })}
      ${filePicker({ label: 'Open a saved history', accept: '.streamdingo', onPicked: file => integrity.choose(file) })}
      ${chosen && !work ? historyOffer({ file: chosen, pending: sync.getSnapshot().pending, onOpen: () => integrity.openHistory(chosen), onLeave: () => integrity.leave() }) : nothing}
      ${work && work.total > 0 ? progress(work, () => integrity.cancel()) : nothing}
      ${forgery && !report && !work ? forgeryNews(forgery) : nothing}
      ${report ? findings(report, tookMs, { onShow, onRestore: isHealed ? null : () => integrity.restore() }) : nothing}
      ${proof ? proofNews(proof) : nothing}
    `
    render(panel, host)
    host.dataset['found'] = report ? (report.ok ? 'genuine' : 'caught') : ''
  }
  integrity.subscribe(draw)
  status.subscribe(draw)
  sync.subscribe(draw)
  erased.subscribe(draw)
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
