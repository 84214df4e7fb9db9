// What a check found, in words for somebody who has never heard of a hash chain.

import { html, nothing } from 'lit'
import type { VerifyProblem, VerifyReport } from 'streamdingo'
import { fingerprint } from '../fingerprint.ts'
import type { Forgery } from './forgery.ts'

export function forgeryNews({ before, after }: Forgery) {
  return html`
    <div class="finding" data-kind="forged" role="status">
      <strong>One event was forged in this browser’s database.</strong>
      <p class="edit"><del>${before}</del> <ins>${after}</ins></p>
      <p>The store was not told, and the checksum of the stored block was mended, as a skilled forger would. Now check the history.</p>
    </div>
  `
}

export type WaysOn = Readonly<{
  onShow: (position: number) => void
  /** Null where all is as it was again. */
  onRestore: (() => void) | null
}>

export function findings(report: VerifyReport, tookMs: number, ways: WaysOn) {
  return report.ok ? genuine(report.events, tookMs) : caught(report, ways)
}

function genuine(events: number, tookMs: number) {
  const time = tookMs < 1000 ? `${Math.round(tookMs)} ms` : `${(tookMs / 1000).toFixed(1)} seconds`
  return html`
    <div class="finding" data-kind="genuine" role="status">
      <strong>The history is genuine.</strong>
      <p>${events.toLocaleString()} ${events === 1 ? 'event was' : 'events were'} read back from the disk and sealed again in ${time}. Every seal came out the same.</p>
    </div>
  `
}

function caught(report: Extract<VerifyReport, { ok: false }>, { onShow, onRestore }: WaysOn) {
  const { at, verified, problem, detail } = report
  const [stored, computed] = detail.match(/[0-9a-f]{64}/g) ?? []
  const before =
    verified === 1 ? 'One record before it is' : `The ${verified.toLocaleString()} records before it are`
  return html`
    <div class="finding" data-kind="caught" role="alert">
      <strong>Caught at position ${at.toLocaleString()} of the log.</strong>
      <p>${WORDS[problem]} ${verified > 0 ? `${before} as they were recorded.` : nothing}</p>
      ${
        problem === 'hash-mismatch' && stored && computed
          ? html`<dl class="seals">
              <div><dt>The seal made when it was recorded</dt><dd>${fingerprint(stored)}<code>${stored.slice(0, 12)}…</code></dd></div>
              <div><dt>The seal of what it says now</dt><dd>${fingerprint(computed)}<code>${computed.slice(0, 12)}…</code></dd></div>
            </dl>`
          : html`<p><code>${detail}</code></p>`
      }
      <p>To hide it, every later seal in this stream would have to be forged, too, and those on the server and on every other device.</p>
      <button type="button" class="link" @click=${() => onShow(at)}>Show it in the timeline</button>
      ${
        onRestore
          ? html`<button type="button" class="link" @click=${onRestore}>Begin anew from the server</button>`
          : html`<p class="healed">It has been put right: what was recorded stands there again.</p>`
      }
    </div>
  `
}

const WORDS: Readonly<Record<VerifyProblem, string>> = {
  'hash-mismatch':
    'What it says is not what was recorded: a seal is computed from the words, and these words give another one.',
  'broken-link': 'It does not follow the event before it: something was removed, added or swapped here.',
  gap: 'Events are missing here.',
  truncated: 'The end of the history was cut off.',
  unreadable: 'The stored bytes cannot be read as events.',
  'tree-mismatch': 'A note that the store keeps beside its events was forged. It has been made anew.',
  'erasure-mismatch':
    'What it says was taken out, and nothing here says that it was to be erased; or it was erased, and is back.',
  'checkpoint-mismatch': 'The history is not the one that this device has signed for.',
  'bad-signature': 'The last signature is not that of this device.',
}
