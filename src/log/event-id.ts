// Event ids: UUIDs as text for people, 16 bytes in the log.

import { parse, v5, v7, validate } from 'uuid'
import { hexOf } from './bytes.ts'

export const ID_BYTES = 16

/** A new version 7 UUID (RFC 9562): ids made later sort later. */
export const newEventId = (): string => v7()

/** The id of the nth event that one cause gives rise to: the same for the same cause and n (RFC 9562, version 5). */
export const derivedEventId = (cause: string, n: number): string => v5(String(n), cause)

export const isEventId = (value: unknown): value is string => validate(value)

export const bytesOfEventId = (id: string): Uint8Array => parse(id)

/** Any 16 bytes, so that a foreign entry with an odd id can still be named in an error. */
export function eventIdOf(bytes: Uint8Array): string {
  const hex = hexOf(bytes)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
