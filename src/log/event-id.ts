// Event ids: UUIDs as text for people, 16 bytes in the log.

import { parse, v5, v7, validate } from 'uuid'
import { hexOf } from './bytes.ts'
import { fillRandom } from './random-bytes.ts'

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

/**
 * Writes the bytes of a UUID given as text. False, with nothing of meaning written, for any other value. Does what
 * {@link isEventId} and {@link bytesOfEventId} do in a tenth of their time: an append calls it for each event.
 */
export function writeEventId(id: unknown, target: Uint8Array, offset: number): boolean {
  if (typeof id !== 'string' || id.length !== TEXT_LENGTH) return false
  let known = 0
  for (let i = 0; i < ID_BYTES; i++) {
    const at = PLACES[i]!
    const byte = (digit(id.charCodeAt(at)) << 4) | digit(id.charCodeAt(at + 1))
    known |= byte
    target[offset + i] = byte
  }
  // A digit that is none has set every bit above.
  if (known < 0 || DASHES.some(at => id.charCodeAt(at) !== DASH)) return false
  return isUuid(target, offset)
}

const TEXT_LENGTH = 36
const DASH = 0x2d
const DASHES = [8, 13, 18, 23]
/** Where the two digits of each byte stand. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

/** The value of a hexadecimal digit, -1 for any other character. */
function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** RFC 9562: versions 1 to 8 of its variant, and the two that are all zeros and all ones. */
function isUuid(bytes: Uint8Array, offset: number): boolean {
  const version = bytes[offset + 6]! >> 4
  const variant = bytes[offset + 8]! >> 6
  if (version >= 1 && version <= 8 && variant === 2) return true
  const end = offset + ID_BYTES
  const first = bytes[offset]!
  if (first !== 0 && first !== 0xff) return false
  for (let i = offset; i < end; i++) if (bytes[i] !== first) return false
  return true
}

/** Any 16 bytes, so that a foreign entry with an odd id can still be named in an error. */
export function eventIdOf(bytes: Uint8Array): string {
  const hex = hexOf(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const random = new Uint8Array(ID_BYTES)
let lastMs = 0
let lastSeq = 0

/** Time, then a counter within the millisecond that begins anywhere in its lower half, then random bytes. */
function nextMoment(): { msecs: number; seq: number; random: Uint8Array } {
  fillRandom(random)
  const now = Date.now()
  if (now > lastMs || lastSeq === MAX_SEQ) {
    lastMs = Math.max(now, lastMs + 1)
    lastSeq = (random[0]! << 23) | (random[1]! << 15) | (random[2]! << 7) | (random[3]! >> 1)
  } else lastSeq++
  return { msecs: lastMs, seq: lastSeq, random }
}

const MAX_SEQ = 0xffffffff
