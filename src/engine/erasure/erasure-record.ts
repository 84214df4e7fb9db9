// A record of an erasure: kept in the side table, and on a device as an entry of the log, too, where it is hashed and
// chained like anything else.

import { textOf, utf8 } from '../../log/bytes.ts'
import { LogDamaged } from '../../log/errors.ts'
import { type GlobalPosition, SYSTEM_STREAM_PREFIX } from '../../log/event.ts'
import type { Erasure } from '../../model/erasure.ts'
import type { SystemEntry } from '../draft.ts'

export const ERASURE_STREAM = `${SYSTEM_STREAM_PREFIX}erasures`
const TYPE = 'events-erased'

export type ErasureRecord = Erasure &
  Readonly<{
    /** Its place in this replica's list, counted from 1. */
    number: number
    /**
     * Who asked: somebody here, so that the server has to be told, or the server. `keys`: nothing was erased, but events can
     * be read now that could not, or the other way round, for the keys that this device has.
     */
    origin: 'here' | 'server' | 'keys'
    /** Streams that an erased entry is of, and the position of the first one. The name '' stands for all streams. */
    touched: readonly (readonly [streamName: string, position: GlobalPosition])[]
  }>

export const erasureEntry = (record: ErasureRecord): SystemEntry => ({
  streamName: ERASURE_STREAM,
  type: TYPE,
  payload: erasureBytes(record),
  recordedAt: record.erasedAt,
})

export const erasureBytes = (record: ErasureRecord): Uint8Array<ArrayBuffer> => utf8(JSON.stringify(record))

/** @throws {@link LogDamaged} when it is none. */
export function readErasure(bytes: Uint8Array, position: GlobalPosition): ErasureRecord {
  const value: unknown = JSON.parse(textOf(bytes))
  if (!isErasure(value)) throw new LogDamaged(position, 'the record of an erasure cannot be read')
  return value
}

function isErasure(value: unknown): value is ErasureRecord {
  if (typeof value !== 'object' || value === null) return false
  const { number, eventIds, touched } = value as Record<string, unknown>
  return Number.isSafeInteger(number) && Array.isArray(eventIds) && Array.isArray(touched)
}
