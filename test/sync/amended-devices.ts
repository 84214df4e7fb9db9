// Devices that amend what others have, too, and what is asked of all of them.

import { onTestFinished } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { createProjector, type Projector } from '../../src/engine/replay/projector.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import { newEventId } from '../../src/log/event-id.ts'
import type { Amendment, AmendOptions } from '../../src/model/amendment.ts'
import type { ReadOrder } from '../../src/model/event-store.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { type Device, STORE, SyncWorld } from './sync-world.ts'

type Said = RecordedEvent & { data: string }

/** A document a stream, and one of all. */
const projections = {
  words: {
    canHandle: ['Said'],
    initialState: (): string[] => [],
    evolve: { Said: (words: string[], event: Said) => [...words, event.data] },
    snapshot: { every: 3 },
  },
  all: {
    canHandle: ['Said'],
    initialState: (): string[] => [],
    getDocumentId: () => 'all',
    evolve: { Said: (words: string[], event: Said) => [...words, event.data] },
    snapshot: { every: 3 },
  },
}

export function createWorld(): SyncWorld {
  const world = new SyncWorld()
  onTestFinished(() => world.close())
  return world
}

export async function start(world: SyncWorld, database = createMemoryDatabase()): Promise<Device> {
  const device = await world.openDevice(database)
  device.loop.start()
  return device
}

/** The server's log, as another server on its database sees it. */
export const serverLog = ({ database }: SyncWorld): Promise<EventLog> =>
  openLog({ storage: memoryStorage({ database }), storeId: STORE, isAuthority: true })

/** Appends events with these texts; returns their ids. */
export async function say({ log }: Device, streamName: string, ...texts: string[]): Promise<string[]> {
  const events = texts.map(saying)
  await createEventStore(log).appendToStream(streamName, events)
  return events.map(({ id }) => id)
}

export const saying = (data: string) => ({ type: 'Said', id: newEventId(), data })

export function amend(
  { log }: Device,
  amendments: readonly Amendment[],
  options: Partial<AmendOptions> = {},
) {
  return createEventStore(log).amendStream('a', amendments, { reason: 'a mistake', ...options })
}

export async function read(log: EventLog, streamName = 'a', order: ReadOrder = 'effective') {
  const { events } = await createEventStore(log).readStream(streamName, { order })
  return events
}

export const textsOf = async (log: EventLog, streamName = 'a') =>
  (await read(log, streamName)).map(({ data }) => data).join(' ')

export const recordedHashes = async (log: EventLog) =>
  (await read(log, 'a', 'recorded')).map(({ metadata }) => metadata.hash)

export type Documents = readonly (readonly [projection: string, id: string])[]

/** All that there is of the streams `a` and `b`. */
export const DOCUMENTS: Documents = [
  ['words', 'a'],
  ['words', 'b'],
  ['all', 'all'],
]

export const projectorOn = (log: EventLog): Projector => createProjector({ log, app: { projections } })

export async function hashesBy(projector: Projector, documents: Documents) {
  const hashes: (string | undefined)[] = []
  for (const [projection, id] of documents) {
    hashes.push((await projector.snapshot(projection, id))?.stateHash)
  }
  return hashes
}

/** Folded anew, from what snapshots there are. */
export async function stateHashes(log: EventLog, documents: Documents) {
  const projector = projectorOn(log)
  const hashes = await hashesBy(projector, documents)
  await projector.close()
  return hashes
}
