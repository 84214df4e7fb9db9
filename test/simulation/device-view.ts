// What a device's log says, read from what is stored and from nothing else: an account of its own of what an entry of
// sync means, to hold the engine's against.

import { readSyncFact, SYNC_STREAM } from '../../src/engine/sync-fact.ts'
import { textOf, utf8 } from '../../src/log/bytes.ts'
import type { Rejection } from '../../src/model/sync-status.ts'
import type { Disk, DiskEntry } from './disk.ts'

export type DeviceView = Readonly<{
  epoch: string
  serverPosition: number
  confirmed: readonly DiskEntry[]
  pending: readonly DiskEntry[]
  /** Ids of the events in rejections that were not acknowledged. */
  rejected: ReadonlySet<string>
}>

export function viewOf({ entries, values }: Disk): DeviceView {
  let effective: DiskEntry[] = []
  let cursor = { epoch: '', serverPosition: 0, confirmedThrough: 0 }
  for (const entry of entries) {
    if (!entry.isSystem) effective.push(entry)
    if (entry.streamName !== SYNC_STREAM) continue
    const { supersededFrom, ...fact } = readSyncFact(utf8(entry.data), entry.position)
    cursor = fact
    if (supersededFrom !== null) effective = effective.filter(({ position }) => position < supersededFrom)
  }
  const isConfirmed = ({ position }: DiskEntry) => position <= cursor.confirmedThrough
  return {
    epoch: cursor.epoch,
    serverPosition: cursor.serverPosition,
    confirmed: effective.filter(isConfirmed),
    pending: effective.filter(entry => !isConfirmed(entry)),
    rejected: new Set([...values].flatMap(([key, value]) => idsOfRejection(key, value))),
  }
}

function idsOfRejection(key: string, value: Uint8Array): string[] {
  if (!key.startsWith('rejection/')) return []
  const { events } = JSON.parse(textOf(value)) as Rejection
  return events.map(({ eventId }) => eventId)
}
