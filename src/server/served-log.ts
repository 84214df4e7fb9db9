// A store's log as others read it: its signed checkpoint, its tiles, and proofs of single events.

import { parseTilePath } from '../integrity/tile-path.ts'
import { isStoreError } from '../log/errors.ts'
import { type Access, readablePatterns } from './access.ts'
import { mayNot } from './gate.ts'
import { HttpFailure } from './http-failure.ts'
import type { ServedStore } from './store-registry.ts'

const TEXT = { 'content-type': 'text/plain; charset=utf-8' }
/**
 * What a tile holds never changes. Not for shared caches: it takes a token, and names of streams and types are in it.
 */
const TILE = {
  'content-type': 'application/octet-stream',
  'cache-control': 'private, max-age=31536000, immutable',
  vary: 'authorization',
}

/** @throws {@link HttpFailure} 404 where the server does not sign */
export async function answerCheckpoint({ log, signer }: ServedStore): Promise<Response> {
  if (!signer) throw notSigned()
  const { text } = await log.proofs.checkpoints.make()
  return new Response(text, { headers: TEXT })
}

/**
 * Hashes are for everybody who may read anything: what is hashed is salted.
 *
 * @throws {@link HttpFailure} 404 for a tile that the log has not, or not so much of; 403 for entries of all streams
 */
export async function answerTile(
  { log }: ServedStore,
  path: string,
  access: Pick<Access, 'read'>,
): Promise<Response> {
  const tile = parseTilePath(path)
  if (tile?.level === 'entries' && readablePatterns(access)) throw mayNot('read all streams')
  const bytes = tile && (await log.proofs.tile(tile))
  if (!bytes) throw new HttpFailure(404, 'not-found', 'The log has no such tile')
  return new Response(bytes as Uint8Array<ArrayBuffer>, { headers: TILE })
}

/**
 * The receipt of a pushed event: where it stands in the server's log, under the server's signature. Whether there is one
 * in a stream that is closed is not told.
 */
export async function answerProof(
  { log, signer }: ServedStore,
  eventId: string,
  isOpen: (streamName: string) => boolean,
): Promise<Response> {
  if (!signer) throw notSigned()
  try {
    if (!isOpen(await log.proofs.streamNameOf(eventId))) throw unknownEvent(eventId)
    return new Response(await log.proofs.exportProof(eventId), { headers: TEXT })
  } catch (error) {
    if (!isStoreError(error, 'unknown-event')) throw error
    throw unknownEvent(eventId)
  }
}

const unknownEvent = (eventId: string): HttpFailure =>
  new HttpFailure(404, 'unknown-event', 'The log has no such event', { eventId })

const notSigned = (): HttpFailure => new HttpFailure(404, 'not-signed', 'This server signs nothing')
