// Where the chain of each stream runs beside a list of events: a lane for each stream, a line from each event to the
// one before it in its stream.

import type { RecordedMetadata } from 'streamdingo'

type Linked = Pick<RecordedMetadata, 'streamName' | 'streamVersion' | 'status'>

/** Half of a line as it passes a row. */
export type Strand = Readonly<{ lane: number; isPending: boolean }>

/** What to draw beside one event: its knot in `lane`, and the lines above and below the middle of the row. */
export type LaneRow = Readonly<{ lane: number; above: readonly Strand[]; below: readonly Strand[] }>

/** Streams that find no lane of their own share the last one. */
export const LANES = 3

/**
 * @param events newest first.
 * @param trunk the stream that keeps lane 0, so that it stays where it is when others come and go.
 */
export function lanesOf(events: readonly Linked[], trunk: string): LaneRow[] {
  const laneOf = assignLanes(events, trunk)
  const rows = events.map(({ streamName }) => ({
    lane: laneOf(streamName),
    above: [] as Strand[],
    below: [] as Strand[],
  }))
  /** The event that a line comes down from, by its stream. */
  const open = new Map<string, Strand>()
  for (const [i, { streamName, streamVersion, status }] of events.entries()) {
    const row = rows[i]!
    row.above.push(...open.values())
    open.delete(streamName)
    if (streamVersion > 1) open.set(streamName, { lane: row.lane, isPending: status === 'pending' })
    row.below.push(...open.values())
  }
  return rows
}

/** From the oldest up, so that an event that is added at the top moves no other. */
function assignLanes(events: readonly Linked[], trunk: string): (streamName: string) => number {
  const newest = new Map<string, number>()
  for (const [i, { streamName }] of events.entries()) {
    if (!newest.has(streamName)) newest.set(streamName, i)
  }
  const lanes = new Map([[trunk, 0]])
  const taken = new Set([0])
  for (let i = events.length - 1; i >= 0; i--) {
    const { streamName } = events[i]!
    if (!lanes.has(streamName)) {
      const free = Array.from({ length: LANES }, (_, lane) => lane).find(lane => !taken.has(lane))
      lanes.set(streamName, free ?? LANES - 1)
      taken.add(free ?? LANES - 1)
    }
    if (streamName !== trunk && newest.get(streamName) === i) taken.delete(lanes.get(streamName)!)
  }
  return streamName => lanes.get(streamName) ?? 0
}
