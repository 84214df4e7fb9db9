// Holds a log against what others know of it: its anchor, its own last checkpoint, its witness.

import { hexOf } from '../../log/bytes.ts'
import type { LogCheckpoint } from '../../log/proofs.ts'
import type { AnchoredLog, HeadAnchor } from './head-anchor.ts'
import { ifReadable } from './if-readable.ts'
import type { Found } from './recovery-machine.ts'

/** What has become of a log since its anchor was written, if it should not have; null if nothing. */
export async function compareWithAnchor(anchor: HeadAnchor, log: AnchoredLog): Promise<Found | null> {
  const { size, pending, bytes: anchored } = anchor
  // Another store stands under the same name now.
  if (anchor.storeId !== log.storeId) return null
  if (log.head() < size) return shortened({ size, pending, bytes: anchored }, log)
  const hash = await ifReadable(() => log.proofs.hashAt(size))
  if (hash === null || hash === anchor.hash) return null
  const detail = `Entry ${size} had the hash ${anchor.hash}, and has ${hash}`
  return {
    finding: 'head-mismatch',
    at: size,
    atRisk: { events: size, unsynced: pending, bytes: log.contentBytes() },
    detail,
  }
}

/** The same by a log's own last checkpoint: it knows of the end that was cut off, and of every entry before. */
export async function compareWithCheckpoint(
  { size, rootHash }: LogCheckpoint,
  log: AnchoredLog,
): Promise<Found | null> {
  const pending = log.pendingCount()
  if (log.head() < size) return shortened({ size, pending: size }, log)
  const root = await ifReadable(async () => hexOf(await log.proofs.treeRoot(size)))
  if (root === null || root === rootHash) return null
  const detail = `The first ${size} entries had the root ${rootHash}, and have ${root}`
  return {
    finding: 'head-mismatch',
    at: 1,
    atRisk: { events: size, unsynced: pending, bytes: log.contentBytes() },
    detail,
  }
}

/** What a witness found, who is as far from the log as any other device. */
export function foundByWitness(
  answer: Readonly<{ type: 'behind'; pinned: number } | { type: 'forked'; pinned: string | null }>,
  log: AnchoredLog,
): Found {
  const head = log.head()
  if (answer.type === 'forked') {
    const detail = `The log of ${head} entries does not go on from the one that the witness has signed`
    return {
      finding: 'forked',
      at: 1,
      atRisk: { events: head, unsynced: log.pendingCount(), bytes: log.contentBytes() },
      detail,
    }
  }
  const detail = `The witness has signed ${answer.pinned} entries of this log, which has ${head}`
  const events = answer.pinned - head
  return {
    finding: 'behind-witness',
    at: head + 1,
    atRisk: { events, unsynced: events, bytes: null },
    detail,
  }
}

type Before = Readonly<{
  size: number
  /** How many events the server had not confirmed, at most. */
  pending: number
  bytes?: number | undefined
}>

function shortened({ size, pending, bytes }: Before, log: AnchoredLog): Found {
  const head = log.head()
  const events = size - head
  return {
    finding: head === 0 ? 'wiped' : 'truncated',
    at: head + 1,
    atRisk: {
      events,
      unsynced: Math.min(events, pending),
      bytes: bytes === undefined ? null : Math.max(0, bytes - log.contentBytes()),
    },
    detail: `The log had ${size} entries, and has ${head}`,
  }
}
