// Logs of a device and a server that are damaged by hand, and begun anew.

import type { EventLog } from '../../../src/engine/event-log.ts'
import { openLog } from '../../../src/engine/open-log.ts'
import type { HeadAnchor } from '../../../src/engine/recovery/head-anchor.ts'
import { readQuarantine } from '../../../src/engine/recovery/quarantine.ts'
import { restoreLog } from '../../../src/engine/recovery/restore.ts'
import type { OnConflict } from '../../../src/log/commit-note.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import { encodeEvents } from '../../../src/log/event-batch.ts'
import { createSha256 } from '../../../src/log/sha256/create-sha256.ts'
import type { App } from '../../../src/model/app.ts'
import {
  createMemoryDatabase,
  type MemoryDatabase,
  memoryStorage,
} from '../../../src/storage/memory/index.ts'

export const STORE = 'shared'
export const hash = await createSha256()

/** A tank that holds ten. */
const app = {
  deciders: {
    tank: {
      streamName: (id: string) => `tank-${id}`,
      initialState: () => 0,
      evolve: { Filled: (level: number, event: RecordedEvent) => level + (event.data as { by: number }).by },
      decide: (command: { type: 'Fill'; data: { by: number } }, level: number) => {
        if (level + command.data.by > 10) throw new Error(`only ${10 - level} left`)
        return { type: 'Filled', data: command.data }
      },
    },
  },
} satisfies App

export const openDevice = (database = createMemoryDatabase()): Promise<EventLog> =>
  openLog({ storage: memoryStorage({ database }), storeId: STORE, app })
export const openServer = (): Promise<EventLog> =>
  openLog({ storage: memoryStorage(), storeId: STORE, isAuthority: true })

export async function append(
  log: EventLog,
  streamName: string,
  texts: readonly string[],
  onConflict?: OnConflict,
) {
  const batch = encodeEvents(texts.map(data => ({ type: 'Said', data })))
  const appends = [{ streamName, expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch }] as const
  await log.append({ appends, ...(onConflict && { onConflict }) })
}

export const fill = (log: EventLog, by: number) =>
  log.execute({
    decider: 'tank',
    id: '1',
    command: { type: 'Fill', data: { by } },
    commandId: crypto.randomUUID(),
  })

export async function pull(device: EventLog, server: EventLog): Promise<void> {
  for (;;) {
    const after = device.cursor().serverPosition
    const { commits, next } = await server.readCommits(after, Infinity)
    if (next === after) return
    await device.applyRemote({ epoch: 'e1', after, commits, next })
  }
}

export async function sync(device: EventLog, server: EventLog): Promise<void> {
  await pull(device, server)
  await server.admit((await device.pendingCommits(Infinity)).map(({ entries }) => entries))
  await pull(device, server)
}

export async function texts(log: EventLog): Promise<string[]> {
  const all: string[] = []
  for await (const part of log.readAll()) {
    for (const { data, metadata } of part) all.push(`${metadata.streamName} ${JSON.stringify(data)}`)
  }
  return all
}

export function damage({ blocks }: MemoryDatabase, at: number, byte = 200): void {
  const block = blocks[at]!
  const bytes = block.bytes.slice()
  bytes[byte % bytes.length]! ^= 1
  blocks[at] = { ...block, bytes }
}

/** @param anchor what is known of the log from outside of its storage */
export async function restore(database: MemoryDatabase, anchor: HeadAnchor | null = null) {
  const storage = memoryStorage({ database })
  await storage.open()
  const salvaged = await restoreLog(storage, { storeId: STORE, hash, anchor })
  const quarantine = await readQuarantine(storage)
  await storage.close()
  return { salvaged, quarantine, log: await openDevice(database) }
}
