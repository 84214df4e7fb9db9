// Begins a damaged log anew: pending commits that are whole are taken over, what can be read of others is told as
// rejected, what cannot be read is set aside, and the rest is left to the server, which has it.

import { type Entry, KIND_ERASED } from '../../log/entry.ts'
import { isStoreError, StoreError } from '../../log/errors.ts'
import { eventIdOf, newEventId } from '../../log/event-id.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { Verdict } from '../../model/integrity-status.ts'
import type { Rejection } from '../../model/sync-status.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { type SystemEntry, systemEntry } from '../draft.ts'
import { ErasureList } from '../erasure/erasure-list.ts'
import { type ErasureRecord, erasureEntry } from '../erasure/erasure-record.ts'
import { keptRejection } from '../rejections.ts'
import type { HeadAnchor } from './head-anchor.ts'
import { QUARANTINE, quarantineKey } from './quarantine.ts'
import { rejectionsOf } from './rejected-commits.ts'
import { relinked, type UnlinkedCommit } from './relink.ts'
import { atRiskIn, type Salvage, type SalvagedCommit, salvage } from './salvage.ts'
import { settleAmendments } from './salvaged-amendments.ts'
import { keptVerdict, verdictEntry } from './verdict-book.ts'

/** What tells of other things than the log's content, and stays. */
const KEPT = ['tabs/', 'rejection/', 'verdict/', 'erasure/', 'sync/server-key', QUARANTINE]

export type RestoreParts = Readonly<{
  storeId: string
  hash: HashProvider
  /** What is known of where the log ended, from outside of the storage. */
  anchor?: HeadAnchor | null
}>

export type Restored = Salvage &
  Readonly<{
    /** What is not taken over of what can be read, as the application is told of it. */
    rejected: readonly Rejection[]
    /** What the application is told of it all. */
    verdict: Verdict
  }>

/**
 * In one transaction, so that a crash leaves the log as it was, or as it will be with all that has to be told of it. The
 * storage must be open.
 *
 * @throws `StoreError` `invalid-argument` for a storage that cannot be begun anew
 */
export async function restoreLog(
  storage: LogStorage,
  { storeId, hash, anchor }: RestoreParts,
): Promise<Restored> {
  if (!storage.reset) {
    throw new StoreError(
      'invalid-argument',
      'This storage cannot be begun anew: restore its database instead',
    )
  }
  const end = anchor?.storeId === storeId ? anchor.size : 0
  const salvaged = await salvage(storage, hash, end)
  const { pending, loose } = settleAmendments(salvaged.pending)
  const looseOnes = loose.map(commit => ({ ...commit, why: 'loose-amendment' as const }))
  const rejected = await rejectionsOf([...salvaged.setAside, ...looseOnes], storage, hash)
  const kept = (await Promise.all(KEPT.map(prefix => storage.list(prefix)))).flat()
  const quarantined = salvaged.quarantine.map(block => [quarantineKey(block), block.bytes] as const)
  const erasures = await erasureCommits(pending, storage, hash)
  const restored = { ...salvaged, pending, rejected }
  const verdict = verdictOn(restored)
  await storage.reset(
    await relinked([...erasures, ...pending, systemCommit(verdictEntry(verdict))], storeId, hash),
    // What was told of a commit already stays as it was told.
    Object.fromEntries([
      ...quarantined,
      ...rejected.map(keptRejection),
      ...kept,
      keptVerdict(verdict),
    ]) as Record<string, Uint8Array<ArrayBuffer>>,
  )
  return { ...restored, verdict }
}

function verdictOn(restored: Omit<Restored, 'verdict'>): Verdict {
  const { pending, rejected, quarantine, firstLost } = restored
  const kept = pending.reduce((sum, { entries }) => sum + entries.length, 0)
  return {
    id: newEventId(),
    finding: 'damaged',
    action: 'restored',
    at: firstLost ?? 1,
    atRisk: atRiskIn(restored),
    detail: `${kept} pending events were taken over, ${rejected.length} commits are told as rejected, ${quarantine.length} blocks are in quarantine`,
    foundAt: Date.now(),
  }
}

const systemCommit = (entry: SystemEntry): UnlinkedCommit => ({
  entries: [{ ...systemEntry(entry), streamName: entry.streamName }],
  note: null,
})

/** What was erased is named in the log that has it: those who verify it ask for that. */
async function erasureCommits(
  pending: readonly SalvagedCommit[],
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
  return records.map(record => systemCommit(erasureEntry(record)))
}

/** Of events that are known to be erased by nothing but that they are. */
function recordOf(entries: readonly Entry[], number: number): ErasureRecord {
  const eventIds = entries.map(({ eventId }) => eventIdOf(eventId))
  return { number, eventIds, reason: null, erasedAt: Date.now(), origin: 'here', touched: [] }
}
