// Reads that may be long, fetched from the worker page by page so that no message grows without bound.

import type { Event, RecordedEvent } from '../log/event.ts'
import type { ReadAllOptions, ReadStreamOptions, ReadStreamResult } from '../model/event-store.ts'
import type { StreamPage } from '../protocol/worker-api.ts'
import type { WorkerLink } from './worker-link.ts'

/** A stream that is rebased or amended again and again under a long read is read anew this often. */
const MAX_READS = 5

export async function readWholeStream(
  link: WorkerLink,
  streamName: string,
  options: ReadStreamOptions,
): Promise<ReadStreamResult> {
  for (let read = 1; ; read++) {
    const result = await readLinkedPages(link, streamName, options)
    if (result) return result
    if (read === MAX_READS) throw new Error(`Stream "${streamName}" changed under each of ${read} reads`)
  }
}

export async function* readAllPages(
  link: WorkerLink,
  options: ReadAllOptions,
): AsyncGenerator<RecordedEvent> {
  let next = options
  for (;;) {
    const { events, more, through } = await link.call(worker => worker.readAll(next))
    yield* events
    if (!more || events.length === 0) return
    next = behind(next, through, events.length)
  }
}

/**
 * Null when the stream was amended in between, or rebased: then the events of a page do not link to those of the page
 * before.
 */
async function readLinkedPages(
  link: WorkerLink,
  streamName: string,
  options: ReadStreamOptions,
): Promise<ReadStreamResult | null> {
  const readPage = (part: ReadStreamOptions): Promise<StreamPage> =>
    link.call(worker => worker.readStream(streamName, part))
  const first = await readPage(options)
  const { currentStreamVersion, streamExists } = first
  // What is appended while the pages are read does not belong to the answer.
  let next: ReadStreamOptions =
    options.direction === 'backwards' ? options : { to: currentStreamVersion, ...options }
  let page = first
  const events = [...first.events]
  for (let last = events.at(-1); page.more && last; last = events.at(-1)) {
    next = behind(next, page.through, page.events.length)
    page = await readPage(next)
    if (page.changedAt !== first.changedAt) return null
    const continuation = page.events[0]
    if (continuation && !areLinked(last, continuation)) return null
    events.push(...page.events)
  }
  return { streamExists, currentStreamVersion, events }
}

/** Erased events lie between two whose versions do not follow on each other. */
function areLinked(last: RecordedEvent<Event>, next: RecordedEvent<Event>): boolean {
  const apart = Math.abs(next.metadata.streamVersion - last.metadata.streamVersion)
  return (
    apart > 1 ||
    next.metadata.previousHash === last.metadata.hash ||
    last.metadata.previousHash === next.metadata.hash
  )
}

/** The rest of a read of which `count` events up to `last` have come. */
function behind<O extends ReadStreamOptions & ReadAllOptions>(options: O, last: number, count: number): O {
  const from = options.direction === 'backwards' ? last - 1 : last + 1
  return {
    ...options,
    from,
    ...(options.maxCount !== undefined && { maxCount: options.maxCount - count }),
  }
}
