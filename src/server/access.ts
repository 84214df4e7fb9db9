// Who may do what: the application says so from the request, never from its path.

import { isWithin, type StreamPattern, streamMatcher } from '../log/stream-pattern.ts'

/** Streams by name. For more than patterns can say, write a function. */
export type StreamTest = readonly StreamPattern[] | ((streamName: string) => boolean)

/** What a request may do, and in which store. */
export type Access = Readonly<{
  storeId: string
  /**
   * All of the store, nothing, or the streams that match: then a replica has to say which of them it wants, by
   * `sync.streams`, and gets no others. No function: the server must be able to tell whether what is wanted lies within.
   */
  read: boolean | readonly StreamPattern[]
  /** To all streams, none, or those that a test lets through. A commit is let through whole or not at all. */
  append: boolean | StreamTest
  /** Whether it may have what is in events removed for good, for all replicas. Default false. */
  erase?: boolean
  /** Whose credentials these are, such as a user's or a device's id: for rate limits and the log. */
  subject?: string
  /** When they end, in milliseconds since the Unix epoch: no stream of hints outlives that. */
  expiresAt?: number
}>

/**
 * Looks at a request's credentials. Null when they say nothing or are not valid (401). The store comes from here
 * alone, so a client cannot name another tenant's. Asked again for each stream of hints while it lives, so it must not
 * read the body. Throw {@link Unavailable} when it cannot be known now.
 */
export type Authorize = (request: Request) => Access | null | Promise<Access | null>

/** Not known now, and no fault of the request: 503, which a client tries again later. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/** The token of `Authorization: Bearer <token>` (RFC 6750, section 2.1), null where there is none. */
export function bearerToken(request: Request): string | null {
  return /^Bearer +([\w\-.~+/]+=*) *$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? null
}

/** Whether it may append at all. Of a function nobody knows before it is asked. */
export const mayAppend = ({ append }: Access): boolean =>
  Array.isArray(append) ? append.length > 0 : !!append

/** @throws `TypeError` for a pattern that is none */
export function streamTest({ append }: Access): (streamName: string) => boolean {
  if (typeof append === 'boolean') return () => append
  return typeof append === 'function' ? append : streamMatcher(append)
}

/** @throws `TypeError` for a pattern that is none */
export function readTest(access: Pick<Access, 'read'>): (streamName: string) => boolean {
  const patterns = readablePatterns(access)
  return patterns ? streamMatcher(patterns) : () => true
}

/** Whether all that may be read with one access may be with another. */
export function readsAsMuch(now: Pick<Access, 'read'>, before: Pick<Access, 'read'>): boolean {
  const [patterns, wanted] = [readablePatterns(now), readablePatterns(before)]
  return patterns === null || (wanted !== null && isWithin(wanted, patterns))
}

/** Of which streams a request may be told: null for all. None where it may not read. */
export const readablePatterns = ({ read }: Pick<Access, 'read'>): readonly StreamPattern[] | null =>
  typeof read === 'boolean' ? (read ? null : []) : read
