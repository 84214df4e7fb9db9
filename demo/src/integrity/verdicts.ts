// What the store found out about its own database, in words for somebody who has never heard of a Merkle tree.

import { html } from 'lit'
import type { Finding, Verdict } from 'streamdingo'

export function verdictNews(verdict: Verdict, onAcknowledge: () => void) {
  const { finding, action, atRisk, foundAt } = verdict
  return html`
    <div class="finding" data-kind="caught" data-verdict=${finding} role="alert">
      <strong>${TITLES[finding]}</strong>
      <p>${WORDS[finding]}</p>
      <p>${whatIsLost(atRisk)} ${ACTIONS[action]}</p>
      <p><time>${new Date(foundAt).toLocaleString()}</time>: ${verdict.detail}</p>
      <button type="button" class="link" @click=${onAcknowledge}>Understood</button>
    </div>
  `
}

function whatIsLost({ events, unsynced, bytes }: Verdict['atRisk']): string {
  if (events === 0) return ''
  const size = bytes === null ? '' : ` (${bytes.toLocaleString()} bytes)`
  const lost =
    events === 1
      ? `One event${size} is concerned.`
      : `${events.toLocaleString()} events${size} are concerned.`
  if (unsynced === 0) return `${lost} The server has all of them.`
  return unsynced === 1
    ? `${lost} One of them was on no other device, and is gone.`
    : `${lost} ${unsynced.toLocaleString()} of them were on no other device, and are gone.`
}

const TITLES: Readonly<Record<Finding, string>> = {
  wiped: 'This browser’s database was emptied.',
  truncated: 'The end of this browser’s database was cut off.',
  'head-mismatch': 'This browser’s database is not the one that was here before.',
  damaged: 'This browser’s database was damaged.',
  'tree-damaged': 'A part of this browser’s proofs was damaged.',
  'snapshot-damaged': 'A saved result in this browser’s database was not what had been saved.',
  'behind-witness': 'This browser’s database went back in time.',
  forked: 'This browser’s database has gone two ways.',
  'server-inconsistent': 'The server contradicts itself.',
  'not-deterministic': 'A part of this page cannot be trusted.',
}

const WORDS: Readonly<Record<Finding, string>> = {
  wiped: 'It looked brand new, but a note beside it says how far it had come.',
  truncated: 'It looks whole, but a note beside it says that it went on from there.',
  'head-mismatch':
    'An older copy was put in its place, or its history was rewritten: a note beside it does not fit.',
  damaged: 'Some of it could not be read, or was not what had been recorded.',
  'tree-damaged': 'Sums over parts of the history did not fit the history itself.',
  'snapshot-damaged': 'It was not used: what you see was worked out again from the history.',
  'behind-witness': 'Everything in it fits together, but the server has witnessed more than there is now.',
  forked: 'Everything in it fits together, but the server has witnessed another history of this device.',
  'server-inconsistent': 'What it has signed is not what it gave out. Nothing of it is taken in any more.',
  'not-deterministic': 'The same history, played twice, came to two results.',
}

const ACTIONS: Readonly<Record<Verdict['action'], string>> = {
  healed: 'The server had the same entries, by their fingerprints: they stand in their places again.',
  'waits-for-server': 'It is put right as soon as the server can be reached.',
  'needs-restore': 'Nobody else has what was lost. What can be read goes on; “Begin anew” keeps all of that.',
  rebuilt: 'They were made anew.',
  'fetched-again': 'What the server has comes again by itself.',
  'went-on': 'The board goes on with what is left.',
  restored: 'What the server has comes again by itself; what could be read of the rest was kept.',
  'new-identity':
    'From now on this device signs under a new name, so that nobody takes one history for the other.',
  'sync-stopped': 'What is only here stays here.',
  untrusted: '',
}
