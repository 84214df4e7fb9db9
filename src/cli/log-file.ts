// Verifies an exported log: puts it into a log in memory, which is verified as any other.

import { openLog } from '../engine/open-log.ts'
import { type LogFile, parseLogFile } from '../integrity/log-file.ts'
import { type Check, verifyCheckpoint } from '../integrity/verify-text.ts'
import { decodeBlock, type StoredBlock } from '../log/block.ts'
import { isStoreError } from '../log/errors.ts'
import type { VerifyReport } from '../model/event-store.ts'
import { memoryStorage } from '../storage/memory/memory-storage.ts'
import { checkpointInWords, type Finding, type Trusted } from './verify-file.ts'

/** @throws `StoreError` `malformed-proof` for a file that is none, or is cut off */
export async function verifyLogFile(bytes: Uint8Array, { keys }: Pick<Trusted, 'keys'>): Promise<Finding> {
  const file = parseLogFile(bytes)
  const { head } = file
  const [verdict, log] = await Promise.all([verifyCheckpoint(head.checkpoint, { keys }), verifyBlocks(file)])
  const isOfCheckpoint =
    log.report?.ok === true &&
    log.report.headPosition === verdict.checkpoint?.size &&
    log.report.rootHash === verdict.checkpoint.rootHash
  const steps = [
    { name: 'log', outcome: log.report?.ok ? 'holds' : 'fails', detail: log.detail },
    { name: 'checkpoint', outcome: isOfCheckpoint ? 'holds' : 'fails', detail: rootDetail(isOfCheckpoint) },
    ...verdict.checks,
  ] satisfies readonly { name: string; outcome: Check['outcome']; detail: string }[]
  const holds = isOfCheckpoint && verdict.holds
  return {
    kind: 'An exported log',
    holds,
    isTrusted: holds && verdict.isTrusted,
    steps,
    shows: holds
      ? [
          `Store ${head.storeId}, exported ${new Date(head.exportedAt).toISOString()}`,
          `${head.size} entries, ${log.report!.ok ? log.report!.events : 0} events, ${log.pending} of them not confirmed by a server`,
          ...checkpointInWords(verdict),
        ]
      : [],
  }
}

const rootDetail = (isOfCheckpoint: boolean): string =>
  isOfCheckpoint
    ? 'the root of the entries is that of the checkpoint'
    : 'the entries do not have the root of the checkpoint'

type VerifiedBlocks = Readonly<{ report: VerifyReport | null; detail: string; pending: number }>

async function verifyBlocks({ head, blocks }: LogFile): Promise<VerifiedBlocks> {
  const storage = memoryStorage()
  await storage.open()
  try {
    const stored = storedBlocks(blocks)
    await storage.append(0, stored)
    await storage.close()
    const log = await openLog({ storage, storeId: head.storeId })
    const report = await log.verify()
    const pending = log.pendingCount()
    await log.close()
    return { report, detail: report.ok ? '' : `position ${report.at}: ${report.detail}`, pending }
  } catch (error) {
    if (!isStoreError(error)) throw error
    return { report: null, detail: error.message, pending: 0 }
  }
}

/** One behind the other, from the first position on: whatever else they say is found out. */
function storedBlocks(blocks: readonly Uint8Array<ArrayBuffer>[]): StoredBlock[] {
  let next = 1
  return blocks.map(bytes => {
    const firstPosition = next
    const { count } = decodeBlock(bytes, firstPosition)
    next += count
    return { firstPosition, lastPosition: next - 1, bytes }
  })
}
