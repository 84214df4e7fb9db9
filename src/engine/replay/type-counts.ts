// How many events of each type a log has: what a change of a handler may cost.

import type { EventLog } from '../event-log.ts'
import { Pace } from './pace.ts'

/** As they were recorded. Reads the whole log. */
export async function countTypes(log: Pick<EventLog, 'readAll'>): Promise<Readonly<Record<string, number>>> {
  const counts = new Map<string, number>()
  const pace = new Pace()
  for await (const events of log.readAll({ order: 'recorded' })) {
    for (const { type } of events) counts.set(type, (counts.get(type) ?? 0) + 1)
    await pace.breathe()
  }
  return Object.fromEntries(counts)
}
