// Who is let in: how often somebody asks, who it is, and what that one may, all before a body is read.

import { type Access, type Authorize, mayAppend, readablePatterns } from './access.ts'
import { HttpFailure } from './http-failure.ts'
import type { RateLimiter } from './rate-limit.ts'
import type { RequestRecord } from './request-record.ts'

/** How often who may ask; unbounded where one is left out. `createTokenBuckets` makes them. */
export type SyncServerRates = Readonly<{
  /** By address, before anything else is looked at. */
  address?: RateLimiter
  /** By the store and the subject that `authorize` names; who has none is not counted. */
  subject?: RateLimiter
  /** By store, all of its clients together. */
  store?: RateLimiter
}>

export type GateOptions = Readonly<{
  authorize: Authorize
  rates: SyncServerRates
  address: string | undefined
  /** Where to note who it is. */
  record: RequestRecord
}>

/** @throws {@link HttpFailure} 401, 403 without the right that the method needs, 429 */
export async function letIn(
  request: Request,
  { authorize, rates, address, record }: GateOptions,
): Promise<Access> {
  await count(rates.address, address)
  const access = await authorize(request)
  if (!access) throw new HttpFailure(401, 'unauthenticated', 'Send a valid bearer token')
  const { storeId, subject } = access
  // A claim that is missing makes `undefined`: all who lack it would share one store.
  if (typeof storeId !== 'string' || storeId === '') throw new TypeError('authorize named no store')
  record.storeId = storeId
  record.subject = subject ?? null
  await count(rates.subject, subject && JSON.stringify([storeId, subject]))
  await count(rates.store, storeId)
  if (request.method === 'POST' && !mayAppend(access)) throw mayNot('append')
  if (request.method !== 'POST' && readablePatterns(access)?.length === 0) throw mayNot('read')
  return access
}

export const mayNot = (right: string): HttpFailure =>
  new HttpFailure(403, 'forbidden', `This token may not ${right}`)

async function count(limiter: RateLimiter | undefined, key: string | undefined): Promise<void> {
  const waitMs = limiter && key ? await limiter.take(key) : 0
  if (waitMs <= 0) return
  const retryAfterSeconds = Math.ceil(waitMs / 1000)
  throw new HttpFailure(429, 'too-many-requests', 'Too many requests. Try again later', { retryAfterSeconds })
}
