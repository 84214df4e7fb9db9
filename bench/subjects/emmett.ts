// Emmett in memory, which is all it has for a browser: nothing is kept beyond the page.

import { type Event, getInMemoryEventStore, type InMemoryEventStore } from '@event-driven-io/emmett'
import packageJson from '../../node_modules/@event-driven-io/emmett/package.json' with { type: 'json' }
import { fold, NOTHING } from '../events.ts'
import { streamRuns } from '../stream-runs.ts'
import type { BenchEvent, Folded, Subject } from '../subject.ts'

/** It gives an event an id of its own. */
type CartEvent = Event<BenchEvent['type'], BenchEvent['data'], { id: string }>

type Opened = Readonly<{ store: InMemoryEventStore; streams: Set<string> }>

/** For open after close. */
const stores = new Map<string, Opened>()

let opened: Opened

export const subject: Subject = {
  name: 'Emmett, in memory',
  version: packageJson.version,
  isInMemory: true,

  async open(name) {
    opened = stores.get(name) ?? { store: getInMemoryEventStore(), streams: new Set() }
    stores.set(name, opened)
  },

  async append(batch) {
    // Each one is stored before the next begins, also where nobody waits.
    await Promise.all(
      streamRuns(batch).map(({ streamName, events }) => {
        opened.streams.add(streamName)
        return opened.store.appendToStream<CartEvent>(
          streamName,
          events.map(({ id, type, data }) => ({ type, data, metadata: { id } })),
        )
      }),
    )
  },

  async replay(): Promise<Folded> {
    // No stream of all, and no list of streams: what each one has goes to its place by its global position.
    const all: Pick<BenchEvent, 'type' | 'data'>[] = []
    for (const streamName of opened.streams) {
      const { events } = await opened.store.readStream<CartEvent>(streamName)
      for (const event of events) all[Number(event.metadata.globalPosition) - 1] = event
    }
    return all.reduce(fold, NOTHING)
  },

  async close() {},
}
