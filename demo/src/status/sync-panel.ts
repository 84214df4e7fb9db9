// Sync in the page's head: a button that says where it stands, what lies behind it, and the offline switch.

import { html, nothing, render } from 'lit'
import type { Parts } from '../parts.ts'
import { otherDevice } from '../replica.ts'
import { roomInWords } from './room-words.ts'
import { explain, PHASES, timeAgo, timeUntil } from './sync-words.ts'
import { WorkOffline } from './work-offline.ts'

/** “12 seconds ago” grows old, and “in 4 seconds” sooner. */
const REDRAW_MS = 1_000

export function syncPanel(host: HTMLElement, parts: Parts): void {
  const { store, replica, notices } = parts
  const status = store.sync.status()
  const room = store.storage()
  const workOffline = new WorkOffline(parts)

  const toggle = (): void => workOffline.set(!workOffline.getSnapshot())
  const syncNow = (): void => {
    store.sync.poke().catch(error => notices.error(error))
  }
  const draw = (): void => {
    const isOffline = workOffline.getSnapshot()
    const now = status.getSnapshot()
    const { pending, oldestPendingAt, error, lastContactAt, retryAt } = now
    const phase = isOffline ? 'offline' : now.phase
    const contact = lastContactAt === null ? 'none yet' : timeAgo(lastContactAt, Date.now())
    const panel = html`
      <button type="button" class="status" data-phase=${phase} popovertarget="sync-details" aria-label="Sync: ${PHASES[phase]}, ${pending} waiting">
        <span class="dot" aria-hidden="true"></span>
        <span data-testid="phase">${PHASES[phase]}</span>
        ${phase === 'waiting' && retryAt !== null ? html`<span class="retry" data-testid="retry">next try ${timeUntil(retryAt, Date.now())}</span>` : nothing}
        <span class="pending" data-testid="pending">${pending > 0 ? `${pending.toLocaleString()} waiting` : ''}</span>
      </button>
      <div id="sync-details" class="popover" popover role="region" aria-label="Sync">
        <p>${explain({ ...now, phase })}</p>
        <dl>
          <div><dt>Waiting here</dt><dd>${pending.toLocaleString()}</dd></div>
          ${oldestPendingAt === null ? nothing : html`<div><dt>The oldest of them</dt><dd data-testid="oldest">${timeAgo(oldestPendingAt, Date.now())}</dd></div>`}
          <div><dt>Last contact</dt><dd data-testid="contact">${contact}</dd></div>
          <div><dt>Server’s log</dt><dd>${now.serverPosition.toLocaleString()} events</dd></div>
          ${now.unsentErasures === 0 ? nothing : html`<div><dt>Erasures to be sent</dt><dd>${now.unsentErasures.toLocaleString()}</dd></div>`}
          ${retryAt === null || isOffline ? nothing : html`<div><dt>Next try</dt><dd>${timeUntil(retryAt, Date.now())}</dd></div>`}
        </dl>
        ${roomInWords(room.getSnapshot())}
        ${error && !isOffline ? html`<p class="problem">${error.recovery} <small>${error.message}</small></p>` : nothing}
        <div class="popover-actions">
          <button type="button" ?disabled=${isOffline} @click=${syncNow}>Sync now</button>
          <a href=${otherDevice(replica)} target="_blank">Open ${replica.device === null ? 'a second' : 'the first'} device</a>
        </div>
      </div>
      <label class="switch">
        <input type="checkbox" role="switch" .checked=${isOffline} @change=${toggle} />
        <span>Work offline</span>
      </label>
    `
    render(panel, host)
  }
  status.subscribe(draw)
  workOffline.subscribe(draw)
  room.subscribe(draw)
  setInterval(draw, REDRAW_MS)
  draw()
}
