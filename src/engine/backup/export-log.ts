// Gives out a whole log as one file, part by part: each is asked for by position, so that nothing is kept in between.

import { logFileBlocks, logFileStart } from '../../integrity/log-file.ts'
import type { Block, StoredBlock } from '../../log/block.ts'
import { BlockWriter } from '../../log/block-writer.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { checkBlock } from '../block-store.ts'
import type { EventLog } from '../event-log.ts'

/** Bytes of blocks in one part, about. */
const PART_BYTES = 1024 * 1024

type ExportParts = Readonly<{ storage: Pick<LogStorage, 'read'>; hash: HashProvider }>

/** How the file begins, and how many entries it has. @throws `LogDamaged` when the log is not what was signed. */
export async function exportStart(
  log: Pick<EventLog, 'storeId' | 'hash' | 'proofs' | 'cursor' | 'pendingCount'>,
): Promise<Readonly<{ bytes: Uint8Array<ArrayBuffer>; size: number }>> {
  let marks = { confirmedThrough: 0, pending: 0 }
  // Of the log as the checkpoint has it: it may be another one when the checkpoint is signed.
  const { size, text } = await log.proofs.checkpoints.make(() => {
    marks = { confirmedThrough: log.cursor().confirmedThrough, pending: log.pendingCount() }
  })
  const head = { storeId: log.storeId, size, ...marks, exportedAt: Date.now(), checkpoint: text }
  return { bytes: logFileStart(head, log.hash), size }
}

/**
 * What follows in the file behind the first `after` entries. Blocks come as they are stored; one that was merged across
 * the end, or across where the last part ended, is cut there.
 *
 * @param size of the file, where a commit ends
 * @throws `LogDamaged`: what cannot be read is not passed on.
 */
export async function exportPart(
  after: GlobalPosition,
  size: number,
  { storage, hash }: ExportParts,
): Promise<Readonly<{ bytes: Uint8Array<ArrayBuffer>; through: GlobalPosition }>> {
  const stored = await storage.read({ from: after + 1, to: size, maxBytes: PART_BYTES })
  const blocks = await Promise.all(
    stored.map(async one => within(one, await checkBlock(one, hash), { after, size }, hash)),
  )
  const through = Math.min(size, stored.at(-1)?.lastPosition ?? after)
  const bytes = blocks.flat().map(block => block.bytes)
  return { bytes: logFileBlocks(bytes, through === size), through }
}

function within(
  stored: StoredBlock,
  block: Block,
  { after, size }: Readonly<{ after: GlobalPosition; size: number }>,
  hash: HashProvider,
): readonly StoredBlock[] | Promise<StoredBlock[]> {
  if (stored.firstPosition > after && stored.lastPosition <= size) return [stored]
  const first = Math.max(0, after + 1 - block.firstPosition)
  const last = Math.min(block.count - 1, size - block.firstPosition)
  const writer = new BlockWriter(hash, block.firstPosition + first)
  const noteAt = new Map(block.commits.map(({ lastIndex, note }) => [lastIndex, note]))
  for (let i = first; i <= last; i++) {
    writer.add(block.entry(i))
    const note = noteAt.get(i)
    if (note !== undefined) writer.endCommit(note)
  }
  return writer.finish()
}
