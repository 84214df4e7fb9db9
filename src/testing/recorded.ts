// Events of a specification as a log would give them to handlers: frozen, so that a handler that changes one fails.

import type { Event, Hash, RecordedEvent } from '../log/event.ts'
import { deepFreeze } from '../model/deep-freeze.ts'

/** An event that happened, in a stream of its own choice. */
export type GivenEvent<E extends Event = Event> = E & Readonly<{ streamName?: string; recordedAt?: number }>

export const DEFAULT_STREAM = 'given'

/** @param defaultStream that events are in where they name none */
export function recordedEvents<E extends Event>(
  given: readonly GivenEvent<E>[],
  defaultStream = DEFAULT_STREAM,
): RecordedEvent<E>[] {
  const versions = new Map<string, number>()
  return given.map((event, i) => {
    const { type, data, id, tags = [], metadata, schemaVersion = 1 } = event
    const { streamName = defaultStream, recordedAt = i } = event
    const streamVersion = (versions.get(streamName) ?? 0) + 1
    versions.set(streamName, streamVersion)
    const recorded = {
      type,
      data: structuredClone(data),
      tags: [...tags],
      metadata: {
        ...metadata,
        eventId: id ?? numbered(i + 1),
        streamName,
        streamVersion,
        globalPosition: i + 1,
        recordedAt,
        schemaVersion,
        status: 'pending',
        previousHash: hashOf(i),
        hash: hashOf(i + 1),
      },
    }
    return deepFreeze(recorded) as unknown as RecordedEvent<E>
  })
}

const numbered = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`

const hashOf = (n: number): Hash => String(n).padStart(64, '0') as Hash
