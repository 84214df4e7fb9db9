// Makes a proof of an entry that is a file of its own: the entry, its place, and a signed checkpoint above it.

import { openEntry } from '../integrity/opened-entry.ts'
import { formatTlogProof } from '../integrity/tlog-proof.ts'
import { StoreError } from '../log/errors.ts'
import type { LogCheckpoint } from '../log/proofs.ts'
import type { ExportProofOptions } from '../model/event-store.ts'
import { type ProofParts, positionOf } from './prove.ts'

/**
 * @param checkpoint of this log, with the event in it
 * @throws `StoreError` `unknown-event`; `not-signed` for a checkpoint without a signature
 */
export async function exportProof(
  eventId: string,
  checkpoint: LogCheckpoint,
  parts: ProofParts,
  { content = true }: ExportProofOptions = {},
): Promise<string> {
  const position = positionOf(eventId, parts)
  if (checkpoint.signing.status === 'unsigned') {
    const { reason } = checkpoint.signing
    throw new StoreError('not-signed', `Nobody signs this log: ${reason}`, { reason })
  }
  const block = await parts.blocks.holding(position)
  const entry = block.entry(position - block.firstPosition)
  const hashes = await parts.tree.inclusionProof(position - 1, checkpoint.size)
  const extra = openEntry(entry, parts.hash, content)
  return formatTlogProof({ index: position - 1, hashes, checkpoint: checkpoint.text, extra })
}
