// Devices and a server that share a store, for folds that have to live through what sync does.

import type { EventLog } from '../../../src/engine/event-log.ts'
import { openLog } from '../../../src/engine/open-log.ts'
import type { FoldLog } from '../../../src/engine/replay/fold.ts'
import type { StateSeal } from '../../../src/integrity/state-seal.ts'
import { encodeEvents } from '../../../src/log/event-batch.ts'
import {
  createMemoryDatabase,
  type MemoryDatabase,
  memoryStorage,
} from '../../../src/storage/memory/index.ts'

const storeId = 'shared'

/** @param seal of a device that has one */
export const openDevice = (
  database: MemoryDatabase = createMemoryDatabase(),
  seal: StateSeal | null = null,
): Promise<EventLog> => openLog({ storage: memoryStorage({ database }), storeId, seal: async () => seal })

export const openServer = (): Promise<EventLog> =>
  openLog({ storage: memoryStorage(), storeId, isAuthority: true })

export type Said = Readonly<{ type?: string; data: unknown }>

/** Appends events, each a `Said` where it does not say otherwise. */
export async function append(log: EventLog, streamName: string, ...events: readonly Said[]): Promise<void> {
  const batch = encodeEvents(events.map(({ type = 'Said', data }) => ({ type, data })))
  await log.append({ appends: [{ streamName, expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch }] })
}

/** Appends `Said` events with the numbers from..to. */
export function count(log: EventLog, streamName: string, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i)
  return append(log, streamName, ...numbers.map(data => ({ data })))
}

export async function pull(device: EventLog, server: EventLog, maxBytes = Infinity): Promise<void> {
  const { serverPosition } = device.cursor()
  const { commits, next } = await server.readCommits(serverPosition, maxBytes)
  await device.applyRemote({ epoch: 'e1', after: serverPosition, commits, next })
}

export async function push(device: EventLog, server: EventLog, maxBytes = Infinity): Promise<void> {
  const commits = (await device.pendingCommits(maxBytes)).map(({ entries }) => entries)
  await server.admit(commits)
}

export async function sync(device: EventLog, server: EventLog): Promise<void> {
  await pull(device, server)
  await push(device, server)
  await pull(device, server)
}

/** What folds see of a log, with some of it done otherwise. */
export function foldLogOf(log: EventLog, overrides: Partial<FoldLog>): FoldLog {
  return {
    storage: log.storage,
    hash: log.hash,
    erasures: log.erasures,
    order: log.order,
    today: log.today,
    seal: () => log.seal(),
    head: () => log.head(),
    cursor: () => log.cursor(),
    readStream: (...args) => log.readStream(...args),
    readAll: (...args) => log.readAll(...args),
    streamVersion: name => log.streamVersion(name),
    isEffective: position => log.isEffective(position),
    catchUp: () => log.catchUp(),
    onChange: (...args) => log.onChange(...args),
    ...overrides,
  }
}

/** Does something once, after the first part of a read that is meant, by default the first part of the first read. */
export function interruptOnce<T, A extends unknown[]>(
  read: (...args: A) => AsyncIterable<T>,
  interrupt: () => Promise<void>,
  isMeant: (part: T) => boolean = () => true,
): (...args: A) => AsyncIterable<T> {
  let isDue = true
  return async function* (...args) {
    for await (const part of read(...args)) {
      yield part
      if (isDue && isMeant(part)) {
        isDue = false
        await interrupt()
      }
    }
  }
}

/** The log as folds see it, of which one read of all stops behind a position until it is let go on. */
export function haltingLog(log: EventLog, position: number) {
  let haltAt = position
  let reach = () => {}
  let goOn = () => {}
  const reached = new Promise<void>(resolve => {
    reach = resolve
  })
  const released = new Promise<void>(resolve => {
    goOn = resolve
  })
  const readAll = interruptOnce(
    (...args: Parameters<EventLog['readAll']>) => log.readAll(...args),
    () => {
      reach()
      return released
    },
    // Whoever reads one event looks what a snapshot stands on.
    events => events.length > 1 && events.at(-1)!.metadata.globalPosition >= haltAt,
  )
  return {
    log: foldLogOf(log, { readAll }),
    /** It stands there. */
    reached,
    goOn: () => goOn(),
    haltBehind(position: number) {
      haltAt = position
    },
  }
}
