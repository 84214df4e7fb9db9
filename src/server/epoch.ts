// The epoch names a server's log: a replica that meets another epoch knows that its place means nothing there.

import type { EventLog } from '../engine/event-log.ts'
import { textOf, utf8 } from '../log/bytes.ts'

const KEY = 'server/epoch'

/**
 * Made once, at random, and read from the storage each time. Two servers that open a new store at the same moment
 * may each make one; both serve the one that stayed, but for an answer given in between.
 */
export async function epochOf({ storage }: Pick<EventLog, 'storage'>): Promise<string> {
  const stored = await storage.get(KEY)
  if (stored) return textOf(stored)
  await storage.put({ [KEY]: utf8(crypto.randomUUID()) })
  return textOf((await storage.get(KEY))!)
}
