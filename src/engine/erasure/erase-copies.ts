// What the side table has copies of: snapshots that were folded of erased events, rejections that quote them, blocks in
// quarantine that hold them.

import type { LogStorage } from '../../storage/log-storage.ts'
import { eraseInQuarantine } from '../recovery/quarantine.ts'
import { eraseInRejections } from '../rejections.ts'
import { readKey } from '../replay/snapshot-key.ts'
import { deleteSnapshots } from '../replay/snapshot-rows.ts'
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
  const isTouched = (key: string): boolean => {
    const snapshot = readKey(key)
    // Of an older version of this library: nobody will use it any more.
    if (!snapshot) return true
    const { streamName, position } = snapshot
    const ofStream = firstOf.get(streamName ?? '') ?? firstOf.get('') ?? Number.POSITIVE_INFINITY
    const from = streamName === null ? first : ofStream
    return position >= from
  }
  await deleteSnapshots(storage, keys => keys.filter(isTouched))
}
