// What the parts of the event store contract share: a store for each test, and events that are easy to tell apart.

import { test } from 'vitest'
import type { Event, RecordedEvent } from '../log/event.ts'
import { newEventId } from '../log/event-id.ts'
import type { EventStore } from '../model/event-store.ts'

/** Opens the store of one test: each call after the first opens the same log again. */
export type OpenStore = () => Promise<EventStore>

/** A test of a store on a log of its own. */
export type Behaviour = (
  title: string,
  run: (store: EventStore, reopen: () => Promise<EventStore>) => Promise<void>,
) => void

export type Numbered = Event<'Numbered', { n: number }>

export const numbered = (n: number, id?: string): Numbered => ({
  type: 'Numbered',
  data: { n },
  ...(id && { id }),
})

export const numbers = (events: readonly RecordedEvent[]): number[] =>
  events.map(({ data }) => (data as { n: number }).n)

export async function all(events: AsyncIterable<RecordedEvent>): Promise<RecordedEvent[]> {
  const read: RecordedEvent[] = []
  for await (const event of events) read.push(event)
  return read
}

/** Appends events with the numbers 1, 2, 3 ... to a stream; returns their ids. */
export async function fill(store: EventStore, streamName: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, newEventId)
  await store.appendToStream(
    streamName,
    ids.map((id, i) => numbered(i + 1, id)),
  )
  return ids
}

export const behaviourOf =
  (freshLog: () => OpenStore): Behaviour =>
  (title, run) => {
    test(title, async () => {
      const open = freshLog()
      let store = await open()
      const reopen = async (): Promise<EventStore> => {
        await store.close()
        store = await open()
        return store
      }
      try {
        await run(store, reopen)
      } finally {
        await store.close()
      }
    })
  }
