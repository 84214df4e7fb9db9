// What the side table has copies of: snapshots that were folded of erased events, rejections that quote them, blocks in
// quarantine that hold them.

import type { LogStorage } from '../../storage/log-storage.ts'
import { eraseInQuarantine } from '../recovery/quarantine.ts'
import { eraseInRejections } from '../rejections.ts'
import { ALL_SNAPSHOTS, keptAt, streamOfKey } from '../replay/snapshot-key.ts'
import type { ErasureRecord } from './erasure-record.ts'

type SideTable = Pick<LogStorage, 'list' | 'keys' | 'put'>

export async function eraseCopies(
  { eventIds, touched }: Pick<ErasureRecord, 'eventIds' | 'touched'>,
  storage: SideTable,
): Promise<void> {
  const ids = new Set(eventIds)
  await eraseInRejections(storage, ids)
  await eraseInQuarantine(storage, ids)
  await dropSnapshots(touched, storage)
}

async function dropSnapshots(touched: ErasureRecord['touched'], storage: SideTable): Promise<void> {
  if (touched.length === 0) return
  const firstOf = new Map(touched)
  const first = Math.min(...firstOf.values())
  const dropped: Record<string, null> = {}
  for (const key of await storage.keys(ALL_SNAPSHOTS, ALL)) {
    const streamName = streamOfKey(key)
    const from = streamName === null ? first : (firstOf.get(streamName) ?? Number.POSITIVE_INFINITY)
    if (keptAt(key).position >= from) dropped[key] = null
  }
  if (Object.keys(dropped).length > 0) await storage.put(dropped)
}

/** The most that IndexedDB can be asked for. */
const ALL = 0xffff_ffff
