// Commits that could not be taken up again behind the server's: kept in the side table until acknowledged.

import { textOf, utf8 } from '../log/bytes.ts'
import { KIND_AMENDMENT, KIND_ERASED } from '../log/entry.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { Rejection } from '../model/sync-status.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { Draft } from './draft.ts'
import type { PendingCommit } from './event-log.ts'

const PREFIX = 'rejection/'

export function rejectionOf(
  { entries, note }: Pick<PendingCommit, 'entries' | 'note'>,
  { amendment, reason, rejectedAt }: Pick<Rejection, 'amendment' | 'reason' | 'rejectedAt'>,
): Rejection {
  const events = entries.filter(({ kind }) => kind !== KIND_AMENDMENT)
  return {
    id: eventIdOf(entries[0]!.eventId),
    command: note && 'command' in note ? note.command : null,
    amendment,
    events: events.map(({ kind, eventId, streamName, type, payload }) => ({
      eventId: eventIdOf(eventId),
      streamName,
      type,
      data: kind === KIND_ERASED ? null : JSON.parse(textOf(payload)),
    })),
    reason,
    rejectedAt,
  }
}

/** Written with the draft, so that a commit is never both gone and not listed. */
export function addRejection(draft: Draft, rejection: Rejection): void {
  draft.addValue(...keptRejection(rejection))
}

/** As it stands in the side table. */
export const keptRejection = (
  rejection: Rejection,
): readonly [key: string, value: Uint8Array<ArrayBuffer>] => [
  PREFIX + rejection.id,
  utf8(JSON.stringify(rejection)),
]

/** Oldest first. */
export async function readRejections(storage: Pick<LogStorage, 'list'>): Promise<Rejection[]> {
  const rows = await storage.list(PREFIX)
  // Those of releases without amendments do not speak of them.
  const rejections = rows.map(([, bytes]): Rejection => ({ amendment: null, ...JSON.parse(textOf(bytes)) }))
  return rejections.sort((a, b) => a.rejectedAt - b.rejectedAt)
}

/** Takes out what these events say, and the commands that said the same. */
export async function eraseInRejections(
  storage: Pick<LogStorage, 'list' | 'put'>,
  eventIds: ReadonlySet<string>,
): Promise<void> {
  const changed: Record<string, Uint8Array<ArrayBuffer>> = {}
  for (const rejection of await readRejections(storage)) {
    if (!rejection.events.some(({ eventId }) => eventIds.has(eventId))) continue
    const events = rejection.events.map(event =>
      eventIds.has(event.eventId) ? { ...event, data: null } : event,
    )
    const message = 'what it said was erased'
    const erased: Rejection = {
      ...rejection,
      command: null,
      events,
      reason: { ...rejection.reason, message },
    }
    changed[PREFIX + rejection.id] = utf8(JSON.stringify(erased))
  }
  if (Object.keys(changed).length > 0) await storage.put(changed)
}

export function dropRejection(storage: Pick<LogStorage, 'put'>, id: string): Promise<void> {
  return storage.put({ [PREFIX + id]: null })
}
