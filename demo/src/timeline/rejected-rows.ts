// What was done here and could not be kept: above the timeline, since it is in the log no more.

import { html } from 'lit'
import type { Rejection } from 'streamdingo'
import type { Board } from '../domain/board.ts'
import { type DemoEvent, eventInWords } from '../words.ts'

export function rejectedRows(rejections: readonly Rejection[], board: Board | undefined) {
  return html`
    <ol class="rejected" aria-label="Could not be kept">
      ${rejections.map(rejection => rejection.events.map(event => row(rejection, event, board)))}
    </ol>
  `
}

type RejectedEvent = Rejection['events'][number]

function row({ reason }: Rejection, event: RejectedEvent, board: Board | undefined) {
  // Null where it was erased meanwhile.
  const what = event.data === null ? 'what it said was erased' : eventInWords(event as DemoEvent, board)
  return html`
    <li class="event" data-status="rejected">
      <p class="event-what"><strong>${event.type}</strong> ${what}</p>
      <p class="event-why">${reason.message}</p>
      <span class="badge">rejected</span>
    </li>
  `
}
