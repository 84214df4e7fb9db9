// How far the history is signed by this device, and witnessed by the server.

import { html, nothing } from 'lit'
import type { IntegrityStatus } from 'streamdingo'
import { fingerprint } from '../fingerprint.ts'

export function signatureNews({ checkpoint, witnessed }: IntegrityStatus) {
  if (!checkpoint) return nothing
  const { size, rootHash, signing } = checkpoint
  const who = signing.status === 'signed' ? 'Signed by this device' : `Not signed: ${REASONS[signing.reason]}`
  return html`
    <p class="signature" data-signing=${signing.status}>
      ${fingerprint(rootHash)}
      <span>${who}, ${records(size)}${witnessed ? html`; witnessed by the server, <span data-testid="witnessed">${records(witnessed.size)}</span>` : nothing}</span>
    </p>
  `
}

const records = (size: number): string => (size === 1 ? 'one record' : `${size.toLocaleString()} records`)

const REASONS = {
  'switched-off': 'signatures are switched off',
  'no-ed25519': 'this browser cannot sign',
  'key-not-kept': 'this browser does not keep the key',
} as const
