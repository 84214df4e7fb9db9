// The order of a stream as a draft leaves it, and what a change of it says in versions.

import { newVersionIn, type OrderChange } from '../../log/amendment.ts'
import { StoreError } from '../../log/errors.ts'
import type { StreamVersion } from '../../log/event.ts'
import { bytesOfEventId } from '../../log/event-id.ts'
import type { RecordedChange } from '../../model/amendment.ts'
import type { Draft } from '../draft.ts'
import type { EntryLookup } from '../entry-lookup.ts'
import type { LogIndex } from '../log-index.ts'
import { StreamOrder } from './stream-order.ts'

export type OrderParts = Readonly<{ index: Pick<LogIndex, 'order'>; lookup: EntryLookup }>

/** Amendments of the log up to where the draft goes on, then those of the draft. */
export function draftedOrder(
  streamName: string,
  draft: Draft,
  { order }: Pick<LogIndex, 'order'>,
): StreamOrder {
  const drafted = draft.amendmentsOf(streamName)
  const written = order
    .countingOf(streamName)
    .filter(({ version }) => version < draft.firstVersionOf(streamName))
  const result = new StreamOrder()
  for (const { version, changes } of [...written, ...drafted]) {
    result.leaveOut(version)
    for (const change of changes) result.apply(change)
  }
  return result
}

/**
 * The changes in versions of the stream as the draft has it; events that they put in are drafted already.
 *
 * @throws `StoreError` `unknown-event` for a change of an event that does not count in this stream
 */
export async function versionedChanges(
  changes: readonly RecordedChange[],
  streamName: string,
  draft: Draft,
  { index, lookup }: OrderParts,
): Promise<OrderChange[]> {
  const versioned: OrderChange[] = []
  for (const change of changes) {
    versioned.push(await inVersions(change, eventId => versionOf(eventId, streamName, draft, lookup)))
  }
  const order = draftedOrder(streamName, draft, index)
  // No change is of an event that comes with a later one.
  for (const version of versioned.map(newVersionIn)) if (version !== null) order.leaveOut(version)
  for (const [i, one] of versioned.entries()) {
    if (order.apply(one) !== null) continue
    const change = changes[i]!
    const { eventId } = change
    const problem = `An event of this change does not count in stream "${streamName}"`
    throw new StoreError('unknown-event', problem, { eventId, streamName, change })
  }
  return versioned
}

async function inVersions(
  change: RecordedChange,
  versionOf: (eventId: string) => Promise<StreamVersion>,
): Promise<OrderChange> {
  const version = await versionOf(change.eventId)
  if (change.kind === 'replace') return { kind: 'replace', version, by: await versionOf(change.by) }
  if (change.kind === 'remove') return { kind: 'remove', version }
  return { kind: change.kind, version, after: change.after === null ? 0 : await versionOf(change.after) }
}

async function versionOf(
  eventId: string,
  streamName: string,
  draft: Draft,
  lookup: EntryLookup,
): Promise<StreamVersion> {
  const position = draft.positionOfId(bytesOfEventId(eventId))
  const entry = position === undefined ? null : await lookup.entryAt(position, draft)
  const isThere =
    entry?.streamName === streamName && entry.streamVersion <= (await draft.head(streamName)).version
  // Of a tail that is taken up again, entries that were rejected are still found where they were.
  if (isThere && (position! > draft.after || entry.streamVersion < draft.firstVersionOf(streamName))) {
    return entry.streamVersion
  }
  const problem = `Stream "${streamName}" has no event ${eventId}`
  throw new StoreError('unknown-event', problem, { eventId, streamName })
}
