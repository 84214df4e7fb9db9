// Event ids: UUIDs as text for people, 16 bytes in the log.

import { parse, v5, v7, validate } from 'uuid'
import { hexOf } from './bytes.ts'

export const ID_BYTES = 16

/** A new version 7 UUID (RFC 9562): ids made later sort later. */
export const newEventId = (): string => v7(nextMoment())

/** The same, written as bytes. */
export function writeNewEventId(target: Uint8Array, offset: number): void {
  v7(nextMoment(), target, offset)
}

/** The id of the nth event that one cause gives rise to: the same for the same cause and n (RFC 9562, version 5). */
export const derivedEventId = (cause: string, n: number): string => v5(String(n), cause)

export const isEventId = (value: unknown): value is string => validate(value)

export const bytesOfEventId = (id: string): Uint8Array => parse(id)

/** Any 16 bytes, so that a foreign entry with an odd id can still be named in an error. */
export function eventIdOf(bytes: Uint8Array): string {
  const hex = hexOf(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Random bytes are drawn for many ids at once: a draw costs more than the rest of the id. */
const pool = new Uint8Array(ID_BYTES * 256)
let drawn = pool.length
let lastMs = 0
let lastSeq = 0

/** Time, then a counter within the millisecond that begins anywhere in its lower half, then random bytes. */
function nextMoment(): { msecs: number; seq: number; random: Uint8Array } {
  const random = drawRandom()
  const now = Date.now()
  if (now > lastMs || lastSeq === MAX_SEQ) {
    lastMs = Math.max(now, lastMs + 1)
    lastSeq = (random[0]! << 23) | (random[1]! << 15) | (random[2]! << 7) | (random[3]! >> 1)
  } else lastSeq++
  return { msecs: lastMs, seq: lastSeq, random }
}

const MAX_SEQ = 0xffffffff

function drawRandom(): Uint8Array {
  if (drawn === pool.length) {
    crypto.getRandomValues(pool)
    drawn = 0
  }
  drawn += ID_BYTES
  return pool.subarray(drawn - ID_BYTES, drawn)
}
