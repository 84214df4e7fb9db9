// Holds an exported log against all that can be told without the store that it is of: every hash and link, what was
// erased, the checkpoint, and what its head says of it.

import { parsePerhapsSigned } from '../../integrity/checkpoint.ts'
import { type LogFileHead, readLogFile } from '../../integrity/log-file.ts'
import { decodeBlock } from '../../log/block.ts'
import { hexOf } from '../../log/bytes.ts'
import { KIND_ERASED, KIND_SYSTEM } from '../../log/entry.ts'
import { createSha256 } from '../../log/sha256/create-sha256.ts'
import type { VerifyOptions, VerifyReport } from '../../model/event-store.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import type { ErasureRecord } from '../erasure/erasure-record.ts'
import type { EventLog } from '../event-log.ts'
import { openLog } from '../open-log.ts'
import { readAhead } from '../read-ahead.ts'
import { logFileStorage } from './log-file-storage.ts'

/** Events and amendments of a log. */
export type EntryCounts = Readonly<{
  confirmed: number
  /** No server has confirmed them. */
  pending: number
  /** A rebase took them up again behind others, or they were rejected. */
  superseded: number
  /** Of all of these, without their content. */
  erased: number
}>

export type CheckedLogFile = Readonly<{
  head: LogFileHead
  /** Of the entries. */
  report: VerifyReport
  /** The entries have the root of the checkpoint. */
  isOfCheckpoint: boolean
  /** False where the device could not sign: then nobody but the file itself says what it is. */
  isSigned: boolean
  /** The head says of what is pending what the entries say. */
  isMarked: boolean
  counts: EntryCounts
  /** What was erased in it, oldest first. */
  erasures: readonly ErasureRecord[]
  /** Open, to read the blocks from. */
  storage: LogStorage
}>

/**
 * Reads the file twice and keeps little of it.
 *
 * @throws `StoreError` `malformed-proof` for a file that is none, or is cut off; `unsupported-format`; `LogDamaged` for
 * one that does not hold enough to be opened; the signal's reason
 */
export async function checkLogFile(
  file: Blob,
  options: Pick<VerifyOptions, 'onProgress' | 'signal'> = {},
): Promise<CheckedLogFile> {
  const hash = await createSha256()
  const found = await readLogFile(file, hash)
  const { head } = found
  const { checkpoint, note } = parsePerhapsSigned(head.checkpoint)
  const storage = logFileStorage(found, file)
  const log = await openLog({ storage, storeId: head.storeId })
  try {
    const report = await log.verify(options)
    const isWhole = report.ok && report.headPosition === head.size
    return {
      head,
      report,
      isOfCheckpoint: isWhole && checkpoint.size === head.size && report.rootHash === hexOf(checkpoint.root),
      isSigned: note !== null,
      isMarked:
        log.cursor().confirmedThrough === head.confirmedThrough && log.pendingCount() === head.pending,
      counts: await countEntries(log, storage),
      erasures: log.erasures.records,
      storage,
    }
  } finally {
    await log.close()
    // What is closed with the log holds nothing but the file.
    await storage.open()
  }
}

async function countEntries(log: EventLog, storage: Pick<LogStorage, 'read'>): Promise<EntryCounts> {
  const counts = { confirmed: 0, superseded: 0, erased: 0 }
  const { confirmedThrough } = log.cursor()
  for await (const blocks of readAhead(range => storage.read(range), 1, log.head())) {
    for (const { bytes, firstPosition } of blocks) {
      for (const [i, kind] of decodeBlock(bytes, firstPosition).kinds.entries()) {
        if (kind === KIND_SYSTEM) continue
        if (kind === KIND_ERASED) counts.erased++
        const position = firstPosition + i
        if (!log.isEffective(position)) counts.superseded++
        else if (position <= confirmedThrough) counts.confirmed++
      }
    }
  }
  return { ...counts, pending: log.pendingCount() }
}
