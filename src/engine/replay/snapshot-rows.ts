// Deletes snapshots where they are stored.

import type { LogStorage } from '../../storage/log-storage.ts'
import { ALL_SNAPSHOTS } from './snapshot-key.ts'

/** @param meantOf all their keys, in order; all of them where it is left out */
export async function deleteSnapshots(
  storage: Pick<LogStorage, 'keys' | 'put'>,
  meantOf: (keys: readonly string[]) => readonly string[] = keys => keys,
): Promise<void> {
  const keys = meantOf(await storage.keys(ALL_SNAPSHOTS, ALL))
  if (keys.length > 0) await storage.put(Object.fromEntries(keys.map(key => [key, null])))
}

/** The most that IndexedDB can be asked for. */
const ALL = 0xffff_ffff
