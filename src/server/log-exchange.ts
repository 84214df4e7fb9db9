// What a replica exchanges with a store's log: head, pages of it, pushes to it.

import { formatVerifierKey, type NoteSigner } from '../integrity/note-key.ts'
import {
  encodePrefixResponse,
  encodePullResponse,
  PROTOCOL_VERSION,
  type PushReceipt,
  type PushRefusal,
  type PushRequest,
  type ServerHead,
} from '../protocol/sync-messages.ts'
import { type Access, streamTest } from './access.ts'
import { HttpFailure } from './http-failure.ts'
import type { RequestRecord } from './request-record.ts'
import type { ServedStore } from './store-registry.ts'

export type ExchangeLimits = Readonly<{ maxPushBytes: number; maxPullBytes: number }>

export type PageRequest = Readonly<{ after: number; maxBytes: number }>

/** @param witness who signs checkpoints of devices; null where nobody does */
export function answerHead(
  { log, signer }: ServedStore,
  epoch: string,
  { maxPushBytes, maxPullBytes }: ExchangeLimits,
  witness: NoteSigner | null,
): Response {
  const head: ServerHead = {
    protocol: PROTOCOL_VERSION,
    epoch,
    position: log.head(),
    maxPushBytes,
    maxPullBytes,
    keys:
      signer && witness
        ? { log: formatVerifierKey(signer.key), witness: formatVerifierKey(witness.key) }
        : null,
  }
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

/** What an exchange is about: which log, and where to note how much was exchanged. */
export type ExchangeParts = Readonly<{ store: ServedStore; epoch: string; record: RequestRecord }>

/** @throws {@link HttpFailure} 409 to a replica that has seen more than this log holds. */
export async function answerPull(
  { after, maxBytes }: PageRequest,
  { store, epoch, record }: ExchangeParts,
): Promise<Response> {
  const { log } = store
  if (after > log.head()) {
    const facts = { after, head: log.head(), epoch }
    throw new HttpFailure(409, 'ahead-of-server', 'The server does not reach that far', facts)
  }
  const { commits, next } = await log.readCommits(after, maxBytes)
  const checkpoint = await checkpointAt(next, store)
  const verifierKey = store.signer && formatVerifierKey(store.signer.key)
  const erasures = log.erasures.count
  const head = log.head()
  const root = await log.proofs.treeRoot(next)
  const page = { epoch, after, next, head, checkpoint, verifierKey, root, erasures, commits }
  record.pulledEvents = next - after
  const headers = { 'content-type': 'application/octet-stream' }
  return new Response(await encodePullResponse(page, log.hash), { headers })
}

/** By which a replica finds out how far this log is the same as its own, when it is another one than before. */
export async function answerPrefix(store: ServedStore, epoch: string, wanted: number): Promise<Response> {
  const { log, signer } = store
  const size = Math.min(wanted, log.head())
  const root = await log.proofs.treeRoot(size)
  const checkpoint = await checkpointAt(size, store)
  const verifierKey = signer && formatVerifierKey(signer.key)
  return Response.json(encodePrefixResponse({ epoch, size, root, checkpoint, verifierKey }))
}

/**
 * Answers when what was accepted is durable. Of commits to streams that are closed to this access, the first ends the
 * push as any other that does not fit. @throws {@link HttpFailure} 409 to a push meant for another log.
 */
export async function answerPush(
  { epoch: meant, commits }: PushRequest,
  access: Access,
  { store, epoch, record }: ExchangeParts,
): Promise<Response> {
  checkEpoch(meant, epoch)
  const forbidden = firstForbidden(commits, access)
  const outcome = await store.log.admit(forbidden ? commits.slice(0, forbidden.at) : commits)
  const accepted = commits.slice(0, outcome.accepted).flat()
  await store.log.erasures.admitted(accepted)
  const checkpoint = await checkpointAt(outcome.head, store)
  const refusal = outcome.refusal ?? forbidden?.refusal ?? null
  const receipt: PushReceipt = { epoch, ...outcome, checkpoint, refusal }
  record.pushedEvents = accepted.length
  record.code = refusal?.reason ?? null
  return Response.json(receipt, { status: statusOf(receipt) })
}

function firstForbidden(
  commits: PushRequest['commits'],
  access: Access,
): Readonly<{ at: number; refusal: PushRefusal }> | null {
  const isOpen = streamTest(access)
  for (const [at, commit] of commits.entries()) {
    const closed = commit.find(({ streamName }) => !isOpen(streamName))
    if (!closed) continue
    const detail = `this token may not append to stream "${closed.streamName}"`
    return { at, refusal: { reason: 'forbidden', detail } }
  }
  return null
}

/** @throws {@link HttpFailure} 409 to what is meant for another log. */
export function checkEpoch(meant: string, epoch: string): void {
  if (meant === epoch) return
  throw new HttpFailure(409, 'epoch-changed', 'The server has another log than the client thinks', { epoch })
}

/** Null where the log has grown on, and where the server does not sign. */
async function checkpointAt(size: number, { log, signer }: ServedStore): Promise<string | null> {
  if (!signer || log.head() !== size) return null
  const checkpoint = await log.proofs.checkpoints.make()
  return checkpoint.size === size ? checkpoint.text : null
}

function statusOf({ refusal }: PushReceipt): 200 | 403 | 409 | 422 {
  switch (refusal?.reason) {
    case undefined:
      return 200
    case 'forbidden':
      return 403
    case 'invalid':
      return 422
    default:
      return 409
  }
}

export function wholeNumber(
  query: Readonly<Record<string, string>>,
  name: string,
  otherwise: number,
): number {
  const value = query[name]
  if (value === undefined) return otherwise
  const number = Number(value)
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number
  throw new HttpFailure(400, 'malformed', `${name} must be a whole number`, { name })
}
