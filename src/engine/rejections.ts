// Commits that could not be taken up again behind the server's: kept in the side table until acknowledged.

import { textOf, utf8 } from '../log/bytes.ts'
import type { CommitNote } from '../log/commit-note.ts'
import { isEncrypted } from '../log/encrypted-event.ts'
import { KIND_AMENDMENT, KIND_ERASED } from '../log/entry.ts'
import { isStoreError } from '../log/errors.ts'
import { bytesOfEventId, eventIdOf } from '../log/event-id.ts'
import type { Rejection } from '../model/sync-status.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { Draft } from './draft.ts'
import type { EventContents } from './encryption/event-contents.ts'
import type { PendingCommit } from './event-log.ts'

const PREFIX = 'rejection/'

/**
 * As it is kept: what was encrypted stays so, with what is needed to open it. A key that is destroyed takes it along.
 */
export type KeptRejection = Omit<Rejection, 'events'> &
  Readonly<{
    events: readonly (Rejection['events'][number] & Readonly<{ sealed?: SealedContent }>)[]
    sealedCommand?: SealedCommand
  }>

/** Its data are the ciphertext. */
type SealedContent = Readonly<{ schemaVersion: number; metadata: unknown }>
type SealedCommand = Extract<CommitNote, { encryptedCommand: unknown }> & Readonly<{ streamName: string }>

export function rejectionOf(
  { entries, note }: Pick<PendingCommit, 'entries' | 'note'>,
  { amendment, reason, rejectedAt }: Pick<Rejection, 'amendment' | 'reason' | 'rejectedAt'>,
): KeptRejection {
  const events = entries.filter(({ kind }) => kind !== KIND_AMENDMENT)
  return {
    id: eventIdOf(entries[0]!.eventId),
    command: note && 'command' in note ? note.command : null,
    amendment,
    ...(note &&
      'encryptedCommand' in note && { sealedCommand: { ...note, streamName: entries[0]!.streamName } }),
    events: events.map(({ kind, eventId, streamName, type, schemaVersion, payload, metadata }) => {
      const stored = JSON.parse(textOf(metadata))
      return {
        eventId: eventIdOf(eventId),
        streamName,
        type,
        data: kind === KIND_ERASED ? null : JSON.parse(textOf(payload)),
        ...(isEncrypted(stored) && { sealed: { schemaVersion, metadata: stored } }),
      }
    }),
    reason,
    rejectedAt,
  }
}

/** Written with the draft, so that a commit is never both gone and not listed. */
export function addRejection(draft: Draft, rejection: KeptRejection): void {
  draft.addValue(...keptRejection(rejection))
}

/** As it stands in the side table. */
export const keptRejection = (
  rejection: KeptRejection,
): readonly [key: string, value: Uint8Array<ArrayBuffer>] => [
  PREFIX + rejection.id,
  utf8(JSON.stringify(rejection)),
]

/** Oldest first. */
export async function readRejections(storage: Pick<LogStorage, 'list'>): Promise<KeptRejection[]> {
  const rows = await storage.list(PREFIX)
  // Those of releases without amendments do not speak of them.
  const rejections = rows.map(
    ([, bytes]): KeptRejection => ({ amendment: null, ...JSON.parse(textOf(bytes)) }),
  )
  return rejections.sort((a, b) => a.rejectedAt - b.rejectedAt)
}

/** As the application is told of them. What cannot be read any more is null; what has no key yet is, too. */
export async function openRejections(
  kept: readonly KeptRejection[],
  contents: EventContents,
): Promise<Rejection[]> {
  return Promise.all(kept.map(rejection => openRejection(rejection, contents)))
}

export async function openRejection(
  { sealedCommand, ...rejection }: KeptRejection,
  contents: EventContents,
): Promise<Rejection> {
  const events = rejection.events.map(async ({ sealed, ...event }) => {
    if (!sealed || event.data === null) return event
    const { eventId, data } = event
    const payload = utf8(JSON.stringify(data))
    const content = await contents.contentOf({
      ...event,
      ...sealed,
      payload,
      eventId: bytesOfEventId(eventId),
    })
    return { ...event, data: content?.data ?? null }
  })
  const place = sealedCommand && {
    streamName: sealedCommand.streamName,
    eventId: bytesOfEventId(rejection.id),
  }
  const command = place ? await commandOrNull(sealedCommand, place, contents) : rejection.command
  return { ...rejection, command, events: await Promise.all(events) }
}

async function commandOrNull(
  sealed: SealedCommand,
  place: Readonly<{ streamName: string; eventId: Uint8Array }>,
  { cipher }: EventContents,
): Promise<Rejection['command']> {
  try {
    return await cipher.commandOf(sealed, place)
  } catch (error) {
    if (isStoreError(error, 'key-missing')) return null
    throw error
  }
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
    const { sealedCommand: _, ...rest } = rejection
    const erased: KeptRejection = {
      ...rest,
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
