// Begins a damaged log anew: what is pending and can be read is taken over, what cannot be read is set aside, and the
// rest is left to the server, which has it.

import { type Entry, KIND_ERASED } from '../../log/entry.ts'
import { isStoreError, StoreError } from '../../log/errors.ts'
import { eventIdOf } from '../../log/event-id.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { systemEntry } from '../draft.ts'
import { ErasureList } from '../erasure/erasure-list.ts'
import { type ErasureRecord, erasureEntry } from '../erasure/erasure-record.ts'
import { keptRejection } from '../rejections.ts'
import { QUARANTINE, quarantineKey } from './quarantine.ts'
import { relinked, type Salvage, salvage, type UnlinkedCommit } from './salvage.ts'
import { settleAmendments } from './salvaged-amendments.ts'

/** What tells of other things than the log's content, and stays. */
const KEPT = ['tabs/', 'rejection/', 'verdict/', 'erasure/', 'sync/server-key', QUARANTINE]

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
  const { pending, rejected } = await settleAmendments(salvaged.pending, storage, hash)
  const kept = (await Promise.all(KEPT.map(prefix => storage.list(prefix)))).flat()
  const quarantined = salvaged.damaged.map(block => [quarantineKey(block), block.bytes] as const)
  const erasures = await erasureCommits(salvaged, storage, hash)
  await storage.reset(
    await relinked([...erasures, ...pending], storeId, hash),
    Object.fromEntries([...kept, ...quarantined, ...rejected.map(keptRejection)]) as Record<
      string,
      Uint8Array<ArrayBuffer>
    >,
  )
  return salvaged
}

/** What was erased is named in the log that has it: those who verify it ask for that. */
async function erasureCommits(
  { pending }: Salvage,
  storage: LogStorage,
  hash: HashProvider,
): Promise<UnlinkedCommit[]> {
  const list = new ErasureList(storage, hash)
  try {
    await list.load()
  } catch (error) {
    // A list that is damaged, too, must not keep a damaged log from being begun anew: what was read of it counts.
    if (!isStoreError(error, 'log-damaged')) throw error
  }
  const unnamed = pending
    .flatMap(({ entries }) => entries)
    .filter(({ kind, eventId }) => kind === KIND_ERASED && !list.has(eventIdOf(eventId)))
  const records = unnamed.length === 0 ? list.records : [...list.records, recordOf(unnamed, list.count + 1)]
  return records.map(record => {
    const entry = erasureEntry(record)
    return { entries: [{ ...systemEntry(entry), streamName: entry.streamName }], note: null }
  })
}

/** Of events that are known to be erased by nothing but that they are. */
function recordOf(entries: readonly Entry[], number: number): ErasureRecord {
  const eventIds = entries.map(({ eventId }) => eventIdOf(eventId))
  return { number, eventIds, reason: null, erasedAt: Date.now(), origin: 'here', touched: [] }
}
