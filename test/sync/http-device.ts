// A device that syncs over a real socket, with the platform's fetch.

import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import type { Clock } from '../../src/sync/clock.ts'
import type { LoopStatus } from '../../src/sync/status-of.ts'
import { createSyncLoop } from '../../src/sync/sync-loop.ts'
import { STORE, TOKEN } from './sync-world.ts'

export type HttpDevice = Awaited<ReturnType<typeof startHttpDevice>>

export async function startHttpDevice(url: string, clock?: Clock) {
  const log = await openLog({ storage: memoryStorage(), storeId: STORE })
  const looks: (() => void)[] = []
  const onStatus = () => {
    for (const look of looks.splice(0)) look()
  }
  const loop = createSyncLoop({ log, url, token: () => TOKEN, onStatus, ...(clock && { clock }) })
  loop.start()

  return {
    log,
    store: createEventStore(log),
    loop,
    /** Resolves with the first status from now on that fits. */
    async until(fits: (status: LoopStatus) => boolean): Promise<LoopStatus> {
      while (!fits(loop.status())) await new Promise<void>(resolve => looks.push(resolve))
      return loop.status()
    },
    async stop(): Promise<void> {
      await loop.stop()
      await log.close()
    },
  }
}
