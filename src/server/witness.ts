// The server as a witness of devices' logs: signs that a log goes on from what it was, remembers how far, and refuses
// one that went back or another way (c2sp.org/tlog-witness).

import { formatCheckpoint, parseSignedCheckpoint } from '../integrity/checkpoint.ts'
import { isConsistent } from '../integrity/merkle-proof.ts'
import { NodeHasher } from '../integrity/merkle-tree.ts'
import {
  formatVerifierKey,
  type NoteSigner,
  parseVerifierKey,
  type VerifierKey,
  verifyNote,
} from '../integrity/note-key.ts'
import { formatSignature } from '../integrity/signed-note.ts'
import { equalBytes, textOf, utf8 } from '../log/bytes.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { decodeAddCheckpoint } from '../protocol/witness-messages.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { HttpFailure } from './http-failure.ts'

export type WitnessParts = Readonly<{
  storeId: string
  storage: Pick<LogStorage, 'get' | 'keys' | 'swap'>
  hash: HashProvider
  cosigner: NoteSigner
  /** Most devices that are known in one store. */
  maxDevices: number
  /** Told once for each log. */
  onFork: (evidence: ForkEvidence) => void
}>

/** Two checkpoints of one log, both signed by its key, of which neither is the beginning of the other. */
export type ForkEvidence = Readonly<{ origin: string; pinned: string | null; refused: string }>

/** What is known of a device's log: whose key signs for it, and its last checkpoint that was signed here. */
type Pin = Readonly<{ verifierKey: string; size: number; checkpoint: string | null }>

const PREFIX = 'witness/log/'

/** The device says which key is its own; the first one for an origin stays. */
export async function answerRegister(body: string, parts: WitnessParts): Promise<Response> {
  const key = await parseVerifierKey(body.trim())
  checkOrigin(key, parts.storeId)
  const { storage } = parts
  const pin: Pin = { verifierKey: formatVerifierKey(key), size: 0, checkpoint: null }
  const known = await readPin(key.name, parts)
  if (!known) {
    if ((await storage.keys(PREFIX, parts.maxDevices)).length >= parts.maxDevices) {
      throw new HttpFailure(429, 'too-many-devices', 'This store has no room for another device')
    }
    await storage.swap(PREFIX + encodeURIComponent(key.name), undefined, bytesOf(pin))
  }
  const { verifierKey } = (await readPin(key.name, parts))!.pin
  if (verifierKey === pin.verifierKey) return new Response(null, { status: 204 })
  throw new HttpFailure(409, 'other-key', 'Another key is known for this log', { verifierKey })
}

/** @throws {@link HttpFailure} where the specification wants another status than 200 or 409 with the size */
export async function answerAddCheckpoint(body: string, parts: WitnessParts): Promise<Response> {
  const { oldSize, proof, checkpoint: text } = decodeAddCheckpoint(body)
  const { note, checkpoint } = parseSignedCheckpoint(text)
  const { origin, size, root } = checkpoint
  const known = await readPin(origin, parts)
  if (!known) throw new HttpFailure(404, 'unknown-log', 'No key is known for this log: send it first')
  const verdict = await verifyNote(note, [await parseVerifierKey(known.pin.verifierKey)])
  if (!verdict.ok) throw new HttpFailure(403, 'not-signed', 'The checkpoint is not signed by the log’s key')
  if (oldSize > size) throw new HttpFailure(400, 'malformed', 'The old size is larger than the new one')
  if (oldSize !== known.pin.size) return sizeConflict(known.pin.size)
  const hasher = new NodeHasher(parts.hash)
  const isSound =
    oldSize === 0
      ? proof.length === 0 && (size > 0 || equalBytes(root, hasher.emptyRoot()))
      : isConsistent({ size1: oldSize, root1: rootOf(known.pin), size2: size, root2: root, proof }, hasher)
  if (!isSound) return refuseFork(origin, known.pin, text, parts)
  const pin: Pin = { ...known.pin, size, checkpoint: text }
  // Signed only when it is written down, and by one of several servers.
  const key = PREFIX + encodeURIComponent(origin)
  if (!(await parts.storage.swap(key, known.bytes, bytesOf(pin)))) {
    return sizeConflict((await readPin(origin, parts))!.pin.size)
  }
  const signature = await parts.cosigner.sign(formatCheckpoint(checkpoint))
  return new Response(formatSignature(signature), {
    headers: { 'content-type': 'text/plain; charset=utf-8' },
  })
}

/** Both checkpoints bear the device's signature: together they show that it has gone two ways. The first two are kept. */
async function refuseFork(
  origin: string,
  { checkpoint: pinned }: Pin,
  refused: string,
  { storage, onFork }: WitnessParts,
): Promise<never> {
  const evidence = { origin, pinned, refused }
  const isFirst = await storage.swap(
    `witness/fork/${encodeURIComponent(origin)}`,
    undefined,
    utf8(JSON.stringify(evidence)),
  )
  if (isFirst) onFork(evidence)
  throw new HttpFailure(422, 'forked', 'This log does not go on from what was signed before', evidence)
}

function sizeConflict(size: number): Response {
  return new Response(`${size}\n`, { status: 409, headers: { 'content-type': 'text/x.tlog.size' } })
}

async function readPin(
  origin: string,
  { storage }: WitnessParts,
): Promise<{ pin: Pin; bytes: Uint8Array } | null> {
  const bytes = await storage.get(PREFIX + encodeURIComponent(origin))
  return bytes ? { pin: JSON.parse(textOf(bytes)) as Pin, bytes } : null
}

const bytesOf = (pin: Pin): Uint8Array<ArrayBuffer> => utf8(JSON.stringify(pin))

const rootOf = ({ checkpoint }: Pin): Uint8Array => parseSignedCheckpoint(checkpoint!).checkpoint.root

/** A device of another store must not be known here, and a server's own name is no device's. */
function checkOrigin({ name, kind }: VerifierKey, storeId: string): void {
  const start = `streamdingo/${encodeURIComponent(storeId)}/`
  if (kind === 'ed25519' && name.startsWith(start) && name.length > start.length) return
  throw new HttpFailure(400, 'malformed', `The name of a device's key begins with ${start}`)
}
