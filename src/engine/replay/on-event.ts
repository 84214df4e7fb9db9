// Whether something that was folded before stands on an event of this log.

import type { RecordedEvent } from '../../log/event.ts'
import type { FoldLog, Mark } from './fold.ts'
import { placeOf } from './fold.ts'

type Standing = Pick<Mark, 'version' | 'position' | 'eventHash'> & Readonly<{ streamName: string | null }>

/** The last event that counts at its place is the one that it was folded up to. What nothing was read for stands on any log. */
export async function isOnEvent(
  { streamName, version, position, eventHash }: Standing,
  log: Pick<FoldLog, 'readAll' | 'readStream' | 'order'>,
): Promise<boolean> {
  if (position === 0) return true
  const events =
    streamName === null
      ? log.readAll({ from: position, to: position })
      : log.readStream(streamName, { from: version, to: version })
  const event = await lastOf(events)
  return event?.metadata.hash === eventHash && placeOf(event, log.order).position === position
}

/** Of one place, which comes as a whole. */
async function lastOf(parts: AsyncIterable<readonly RecordedEvent[]>): Promise<RecordedEvent | undefined> {
  for await (const events of parts) return events.at(-1)
  return undefined
}
