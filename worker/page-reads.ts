// Reads for the page, cut to what one message should carry.

import type { Place } from '../src/engine/amendments/effective-order.ts'
import type { EventLog } from '../src/engine/event-log.ts'
import { plainEvent } from '../src/engine/recorded-events.ts'
import type { RecordedEvent } from '../src/log/event.ts'
import type { ReadAllOptions, ReadOrder, ReadStreamOptions } from '../src/model/event-store.ts'
import type { LogPage, StreamPage } from '../src/protocol/worker-api.ts'

/** Most events of one page. */
const PAGE_EVENTS = 512
/** Most blocks of one page: events can be large, and then a block has few. */
const PAGE_BLOCKS = 16

export async function readStreamPage(
  log: Pick<EventLog, 'readStream' | 'streamVersion' | 'today' | 'order'>,
  streamName: string,
  options: ReadStreamOptions,
): Promise<StreamPage> {
  const currentStreamVersion = log.streamVersion(streamName)
  const read = (bounded: ReadStreamOptions) => log.readStream(streamName, bounded)
  const changedAt = options.order === 'recorded' ? 0 : log.order.changedAt(streamName)
  const page = await firstPage(options, log, read, ({ version }) => version)
  return { streamExists: currentStreamVersion > 0, currentStreamVersion, changedAt, ...page }
}

export function readLogPage(
  log: Pick<EventLog, 'readAll' | 'today' | 'order'>,
  options: ReadAllOptions,
): Promise<LogPage> {
  return firstPage(
    options,
    log,
    bounded => log.readAll(bounded),
    ({ position }) => position,
  )
}

async function firstPage<O extends { maxCount?: number; order?: ReadOrder }>(
  options: O,
  { today, order }: Pick<EventLog, 'today' | 'order'>,
  read: (options: O) => AsyncIterable<readonly RecordedEvent[]>,
  boundOf: (place: Place) => number,
): Promise<LogPage> {
  const isAsRecorded = order.isEmpty || options.order === 'recorded'
  const placeOf = ({ metadata }: RecordedEvent): number =>
    boundOf(
      isAsRecorded
        ? { version: metadata.streamVersion, position: metadata.globalPosition }
        : order.placeOf(metadata),
    )
  const { maxCount = Number.POSITIVE_INFINITY } = options
  // A page ends between two places: where several events may stand at one, it is known only once they are read.
  const bounded = isAsRecorded ? { ...options, maxCount: Math.min(maxCount, PAGE_EVENTS) } : options
  const events: RecordedEvent[] = []
  let through = 0
  let blocks = 0
  for await (const part of today.read(bounded, read)) {
    for (const event of part) {
      const place = placeOf(event)
      if (events.length >= PAGE_EVENTS && place !== through) return { events, more: true, through }
      events.push(plainEvent(event))
      through = place
    }
    if (++blocks === PAGE_BLOCKS) break
  }
  const isFull = events.length >= PAGE_EVENTS || blocks === PAGE_BLOCKS
  return { events, more: isFull && events.length < maxCount, through }
}
