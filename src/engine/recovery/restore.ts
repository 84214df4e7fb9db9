// Begins a damaged log anew: what is pending and can be read is taken over, what cannot be read is set aside, and the
// rest is left to the server, which has it.

import { StoreError } from '../../log/errors.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { QuarantinedBlock } from '../../model/integrity-status.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { relinked, type Salvage, salvage } from './salvage.ts'

const QUARANTINE = 'quarantine/'

/** What tells of other things than the log's content, and stays. */
const KEPT = ['tabs/', 'rejection/', 'verdict/', 'sync/server-key', QUARANTINE]

/**
 * In one transaction, so that a crash leaves the log as it was or as it will be. The storage must be open.
 *
 * @throws `StoreError` `invalid-argument` for a storage that cannot be begun anew
 */
export async function restoreLog(storage: LogStorage, storeId: string, hash: HashProvider): Promise<Salvage> {
  if (!storage.reset) {
    throw new StoreError(
      'invalid-argument',
      'This storage cannot be begun anew: restore its database instead',
    )
  }
  const salvaged = await salvage(storage, hash)
  const kept = (await Promise.all(KEPT.map(prefix => storage.list(prefix)))).flat()
  const quarantined = salvaged.damaged.map(
    ({ firstPosition, lastPosition, bytes }) =>
      [`${QUARANTINE}${Date.now()}/${firstPosition}-${lastPosition}`, bytes] as const,
  )
  await storage.reset(
    await relinked(salvaged, storeId, hash),
    Object.fromEntries([...kept, ...quarantined]) as Record<string, Uint8Array<ArrayBuffer>>,
  )
  return salvaged
}

/** Blocks that were set aside, the oldest first. */
export async function readQuarantine(storage: Pick<LogStorage, 'list'>): Promise<QuarantinedBlock[]> {
  const rows = await storage.list(QUARANTINE)
  return rows.map(([key, bytes]) => {
    const [, at, first, last] = /\/(\d+)\/(\d+)-(\d+)$/.exec(key)!
    return { setAsideAt: Number(at), firstPosition: Number(first), lastPosition: Number(last), bytes }
  })
}
