// What a page may ask of sync, and have it do.

import { StoreError } from '../log/errors.ts'
import type { SyncStatus } from '../model/sync-status.ts'
import type { Readable } from './readable.ts'
import type { SyncControl } from './store-client.ts'
import { waitInWorker } from './wait-in-worker.ts'
import type { WorkerLink } from './worker-link.ts'

export type SyncControlParts = Readonly<{
  status: Readable<SyncStatus>
  /** For workers that take the place of this one. */
  keepToken: (token: string) => void
}>

export function syncControlOf(link: WorkerLink, { status, keepToken }: SyncControlParts): SyncControl {
  return {
    status: () => status,
    setOnline: online => link.call(worker => worker.setOnline(online)),
    setToken: token => {
      keepToken(token)
      return link.call(worker => worker.setToken(token))
    },
    poke: () => link.call(worker => worker.pokeSync()),
    progressOf: eventIds => link.call(worker => worker.progressOf(eventIds)),
    async whenConfirmed(events, { timeoutMs, signal } = {}) {
      const ids = typeof events === 'number' ? [await link.call(worker => worker.eventIdAt(events))] : events
      await waitInWorker({
        link,
        ask: waitMs => link.call(worker => worker.whenConfirmed(ids, waitMs)),
        timeoutMs,
        signal,
        late: () =>
          new StoreError('not-confirmed', 'The server has not confirmed all of them in time', { timeoutMs }),
      })
    },
  }
}
