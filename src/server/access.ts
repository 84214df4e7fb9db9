// Who may do what: the application says so from the request, never from its path.

/**
 * Streams by name. A pattern is a whole name, or the beginning of names with a `*` at its end: `cart-*` are all
 * streams that begin with `cart-`, `*` all there are. A `*` elsewhere is an error; for more than that, write a function.
 */
export type StreamTest = readonly string[] | ((streamName: string) => boolean)

/** What a request may do, and in which store. */
export type Access = Readonly<{
  storeId: string
  /**
   * All of the store or nothing: what a replica has must have no gaps, or it could not prove to itself that it has
   * what the server signed. What some may not read belongs in another store.
   */
  read: boolean
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
  if (typeof append === 'function') return append
  const [names, prefixes] = [new Set<string>(), [] as string[]]
  for (const pattern of append) {
    const star = pattern.indexOf('*')
    if (star !== -1 && star < pattern.length - 1) {
      throw new TypeError(`"${pattern}" is no pattern of streams: a * stands at the end`)
    }
    if (star === -1) names.add(pattern)
    else prefixes.push(pattern.slice(0, star))
  }
  return name => names.has(name) || prefixes.some(prefix => name.startsWith(prefix))
}
