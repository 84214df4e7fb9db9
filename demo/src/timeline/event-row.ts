// One event in the timeline: what happened, its seal, and the seal of the event it follows.

import { html, nothing, svg } from 'lit'
import type { RecordedEvent } from 'streamdingo'
import type { Board } from '../domain/board.ts'
import { shortHash } from '../fingerprint.ts'
import { type DemoEvent, eventInWords } from '../words.ts'
import { LANES, type LaneRow, type Strand } from './lanes.ts'

const LANE_PX = 13
const ROW_PX = 62
const [MIDDLE, KNOT] = [20, 4.5]

type EventRowParts = Readonly<{
  event: RecordedEvent<DemoEvent>
  lanes: LaneRow
  board: Board | undefined
  isSent: boolean
  /** What the last check found here. */
  isCaught: boolean
  /** The history was amended, and the event does not count any more. */
  isLeftOut: boolean
  onOpen: (event: RecordedEvent<DemoEvent>) => void
}>

export function eventRow({ event, lanes, board, isSent, isCaught, isLeftOut, onOpen }: EventRowParts) {
  const { type, metadata } = event
  const { streamName, streamVersion, hash, previousHash, status, globalPosition } = metadata
  return html`
    <li class="event" data-status=${status} data-sent=${isSent || nothing} data-caught=${isCaught || nothing} data-left-out=${isLeftOut || nothing} data-position=${globalPosition}>
      ${chain(lanes, isCaught)}
      <button type="button" class="event-open" @click=${() => onOpen(event)}>
        <span class="event-what"><strong>${type}</strong> ${eventInWords(event, board)}</span>
        <span class="event-seal">
          ${shortHash(hash, 'Fingerprint')}
          <span class="follows" aria-label="follows">←</span>
          ${streamVersion === 1 ? html`<span class="hash">first in its stream</span>` : shortHash(previousHash, 'Fingerprint of the event before')}
          <span class="event-where">${streamName.split('-')[0]} v${streamVersion}</span>
        </span>
      </button>
      <span class="badge">${isCaught ? 'forged' : isLeftOut ? 'left out' : progressInWords(status, isSent)}</span>
    </li>
  `
}

/** As `sync.progressOf` says it. */
function progressInWords(status: RecordedEvent['metadata']['status'], isSent: boolean): string {
  if (status === 'confirmed') return status
  return isSent ? 'pushed' : 'persisted'
}

function chain({ lane, above, below }: LaneRow, isCaught: boolean) {
  const x = (at: number): number => at * LANE_PX + LANE_PX / 2
  const strand = (from: number, to: number) => (line: Strand) =>
    svg`<line x1=${x(line.lane)} x2=${x(line.lane)} y1=${from} y2=${to} data-pending=${line.isPending || nothing} />`
  const knot = isCaught
    ? svg`<path class="knot" d="M${x(lane) - 5} ${MIDDLE - 5}l10 10m0-10l-10 10" />`
    : svg`<circle class="knot" cx=${x(lane)} cy=${MIDDLE} r=${KNOT} />`
  return html`
    <svg class="lanes" width=${LANES * LANE_PX} height=${ROW_PX} aria-hidden="true">
      ${above.map(strand(0, MIDDLE))} ${below.map(strand(MIDDLE, ROW_PX))} ${knot}
    </svg>
  `
}
