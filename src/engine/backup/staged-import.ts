// Where an import keeps what it has read until all of it is there.

import type { LogStorage } from '../../storage/log-storage.ts'

export const STAGED = 'import/staged/'

/** Leaves nothing of an import that was cut off. Must not be called while one is under way. */
export async function dropStaged(storage: Pick<LogStorage, 'keys' | 'put'>): Promise<void> {
  for (;;) {
    const keys = await storage.keys(STAGED, DROPPED_AT_ONCE)
    if (keys.length === 0) return
    await storage.put(Object.fromEntries(keys.map(key => [key, null])))
  }
}

const DROPPED_AT_ONCE = 256
