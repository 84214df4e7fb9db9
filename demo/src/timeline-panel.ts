// The last events of the log as it stands: each with its hash, the one it links to, and whether the server has it.

import { html, nothing, render } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { RecordedEvent } from 'streamdingo'
import type { Parts } from './parts.ts'

const PAGE = 30
/** The log is read again at most this often while it changes. */
const REFRESH_MS = 120

export function timelinePanel(host: HTMLElement, { store, notices }: Parts): void {
  let shown = PAGE
  let events: readonly RecordedEvent[] = []
  let isReading = false
  let isDue = false

  const read = async (): Promise<void> => {
    const latest: RecordedEvent[] = []
    for await (const event of store.readAll({ direction: 'backwards', maxCount: shown + 1 }))
      latest.push(event)
    events = latest
    draw()
  }

  const refresh = async (): Promise<void> => {
    isDue = true
    if (isReading) return
    isReading = true
    while (isDue) {
      isDue = false
      await read().catch(error => notices.error(error))
      await new Promise(resolve => setTimeout(resolve, REFRESH_MS))
    }
    isReading = false
  }

  const more = (): void => {
    shown += PAGE
    void refresh()
  }

  const draw = () =>
    render(
      html`
        <h2>Timeline</h2>
        <p class="lead">Everything that happened, newest first. Each event carries the hash of the one before it in its stream.</p>
        <ol class="timeline">${repeat(events.slice(0, shown), keyOf, row)}</ol>
        ${events.length > shown ? html`<button type="button" class="more" @click=${more}>Show earlier events</button>` : nothing}
      `,
      host,
    )

  // A change of the log shows as an event, and a confirmation as a change of the sync status.
  store.subscribe(() => void refresh(), { from: 'end' }).catch(error => notices.error(error))
  store.sync.status().subscribe(() => void refresh())
  void refresh()
}

const keyOf = ({ metadata }: RecordedEvent): number => metadata.globalPosition

function row({ type, data, metadata }: RecordedEvent) {
  const { streamName, streamVersion, hash, previousHash, status, recordedAt, globalPosition } = metadata
  return html`
    <li data-status=${status} data-position=${globalPosition}>
      <div class="what"><strong>${type}</strong> <span>${summaryOf(data)}</span></div>
      <div class="where">${streamName} · version ${streamVersion} · <time>${new Date(recordedAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}</time></div>
      <div class="chain">
        <code title="Hash of this event: ${hash}">${hash.slice(0, 10)}</code>
        <span aria-hidden="true">⟵</span>
        <code title="Hash of the event before: ${previousHash}">${previousHash.slice(0, 10)}</code>
        <span class="badge">${status}</span>
      </div>
    </li>
  `
}

function summaryOf(data: unknown): string {
  const { title, text, column, limit } = data as {
    title?: string
    text?: string
    column?: string
    limit?: number | null
  }
  const words = [
    title ?? text,
    column && `→ ${column}`,
    limit !== undefined && (limit === null ? 'no limit' : `limit ${limit}`),
  ]
  return words.filter(Boolean).join(' ')
}
