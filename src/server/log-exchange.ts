// What a replica asks of a store's log, out of its request; and the answers of the state machine, as responses.

import { formatVerifierKey, type NoteSigner } from '../integrity/note-key.ts'
import { isWithin, type StreamPattern, streamMatcher } from '../log/stream-pattern.ts'
import type { EraseReceipt, ErasuresPage } from '../protocol/erasure-messages.ts'
import { FEATURES, PROTOCOL_VERSION } from '../protocol/negotiation.ts'
import {
  encodePrefixResponse,
  encodePullResponse,
  type PushReceipt,
  type PushRequest,
  type ServerHead,
} from '../protocol/sync-messages.ts'
import { type Access, readablePatterns, streamTest } from './access.ts'
import type { Commits, Found, Sent } from './exchange.ts'
import { HttpFailure } from './http-failure.ts'
import type { RequestRecord } from './request-record.ts'
import type { Answer, ForbiddenCommit, Question, Refused } from './server-io.ts'
import type { ServedStore } from './store-registry.ts'

export type ExchangeLimits = Readonly<{ maxPushBytes: number; maxPullBytes: number }>

/** Of one pull: more would not fit into an address everywhere. */
const MAX_PATTERNS = 100
const MAX_PATTERNS_LENGTH = 4_096

type Query = Readonly<Record<string, string>>

/**
 * @param streams what is wanted of the log; none for all of it
 * @throws {@link HttpFailure} 400; 403 for streams that may not be read
 */
export function pullIn(query: Query, streams: readonly StreamPattern[], access: Access): Question {
  const after = wholeNumber(query, 'after', 0)
  const maxBytes = wholeNumber(query, 'maxBytes', Number.MAX_SAFE_INTEGER)
  checkPatterns(streams)
  const readable = readablePatterns(access)
  if (readable && (streams.length === 0 || !isWithin(streams, readable))) {
    const message = 'This token may read some streams only. Sync no others than these'
    throw new HttpFailure(403, 'forbidden', message, { streams: readable })
  }
  return { type: 'pull', after, maxBytes, ...(streams.length > 0 && { streams }) }
}

function checkPatterns(streams: readonly StreamPattern[]): void {
  const length = streams.reduce((sum, pattern) => sum + pattern.length, 0)
  try {
    if (streams.length > MAX_PATTERNS || length > MAX_PATTERNS_LENGTH) throw new TypeError('too many streams')
    streamMatcher(streams)
  } catch (error) {
    throw new HttpFailure(400, 'malformed', (error as TypeError).message, { name: 'streams' })
  }
}

/** @throws {@link HttpFailure} 400 */
export const prefixIn = (query: Query): Question => ({
  type: 'prefix',
  size: wholeNumber(query, 'size', Number.MAX_SAFE_INTEGER),
})

/** @throws {@link HttpFailure} 400 */
export const erasuresIn = (query: Query): Question => ({
  type: 'erasures',
  after: wholeNumber(query, 'after', 0),
})

export const pushOf = ({ epoch, commits }: PushRequest, access: Access): Question => ({
  type: 'push',
  epoch,
  commits: commits.length,
  forbidden: firstForbidden(commits, access),
})

function firstForbidden(commits: Commits, access: Access): ForbiddenCommit | null {
  const isOpen = streamTest(access)
  for (const [at, commit] of commits.entries()) {
    const closed = commit.find(({ streamName }) => !isOpen(streamName))
    if (closed) return { at, streamName: closed.streamName }
  }
  return null
}

export type AnswerParts = Readonly<{
  store: ServedStore
  sent: Sent
  found: Found
  limits: ExchangeLimits
  /** Who signs checkpoints of devices; null where nobody does. */
  witness: NoteSigner | null
  /** Where to note how much was exchanged. */
  record: RequestRecord
}>

/** What somebody gets who is refused nothing. */
export type Granted = Exclude<Answer, { type: 'refused' | 'again' | 'failed' }>

export const refusalOf = ({ status, code, message, facts }: Refused): HttpFailure =>
  new HttpFailure(status, code, message, facts)

/** For all but streams, and what another route answers. */
export async function responseTo(answer: Granted, parts: AnswerParts): Promise<Response> {
  const { found, sent, record } = parts
  switch (answer.type) {
    case 'head':
      return Response.json(headOf(answer, parts))
    case 'page':
      record.pulledEvents = countOf(found.commits)
      return pageOf(answer, parts)
    case 'prefix': {
      const { epoch, size } = answer
      const { root, checkpoint } = found
      const prefix = { epoch, size, root: root!, checkpoint, verifierKey: verifierKeyOf(parts) }
      return Response.json(encodePrefixResponse(prefix))
    }
    case 'receipt': {
      const receipt: PushReceipt = { ...answer.receipt, checkpoint: found.checkpoint }
      record.pushedEvents = countOf(sent.commits?.slice(0, receipt.accepted) ?? [])
      record.code = receipt.refusal?.reason ?? null
      return Response.json(receipt, { status: answer.status })
    }
    case 'erased': {
      const { epoch, count } = answer
      return Response.json({ epoch, count } satisfies EraseReceipt)
    }
    case 'erasures': {
      const { epoch, after, count } = answer
      return Response.json({ epoch, after, count, erasures: found.erasures } satisfies ErasuresPage)
    }
    case 'hints':
    case 'other':
      throw new TypeError(`${answer.type} is answered elsewhere`)
  }
}

function headOf(
  { epoch, position }: Extract<Answer, { type: 'head' }>,
  { store: { signer }, limits, witness }: AnswerParts,
): ServerHead {
  const keys =
    signer && witness ? { log: formatVerifierKey(signer.key), witness: formatVerifierKey(witness.key) } : null
  const { maxPushBytes, maxPullBytes } = limits
  return { protocol: PROTOCOL_VERSION, epoch, position, maxPushBytes, maxPullBytes, features: FEATURES, keys }
}

async function pageOf(
  { type: _, ...page }: Extract<Answer, { type: 'page' }>,
  parts: AnswerParts,
): Promise<Response> {
  const { root, checkpoint, commits, part } = parts.found
  const { maxPushBytes } = parts.limits
  const told = { maxPushBytes, features: FEATURES }
  const proven = { root, checkpoint, verifierKey: verifierKeyOf(parts) }
  const message = { ...page, ...told, ...proven, commits, ...part }
  const headers = { 'content-type': 'application/octet-stream' }
  return new Response(await encodePullResponse(message, parts.store.log.hash), { headers })
}

const countOf = (commits: Commits): number => commits.reduce((sum, { length }) => sum + length, 0)

const verifierKeyOf = ({ store: { signer } }: AnswerParts): string | null =>
  signer && formatVerifierKey(signer.key)

function wholeNumber(query: Query, name: string, otherwise: number): number {
  const value = query[name]
  if (value === undefined) return otherwise
  const number = Number(value)
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number
  throw new HttpFailure(400, 'malformed', `${name} must be a whole number`, { name })
}
