// Verification, in words for somebody who has never heard of a hash chain, and the means to give it something to find.

import { html, nothing, render } from 'lit'
import type { VerifyProblem, VerifyReport } from 'streamdingo'
import { importNotes } from './import-notes.ts'
import type { Parts } from './parts.ts'
import { type Tampering, tamper, undoTampering } from './tamper.ts'

const WORDS: Readonly<Record<VerifyProblem, string>> = {
  'hash-mismatch': 'This event was changed after it was recorded.',
  'broken-link': 'This event does not follow the one before it: something was removed, added or swapped.',
  gap: 'Events are missing here.',
  truncated: 'The end of the log was cut off.',
  unreadable: 'The stored bytes cannot be read.',
}

type State = {
  task: null | { name: string; done: number; total: number }
  report: VerifyReport | null
  tampering: Tampering | null
}

export function integrityPanel(host: HTMLElement, { store, boardId, notices }: Parts): void {
  const state: State = { task: null, report: null, tampering: null }

  /** One long thing at a time, with its progress. */
  const run = async (
    name: string,
    work: (onProgress: (done: number, total: number) => void) => Promise<void>,
  ) => {
    if (state.task) return
    state.task = { name, done: 0, total: 0 }
    draw()
    try {
      await work((done, total) => {
        state.task = { name, done, total }
        draw()
      })
    } catch (error) {
      notices.error(error)
    }
    state.task = null
    draw()
  }

  const verify = () =>
    run('Verifying', async onProgress => {
      state.report = await store.verify({ onProgress: ({ verified, total }) => onProgress(verified, total) })
    })
  const change = () =>
    run('Tampering', async () => {
      state.report = null
      state.tampering = await tamper(boardId)
    })
  const undo = () =>
    run('Mending', async () => {
      if (state.tampering) await undoTampering(boardId, state.tampering)
      state.tampering = null
      state.report = null
    })
  const fill = () => run('Adding 10,000 notes', onProgress => importNotes(store, boardId, 10_000, onProgress))

  const draw = (): void => {
    const { task, report, tampering } = state
    const isBusy = task !== null
    render(
      html`
        <h2>Integrity</h2>
        <p class="lead">Every event is sealed with a hash that covers its content and the event before it.</p>
        <div class="buttons">
          <button type="button" class="primary" ?disabled=${isBusy} @click=${verify}>Verify the log</button>
          ${
            tampering
              ? html`<button type="button" ?disabled=${isBusy} @click=${undo}>Undo the tampering</button>`
              : html`<button type="button" class="danger" ?disabled=${isBusy} @click=${change}>Tamper with the log</button>`
          }
          <button type="button" ?disabled=${isBusy} @click=${fill}>Add 10,000 events</button>
        </div>
        ${task ? progress(task) : nothing}
        ${tampering && !report ? html`<p class="told">In the browser's database “${tampering.before}” now says “${tampering.after}”. No error was raised, and the block's own checksum was corrected too. Does the store notice?</p>` : nothing}
        ${report ? verdict(report) : nothing}
      `,
      host,
    )
  }
  draw()
}

function progress({ name, done, total }: NonNullable<State['task']>) {
  const value =
    total === 0 ? nothing : html`<span>${done.toLocaleString()} of ${total.toLocaleString()}</span>`
  return html`
    <div class="progress" role="status">
      <span>${name}…</span> ${value}
      <progress max=${total || 1} .value=${total === 0 ? 0 : done}></progress>
    </div>
  `
}

function verdict(report: VerifyReport) {
  if (report.ok) {
    return html`<div class="verdict good" role="status">
      <strong>The log is whole.</strong>
      <p>${report.events.toLocaleString()} events were hashed again, and each one fits the one before it.</p>
    </div>`
  }
  return html`<div class="verdict bad" role="alert">
    <strong>Found at position ${report.at}.</strong>
    <p>${WORDS[report.problem]} ${beforeIt(report.verified)}</p>
    <details><summary>What exactly</summary><code>${report.detail}</code></details>
  </div>`
}

function beforeIt(verified: number): string {
  if (verified === 0) return 'It is the first one.'
  return `The ${verified.toLocaleString()} before it are as they were recorded.`
}
