// What sync learned, as an entry of the log: so every tab learns it in the log's own order, by the same
// compare-and-set that guards every append, and it is hashed and chained like anything else.

import type { CompactRange } from '../integrity/compact-range.ts'
import { hexOf, textOf, utf8 } from '../log/bytes.ts'
import { LogDamaged } from '../log/errors.ts'
import { type GlobalPosition, SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import type { SystemEntry } from './draft.ts'
import type { SyncCursor } from './event-log.ts'

export const SYNC_STREAM = `${SYSTEM_STREAM_PREFIX}sync`
export const SYNC_FACT_TYPE = 'server-position-reached'
/** The server's log is another one than before, or other streams of it are wanted: what is behind the new cursor is not confirmed any more. */
export const REJOIN_FACT_TYPE = 'server-log-changed'

/** The new cursor, and from where on earlier entries are superseded by those that follow this one. */
export type SyncFact = SyncCursor &
  Readonly<{
    supersededFrom: GlobalPosition | null
    /**
     * Roots of the perfect subtrees of the server's log up to the cursor, in hex: of a replica that has not all of its
     * entries, and could not find them out again.
     */
    tree?: readonly string[]
  }>

export const syncFactEntry = (
  fact: SyncFact,
  recordedAt: number,
  type: typeof SYNC_FACT_TYPE | typeof REJOIN_FACT_TYPE = SYNC_FACT_TYPE,
): SystemEntry => ({
  streamName: SYNC_STREAM,
  type,
  payload: utf8(JSON.stringify(fact)),
  recordedAt,
})

/** What a fact says besides, where not all streams are held. */
export const partOf = (
  streams: readonly StreamPattern[] | undefined,
  tree: CompactRange,
): Pick<SyncFact, 'streams' | 'tree'> => (streams ? { streams, tree: tree.roots.map(hexOf) } : {})

/** @throws {@link LogDamaged} when the payload of a sync entry is none. */
export function readSyncFact(payload: Uint8Array, position: GlobalPosition): SyncFact {
  const value: unknown = JSON.parse(textOf(payload))
  if (!isSyncFact(value)) throw new LogDamaged(position, 'a sync entry cannot be read')
  return value
}

function isSyncFact(value: unknown): value is SyncFact {
  if (typeof value !== 'object' || value === null) return false
  const { epoch, serverPosition, confirmedThrough, supersededFrom, streams, tree } = value as Record<
    string,
    unknown
  >
  return (
    typeof epoch === 'string' &&
    Number.isSafeInteger(serverPosition) &&
    Number.isSafeInteger(confirmedThrough) &&
    (supersededFrom === null || Number.isSafeInteger(supersededFrom)) &&
    (streams === undefined || areTexts(streams)) &&
    (tree === undefined || areTexts(tree))
  )
}

const areTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every(text => typeof text === 'string')
