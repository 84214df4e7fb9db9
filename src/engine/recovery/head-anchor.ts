// Where the log ended, written down outside its storage: so that a database that was emptied, cut or rolled back is
// not taken for what it was.

import type { Hash } from '../../log/event.ts'
import type { EventLog } from '../event-log.ts'

export type HeadAnchor = Readonly<{
  format: 1
  storeId: string
  /** Entries of the log. */
  size: number
  /** Hash of the last of them. */
  hash: Hash
  /** How many of its events the server had not confirmed. */
  pending: number
  /** What its entries said took as many. Left out by older anchors. */
  bytes?: number
}>

/** What of a log an anchor is about. */
export type AnchoredLog = Pick<EventLog, 'storeId' | 'head' | 'proofs' | 'pendingCount' | 'contentBytes'>

/** Null for an empty log: there is nothing to hold on to. */
export async function anchorOf(log: AnchoredLog): Promise<HeadAnchor | null> {
  const [storeId, size] = [log.storeId, log.head()]
  if (size === 0) return null
  const [pending, bytes] = [log.pendingCount(), log.contentBytes()]
  return { format: 1, storeId, size, hash: await log.proofs.hashAt(size), pending, bytes }
}

/** Null for text that is no anchor: one of a later version is as none. */
export function parseAnchor(text: string): HeadAnchor | null {
  try {
    const value: unknown = JSON.parse(text)
    return isAnchor(value) ? value : null
  } catch {
    return null
  }
}

function isAnchor(value: unknown): value is HeadAnchor {
  if (typeof value !== 'object' || value === null) return false
  const { format, storeId, size, hash, pending, bytes } = value as Record<string, unknown>
  return (
    format === 1 &&
    typeof storeId === 'string' &&
    typeof hash === 'string' &&
    Number.isSafeInteger(size) &&
    Number.isSafeInteger(pending) &&
    (bytes === undefined || Number.isSafeInteger(bytes))
  )
}
