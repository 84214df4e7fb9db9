// Reads for the page, cut to what one message should carry.

import type { EventLog } from '../src/engine/event-log.ts'
import { plainEvent } from '../src/engine/recorded-events.ts'
import type { TodaysEvents } from '../src/engine/todays-events.ts'
import type { RecordedEvent } from '../src/log/event.ts'
import type { ReadAllOptions, ReadStreamOptions } from '../src/model/event-store.ts'
import type { LogPage, StreamPage } from '../src/protocol/worker-api.ts'

/** Most events of one page. */
const PAGE_EVENTS = 512
/** Most blocks of one page: events can be large, and then a block has few. */
const PAGE_BLOCKS = 16

export async function readStreamPage(
  log: Pick<EventLog, 'readStream' | 'streamVersion' | 'today'>,
  streamName: string,
  options: ReadStreamOptions,
): Promise<StreamPage> {
  const currentStreamVersion = log.streamVersion(streamName)
  const page = await firstPage(options, log.today, bounded => log.readStream(streamName, bounded))
  return { streamExists: currentStreamVersion > 0, currentStreamVersion, ...page }
}

export function readLogPage(
  log: Pick<EventLog, 'readAll' | 'today'>,
  options: ReadAllOptions,
): Promise<LogPage> {
  return firstPage(options, log.today, bounded => log.readAll(bounded))
}

async function firstPage<O extends { maxCount?: number }>(
  options: O,
  today: TodaysEvents,
  read: (options: O) => AsyncIterable<readonly RecordedEvent[]>,
): Promise<LogPage> {
  const { maxCount = Number.POSITIVE_INFINITY } = options
  const events: RecordedEvent[] = []
  let blocks = 0
  for await (const part of today.read({ ...options, maxCount: Math.min(maxCount, PAGE_EVENTS) }, read)) {
    for (const event of part) events.push(plainEvent(event))
    if (++blocks === PAGE_BLOCKS) break
  }
  const isFull = events.length === PAGE_EVENTS || blocks === PAGE_BLOCKS
  return { events, more: isFull && events.length < maxCount }
}
