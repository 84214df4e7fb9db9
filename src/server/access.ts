// Who may do what: the application says so from the request, never from its path.

/** What a request may do, and in which store. */
export type Access = Readonly<{
  storeId: string
  read: boolean
  append: boolean
  /** Whether it may have what is in events removed for good, for all replicas. Default false. */
  erase?: boolean
}>

/**
 * Looks at a request's credentials. Null when they say nothing or are not valid (401). The store comes from here
 * alone, so a client cannot name another tenant's.
 */
export type Authorize = (request: Request) => Access | null | Promise<Access | null>

/** The token of `Authorization: Bearer <token>` (RFC 6750, section 2.1), null where there is none. */
export function bearerToken(request: Request): string | null {
  return /^Bearer +([\w\-.~+/]+=*) *$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? null
}
