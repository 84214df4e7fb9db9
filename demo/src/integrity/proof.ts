// A proof of one event, to give away and to check: without the board, and without a connection.

import { html } from 'lit'
import type { StoreClient } from 'streamdingo'
import { type ProofVerdict, verifyExportedProof } from 'streamdingo/integrity'
import type { DemoApp } from '../domain/app.ts'
import { saveFile } from '../save-file.ts'

/** Saves the proof as a file. */
export async function downloadProof(store: StoreClient<DemoApp>, eventId: string): Promise<void> {
  const text = await store.exportProof(eventId)
  saveFile(new Blob([text], { type: 'text/plain' }), `${eventId}.tlog-proof`)
}

/** Checks a file by the key of this device. */
export async function checkProof(store: StoreClient<DemoApp>, file: File): Promise<ProofVerdict> {
  const { signing } = await store.checkpoint()
  const keys = signing.status === 'signed' ? [signing.verifierKey] : []
  return verifyExportedProof(await file.text(), { keys })
}

export function proofNews(verdict: ProofVerdict) {
  const { isTrusted, holds, event, checks, checkpoint } = verdict
  const failed = checks.find(({ outcome }) => outcome === 'fails')
  const title = isTrusted
    ? 'The proof holds: this device has signed it.'
    : holds
      ? 'The proof holds, but who signed it is not known here.'
      : 'The proof does not hold.'
  return html`
    <div class="finding" data-kind=${isTrusted ? 'genuine' : 'caught'} role="status">
      <strong>${title}</strong>
      ${event ? html`<p>It shows “${event.type}”, recorded ${new Date(event.recordedAt).toLocaleString()}, among ${checkpoint!.size.toLocaleString()} records.</p>` : null}
      ${event?.content ? html`<pre>${JSON.stringify(event.content.data, null, 2)}</pre>` : null}
      ${failed ? html`<p>What is wrong: ${failed.detail}.</p>` : null}
    </div>
  `
}
