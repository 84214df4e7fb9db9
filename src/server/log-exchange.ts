// What a replica exchanges with a store's log: head, pages of it, pushes to it.

import {
  encodePullResponse,
  PROTOCOL_VERSION,
  type PushReceipt,
  type PushRequest,
  type ServerHead,
} from '../protocol/sync-messages.ts'
import { HttpFailure } from './http-failure.ts'
import type { ServedStore } from './store-registry.ts'

export type ExchangeLimits = Readonly<{ maxPushBytes: number; maxPullBytes: number }>

export type PageRequest = Readonly<{ after: number; maxBytes: number }>

export function answerHead(
  { log }: ServedStore,
  epoch: string,
  { maxPushBytes, maxPullBytes }: ExchangeLimits,
): Response {
  const position = log.head()
  const head: ServerHead = { protocol: PROTOCOL_VERSION, epoch, position, maxPushBytes, maxPullBytes }
  return Response.json(head)
}

/** @throws {@link HttpFailure} 400 */
export function pageRequestOf(
  query: Readonly<Record<string, string>>,
  { maxPullBytes }: ExchangeLimits,
): PageRequest {
  const after = wholeNumber(query, 'after', 0)
  const maxBytes = Math.min(maxPullBytes, wholeNumber(query, 'maxBytes', maxPullBytes))
  return { after, maxBytes }
}

/** @throws {@link HttpFailure} 409 to a replica that has seen more than this log holds. */
export async function answerPull(
  { log }: ServedStore,
  epoch: string,
  { after, maxBytes }: PageRequest,
): Promise<Response> {
  if (after > log.head()) {
    const facts = { after, head: log.head(), epoch }
    throw new HttpFailure(409, 'ahead-of-server', 'The server does not reach that far', facts)
  }
  const { commits, next } = await log.readCommits(after, maxBytes)
  const page = { epoch, after, next, head: log.head(), commits }
  const headers = { 'content-type': 'application/octet-stream' }
  return new Response(await encodePullResponse(page, log.hash), { headers })
}

/** Answers when what was accepted is durable. @throws {@link HttpFailure} 409 to a push meant for another log. */
export async function answerPush(
  { log }: ServedStore,
  epoch: string,
  request: PushRequest,
): Promise<Response> {
  if (request.epoch !== epoch) {
    const facts = { epoch }
    throw new HttpFailure(409, 'epoch-changed', 'The server has another log than the client thinks', facts)
  }
  const receipt: PushReceipt = { epoch, ...(await log.admit(request.commits)) }
  return Response.json(receipt, { status: statusOf(receipt) })
}

function statusOf({ refusal }: PushReceipt): 200 | 409 | 422 {
  if (!refusal) return 200
  return refusal.reason === 'invalid' ? 422 : 409
}

function wholeNumber(query: Readonly<Record<string, string>>, name: string, otherwise: number): number {
  const value = query[name]
  if (value === undefined) return otherwise
  const number = Number(value)
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number
  throw new HttpFailure(400, 'malformed', `${name} must be a whole number`, { name })
}
