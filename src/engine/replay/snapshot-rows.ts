// Deletes snapshots where they are stored.

import type { LogStorage } from '../../storage/log-storage.ts'
import { ALL_SNAPSHOTS } from './snapshot-key.ts'

/** @param isMeant by their keys */
export async function deleteSnapshots(
  storage: Pick<LogStorage, 'keys' | 'put'>,
  isMeant: (key: string) => boolean = () => true,
): Promise<void> {
  const keys = (await storage.keys(ALL_SNAPSHOTS, ALL)).filter(isMeant)
  if (keys.length > 0) await storage.put(Object.fromEntries(keys.map(key => [key, null])))
}

/** The most that IndexedDB can be asked for. */
const ALL = 0xffff_ffff
