// The epoch names a server's log: a replica that meets another epoch knows that its place may mean nothing there.

import type { EventLog } from '../engine/event-log.ts'
import { textOf, utf8 } from '../log/bytes.ts'

const KEY = 'server/epoch'

/** Made once, at random, and read from the storage each time: of two servers that open a new store at once, one makes it. */
export async function epochOf({ storage }: Pick<EventLog, 'storage'>): Promise<string> {
  const stored = await storage.get(KEY)
  if (stored) return textOf(stored)
  await storage.swap(KEY, undefined, utf8(crypto.randomUUID()))
  return textOf((await storage.get(KEY))!)
}

/**
 * Says that the log is another one than before: its database was restored from a backup. Replicas then find out what of it
 * is as they know it, and send what it has lost. Returns the new epoch.
 */
export async function rotateEpoch(log: Pick<EventLog, 'storage'>): Promise<string> {
  const epoch = crypto.randomUUID()
  for (;;) {
    const before = utf8(await epochOf(log))
    if (await log.storage.swap(KEY, before, utf8(epoch))) return epoch
  }
}
