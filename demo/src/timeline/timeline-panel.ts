// The timeline: the events of all streams, newest first, and the chain that each of them hangs on.

import { html, nothing, render } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { RecordedEvent } from 'streamdingo'
import { boardStream } from '../domain/board.ts'
import type { Parts } from '../parts.ts'
import type { DemoEvent } from '../words.ts'
import { EventDialog } from './event-dialog.ts'
import { eventRow } from './event-row.ts'
import { lanesOf } from './lanes.ts'
import { LeftOut } from './left-out.ts'
import { rejectedRows } from './rejected-rows.ts'
import { Timeline } from './timeline.ts'

export type TimelinePanel = Readonly<{
  /** Scrolls to an event and puts the focus on it. */
  show: (position: number) => Promise<void>
}>

export function timelinePanel(host: HTMLElement, parts: Parts): TimelinePanel {
  const { page, integrity, replica } = parts
  const timeline = new Timeline(parts)
  const leftOut = new LeftOut(parts)
  const dialog = new EventDialog(parts, leftOut)
  const open = (event: RecordedEvent<DemoEvent>): void => dialog.open(event)

  const draw = (): void => {
    const { events, hasOlder, hasNewer, sent, rejections } = timeline.getSnapshot()
    const { report } = integrity.getSnapshot()
    const caughtAt = report && !report.ok ? report.at : null
    const lanes = lanesOf(
      events.map(({ metadata }) => metadata),
      boardStream(replica.boardId),
    )
    const row = (event: RecordedEvent<DemoEvent>, i: number) =>
      eventRow({
        event,
        lanes: lanes[i]!,
        board: page.getSnapshot()?.state.board,
        isSent: sent.has(event.metadata.eventId),
        isCaught: event.metadata.globalPosition === caughtAt,
        isLeftOut: leftOut.getSnapshot().has(event.metadata.eventId),
        onOpen: open,
      })
    const panel = html`
      <header>
        <h2>Timeline</h2>
        ${hasNewer ? html`<button type="button" class="link" @click=${() => timeline.showNewest()}>Back to the newest</button>` : nothing}
      </header>
      <p class="lead">Everything that ever happened, newest first. A line leads to the event that each one follows.</p>
 ${hasNewer || rejections.length === 0 ? nothing : rejectedRows(rejections, page.getSnapshot()?.state.board)}
      <ol class="events" data-more=${hasOlder || nothing}>${repeat(events, keyOf, row)}</ol>
      ${hasOlder ? html`<button type="button" class="more" @click=${() => timeline.showOlder()}>Show earlier events</button>` : nothing}
    `
    render(panel, host)
  }
  timeline.subscribe(draw)
  timeline.subscribe(() => dialog.update(timeline.getSnapshot().events))
  integrity.subscribe(draw)
  page.subscribe(draw)
  leftOut.subscribe(draw)
  draw()

  return {
    async show(position) {
      await timeline.show(position)
      const row = host.querySelector<HTMLElement>(`[data-position="${position}"]`)
      row?.scrollIntoView({ block: 'center' })
      row?.querySelector('button')?.focus({ preventScroll: true })
    },
  }
}

/** A rebased event keeps its id. */
const keyOf = ({ metadata }: RecordedEvent): string => metadata.eventId
