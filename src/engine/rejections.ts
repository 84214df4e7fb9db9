// Commits that could not be taken up again behind the server's: kept in the side table until acknowledged.

import { textOf, utf8 } from '../log/bytes.ts'
import type { StoreError } from '../log/errors.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { Rejection } from '../model/sync-status.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { Draft } from './draft.ts'
import type { PendingCommit } from './event-log.ts'

const PREFIX = 'rejection/'

export function rejectionOf(
  { entries, note }: PendingCommit,
  reason: StoreError,
  rejectedAt: number,
): Rejection {
  return {
    id: eventIdOf(entries[0]!.eventId),
    command: note && 'command' in note ? note.command : null,
    events: entries.map(({ eventId, streamName, type, payload }) => ({
      eventId: eventIdOf(eventId),
      streamName,
      type,
      data: JSON.parse(textOf(payload)),
    })),
    reason: { code: reason.code, message: reason.message },
    rejectedAt,
  }
}

/** Written with the draft, so that a commit is never both gone and not listed. */
export function addRejection(draft: Draft, rejection: Rejection): void {
  draft.addValue(PREFIX + rejection.id, utf8(JSON.stringify(rejection)))
}

/** Oldest first. */
export async function readRejections(storage: Pick<LogStorage, 'list'>): Promise<Rejection[]> {
  const rows = await storage.list(PREFIX)
  const rejections = rows.map(([, bytes]) => JSON.parse(textOf(bytes)) as Rejection)
  return rejections.sort((a, b) => a.rejectedAt - b.rejectedAt)
}

export function dropRejection(storage: Pick<LogStorage, 'put'>, id: string): Promise<void> {
  return storage.put({ [PREFIX + id]: null })
}
