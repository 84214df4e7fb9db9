// Where sync stands, in words, and the switch that takes the board offline.

import { html, render } from 'lit'
import type { SyncPhase, SyncStatus } from 'streamdingo'
import type { Parts } from './parts.ts'

const WORDS: Readonly<Record<SyncPhase, string>> = {
  off: 'No server',
  follower: 'Synced by another tab',
  pulling: 'Syncing…',
  pushing: 'Syncing…',
  idle: 'Everything is synced',
  offline: 'Offline',
  waiting: 'Server not reached',
  stopped: 'Sync stopped',
}

export function statusBar(host: HTMLElement, { store, notices }: Parts): void {
  const status = store.sync.status()
  const told = new Set<string>()
  let isOnline = true

  const draw = () => render(bar(status.getSnapshot(), isOnline, toggle), host)
  const toggle = (): void => {
    isOnline = !isOnline
    store.sync.setOnline(isOnline).catch(error => notices.error(error))
    draw()
  }

  /** What the server's events made impossible is said once, and kept until it was read. */
  const tellRejections = async (): Promise<void> => {
    for (const { id, reason, command, events } of await store.rejections()) {
      if (told.has(id)) continue
      told.add(id)
      const what = command ? wordsOf(command.command) : `${events.length} events`
      const acknowledge = (): void => void store.acknowledgeRejection(id).catch(error => notices.error(error))
      notices.keep(`Could not be kept: ${what}`, `${reason.message}. Somebody else was first.`, acknowledge)
    }
  }

  let rejected = -1
  status.subscribe(() => {
    draw()
    const now = status.getSnapshot().rejected
    if (now === rejected) return
    rejected = now
    tellRejections().catch(error => notices.error(error))
  })
  draw()
  tellRejections().catch(error => notices.error(error))
}

function bar({ phase, pending, error, lastContactAt }: SyncStatus, isOnline: boolean, toggle: () => void) {
  const contact = lastContactAt
    ? `Last contact ${new Date(lastContactAt).toLocaleTimeString()}`
    : 'No contact yet'
  return html`
    <div class="status" data-phase=${phase} title=${contact}>
      <span class="dot" aria-hidden="true"></span>
      <span data-testid="phase">${WORDS[phase]}</span>
      <span class="pending" data-testid="pending">${pending > 0 ? `${pending.toLocaleString()} pending` : ''}</span>
      ${error ? html`<span class="why" title=${error.recovery}>${error.message}</span>` : null}
    </div>
    <label class="switch">
      <input type="checkbox" role="switch" .checked=${!isOnline} @change=${toggle} />
      <span>Work offline</span>
    </label>
  `
}

function wordsOf(command: unknown): string {
  const { type, data } = command as { type: string; data: { title?: string; column?: string } }
  return [
    type.replace(/(?!^)[A-Z]/g, letter => ` ${letter.toLowerCase()}`),
    data.title && `“${data.title}”`,
    data.column,
  ]
    .filter(Boolean)
    .join(' ')
}
