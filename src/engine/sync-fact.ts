// What sync learned, as an entry of the log: so every tab learns it in the log's own order, by the same
// compare-and-set that guards every append, and it is hashed and chained like anything else.

import { textOf, utf8 } from '../log/bytes.ts'
import { LogDamaged } from '../log/errors.ts'
import { type GlobalPosition, SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import type { SystemEntry } from './draft.ts'
import type { SyncCursor } from './event-log.ts'

export const SYNC_STREAM = `${SYSTEM_STREAM_PREFIX}sync`
export const SYNC_FACT_TYPE = 'server-position-reached'
/** The server's log is another one than before: what is behind the new cursor is not confirmed any more. */
export const REJOIN_FACT_TYPE = 'server-log-changed'

/** The new cursor, and from where on earlier entries are superseded by those that follow this one. */
export type SyncFact = SyncCursor & Readonly<{ supersededFrom: GlobalPosition | null }>

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

/** @throws {@link LogDamaged} when the payload of a sync entry is none. */
export function readSyncFact(payload: Uint8Array, position: GlobalPosition): SyncFact {
  const value: unknown = JSON.parse(textOf(payload))
  if (!isSyncFact(value)) throw new LogDamaged(position, 'a sync entry cannot be read')
  return value
}

function isSyncFact(value: unknown): value is SyncFact {
  if (typeof value !== 'object' || value === null) return false
  const { epoch, serverPosition, confirmedThrough, supersededFrom } = value as Record<string, unknown>
  return (
    typeof epoch === 'string' &&
    Number.isSafeInteger(serverPosition) &&
    Number.isSafeInteger(confirmedThrough) &&
    (supersededFrom === null || Number.isSafeInteger(supersededFrom))
  )
}
