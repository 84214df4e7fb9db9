// Every message of the sync protocol (docs/protocol.md): its type, and a decoder that believes nothing.

import { bytesOfHex, hexOf, utf8 } from '../log/bytes.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { epochIn } from './epoch-field.ts'
import { type Commits, decodeFrames, encodeFrames } from './message-frames.ts'
import { featuresIn, limitIn } from './negotiation.ts'
import { type PartOfLog, partFields, partIn } from './part-fields.ts'
import { type Fields, fieldsOf, MalformedMessage, parseJson, position, text } from './untrusted-json.ts'

export { MalformedMessage, type MessageFault } from './untrusted-json.ts'

/** The server's log is another one when its epoch changed. Positions are places in the server's log. */
export type PullResponse = Readonly<{
  epoch: string
  after: number
  next: number
  head: number
  /** Of the server's log up to `next`, signed; null where more follows, and where the server does not sign. */
  checkpoint: string | null
  /** The key (vkey) that checkpoints of this log are signed with. */
  verifierKey: string | null
  /** RFC 6962 root of the server's log up to `next`; null from servers of the first releases. */
  root: Uint8Array | null
  /** Records in the server's list of erasures. */
  erasures: number
  /** Most bytes of a push that the server takes; null from servers of the first releases. */
  maxPushBytes: number | null
  features: readonly string[]
  commits: Commits
}> &
  Partial<PartOfLog>

export type PushRequest = Readonly<{ epoch: string; commits: Commits }>

/** How the server's log begins. */
export type PrefixResponse = Readonly<{
  epoch: string
  /** As many entries as were asked for, or all where there are fewer. */
  size: number
  /** RFC 6962 root over them. */
  root: Uint8Array
  /** Of them, signed, where they are all; null where more follow, and where the server does not sign. */
  checkpoint: string | null
  verifierKey: string | null
}>

/** `forbidden`: the token may not append to one of the streams. */
export type PushRefusal = Readonly<{
  reason: 'stale' | 'id-reused' | 'invalid' | 'forbidden'
  detail: string
}>

export type PushReceipt = Readonly<{
  epoch: string
  /** How many of the commits, from the first, are in the server's log. */
  accepted: number
  /** The accepted ones stand together right behind this place; null when some had been there before. */
  after: number | null
  /** The end of the server's log when it answered. */
  head: number
  /** Of the server's log up to `head`, signed; null where the server does not sign. */
  checkpoint: string | null
  refusal: PushRefusal | null
}>

export type ServerHead = Readonly<{
  protocol: number
  epoch: string
  position: number
  maxPushBytes: number
  maxPullBytes: number
  features: readonly string[]
  /** The verifier keys (vkeys) of this log's checkpoints, and of the server as a witness; null where it does not sign. */
  keys: Readonly<{ log: string; witness: string }> | null
}>

/** `erasures`: records in the server's list of them. */
export type Hint = Readonly<{ position: number; epoch: string; erasures: number }>

export type ErrorBody = Readonly<{ code: string; message: string; facts: Readonly<Record<string, unknown>> }>

export function encodePullResponse(
  { commits, root, streams, skipped, cut, ...head }: PullResponse,
  hash: HashProvider,
): Promise<Uint8Array<ArrayBuffer>> {
  const part = streams ? partFields({ streams, skipped: skipped ?? [], cut: cut ?? [] }) : {}
  return encodeFrames({ ...head, root: root && hexOf(root), ...part }, commits, hash)
}

/** @throws {@link MalformedMessage} */
export function decodePullResponse(bytes: Uint8Array): PullResponse {
  const { head, commits } = decodeFrames(bytes)
  const fields = fieldsOf(head)
  return {
    epoch: epochIn(fields),
    after: position(fields, 'after'),
    next: position(fields, 'next'),
    head: position(fields, 'head'),
    checkpoint: noteOrNull(fields, 'checkpoint'),
    verifierKey: noteOrNull(fields, 'verifierKey'),
    // Servers of the first releases do not say.
    root: fields['root'] === undefined || fields['root'] === null ? null : rootIn(fields),
    erasures: position(fields, 'erasures'),
    maxPushBytes: limitIn(fields, 'maxPushBytes'),
    features: featuresIn(fields),
    commits,
    ...partIn(fields),
  }
}

/** As JSON. */
export const encodePrefixResponse = ({ root, ...rest }: PrefixResponse): object => ({
  ...rest,
  root: hexOf(root),
})

/** @throws {@link MalformedMessage} */
export function decodePrefixResponse(json: unknown): PrefixResponse {
  const fields = fieldsOf(json)
  return {
    epoch: epochIn(fields),
    size: position(fields, 'size'),
    root: rootIn(fields),
    checkpoint: noteOrNull(fields, 'checkpoint'),
    verifierKey: noteOrNull(fields, 'verifierKey'),
  }
}

function rootIn(fields: Fields): Uint8Array {
  const hex = text(fields, 'root')
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new MalformedMessage('unexpected', 'the root is no hash')
  return bytesOfHex(hex)
}

export function encodePushRequest(
  { commits, epoch }: PushRequest,
  hash: HashProvider,
): Promise<Uint8Array<ArrayBuffer>> {
  return encodeFrames({ epoch }, commits, hash)
}

/** @throws {@link MalformedMessage} */
export function decodePushRequest(bytes: Uint8Array): PushRequest {
  const { head, commits } = decodeFrames(bytes)
  return { epoch: epochIn(fieldsOf(head)), commits }
}

/** @throws {@link MalformedMessage} */
export function decodePushReceipt(json: unknown): PushReceipt {
  const fields = fieldsOf(json)
  return {
    epoch: epochIn(fields),
    accepted: position(fields, 'accepted'),
    after: fields['after'] === null ? null : position(fields, 'after'),
    head: position(fields, 'head'),
    checkpoint: noteOrNull(fields, 'checkpoint'),
    refusal: fields['refusal'] === null ? null : refusalOf(fieldsOf(fields['refusal'])),
  }
}

/** @throws {@link MalformedMessage} */
export function decodeHead(json: unknown): ServerHead {
  const fields = fieldsOf(json)
  return {
    protocol: position(fields, 'protocol'),
    epoch: epochIn(fields),
    position: position(fields, 'position'),
    maxPushBytes: position(fields, 'maxPushBytes'),
    maxPullBytes: position(fields, 'maxPullBytes'),
    features: featuresIn(fields),
    keys: fields['keys'] === null ? null : keysOf(fieldsOf(fields['keys'])),
  }
}

/** Names of logs and keys can be longer than other texts, and stand in a note more than once. */
const note = (fields: Fields, name: string): string => text(fields, name, 64 * 1024)

const noteOrNull = (fields: Fields, name: string): string | null =>
  fields[name] === null ? null : note(fields, name)

const keysOf = (fields: Fields): ServerHead['keys'] => ({
  log: note(fields, 'log'),
  witness: note(fields, 'witness'),
})

/** @throws {@link MalformedMessage} */
export function decodeHint(data: string): Hint {
  const fields = fieldsOf(parseJson(utf8(data), 'the hint'))
  return {
    position: position(fields, 'position'),
    epoch: epochIn(fields),
    erasures: position(fields, 'erasures'),
  }
}

/** @throws {@link MalformedMessage} when it is no error body of this protocol, as one of a proxy in between. */
export function decodeErrorBody(json: unknown): ErrorBody {
  const fields = fieldsOf(json)
  const facts = fields['facts'] === undefined ? {} : fieldsOf(fields['facts'])
  return { code: text(fields, 'code'), message: text(fields, 'message'), facts }
}

const REASONS: readonly string[] = [
  'stale',
  'id-reused',
  'invalid',
  'forbidden',
] satisfies PushRefusal['reason'][]

function refusalOf(fields: Fields): PushRefusal {
  const reason = text(fields, 'reason')
  if (!REASONS.includes(reason)) throw new MalformedMessage('unexpected', `no such reason: ${reason}`)
  return { reason: reason as PushRefusal['reason'], detail: text(fields, 'detail') }
}
