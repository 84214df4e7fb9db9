// Keys of signed notes: their text form (vkey), who signed a note, and signing. Two kinds of Ed25519 signature: that of
// a log's own checkpoints, and a witness's timestamped cosignature (c2sp.org/tlog-cosignature).

import { ByteReader, ByteWriter, utf8 } from '../log/bytes.ts'
import { createSha256 } from '../log/sha256/create-sha256.ts'
import { base64Of, bytesOfBase64 } from './base64.ts'
import { isSignedBy, type KeyPair, PUBLIC_KEY_BYTES, sign } from './ed25519.ts'
import { malformed } from './malformed.ts'
import { isKeyName, type NoteSignature, type SignedNote } from './signed-note.ts'

export type NoteKeyKind = 'ed25519' | 'cosignature/v1'

const KIND_BYTE: Readonly<Record<NoteKeyKind, number>> = { ed25519: 0x01, 'cosignature/v1': 0x04 }
const TIMESTAMP_BYTES = 8

export type VerifierKey = Readonly<{
  name: string
  /** First four bytes of SHA-256 over name, kind and key: a hint only. */
  id: number
  kind: NoteKeyKind
  /** 32 bytes, as RFC 8032 encodes them. */
  publicKey: Uint8Array<ArrayBuffer>
}>

/** Signs texts of notes under one name. */
export type NoteSigner = Readonly<{ key: VerifierKey; sign: (text: string) => Promise<NoteSignature> }>

/** @throws `StoreError` `malformed-proof` for a name or a public key that no key may have. */
export async function verifierKeyOf(
  name: string,
  kind: NoteKeyKind,
  publicKey: Uint8Array<ArrayBuffer>,
): Promise<VerifierKey> {
  if (!isKeyName(name)) throw malformed('the name of a key is empty, or has a space or a plus in it')
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw malformed('an Ed25519 key has 32 bytes')
  const writer = new ByteWriter(256)
  writer.raw(utf8(`${name}\n`))
  writer.u8(KIND_BYTE[kind])
  writer.raw(publicKey)
  const hash = await createSha256()
  return { name, id: new ByteReader(hash.digest(writer.bytes())).u32(), kind, publicKey }
}

/** Such as `example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k`. */
export function formatVerifierKey({ name, id, kind, publicKey }: VerifierKey): string {
  const material = Uint8Array.of(KIND_BYTE[kind], ...publicKey)
  return `${name}+${id.toString(16).padStart(8, '0')}+${base64Of(material)}`
}

/** @throws `StoreError` `malformed-proof` for what is no vkey of a kind that is known here. */
export async function parseVerifierKey(vkey: string): Promise<VerifierKey> {
  const [, name, id, encoded] = /^([^+]+)\+([\da-f]{8})\+(.+)$/.exec(vkey) ?? []
  const material = encoded === undefined ? null : bytesOfBase64(encoded)
  const kind = (Object.keys(KIND_BYTE) as NoteKeyKind[]).find(one => KIND_BYTE[one] === material?.[0])
  if (!name || !material || !kind) throw malformed('this is no verifier key for Ed25519')
  const key = await verifierKeyOf(name, kind, material.slice(1))
  if (key.id !== Number.parseInt(id!, 16))
    throw malformed('the id of the verifier key is not that of its key')
  return key
}

export async function createNoteSigner(
  name: string,
  { privateKey, publicKey }: KeyPair,
): Promise<NoteSigner> {
  const key = await verifierKeyOf(name, 'ed25519', publicKey)
  return {
    key,
    async sign(text) {
      return { keyName: name, keyId: key.id, bytes: await sign(privateKey, utf8(text)) }
    },
  }
}

/** @param now milliseconds since the Unix epoch; a cosignature says its second */
export async function createCosigner(
  name: string,
  { privateKey, publicKey }: KeyPair,
  now: () => number = Date.now,
): Promise<NoteSigner> {
  const key = await verifierKeyOf(name, 'cosignature/v1', publicKey)
  return {
    key,
    async sign(text) {
      const seconds = Math.floor(now() / 1000)
      const writer = new ByteWriter(TIMESTAMP_BYTES + 64)
      writer.u64(seconds)
      writer.raw(await sign(privateKey, cosignedMessage(text, seconds)))
      return { keyName: name, keyId: key.id, bytes: writer.bytes() }
    },
  }
}

/** What the keys that somebody trusts say of a note. */
export type NoteVerdict =
  | Readonly<{ ok: true; signedBy: readonly VerifierKey[] }>
  /** `unsigned`: none of these keys signed it. `bad-signature`: one of them did, and not this text. */
  | Readonly<{ ok: false; problem: 'unsigned' | 'bad-signature'; key: VerifierKey | null }>

/** Signatures by other keys are passed by; one that does not hold under a known key refuses the whole note. */
export async function verifyNote(note: SignedNote, keys: readonly VerifierKey[]): Promise<NoteVerdict> {
  const signedBy: VerifierKey[] = []
  for (const signature of note.signatures) {
    const key = keys.find(({ name, id }) => name === signature.keyName && id === signature.keyId)
    if (!key) continue
    if (!(await holds(signature.bytes, note.text, key))) return { ok: false, problem: 'bad-signature', key }
    signedBy.push(key)
  }
  return signedBy.length > 0 ? { ok: true, signedBy } : { ok: false, problem: 'unsigned', key: null }
}

async function holds(bytes: Uint8Array, text: string, { kind, publicKey }: VerifierKey): Promise<boolean> {
  if (kind === 'ed25519') return isSignedBy(publicKey, bytes.slice(), utf8(text))
  const seconds = secondsOf(bytes)
  if (seconds === null) return false
  return isSignedBy(publicKey, bytes.slice(TIMESTAMP_BYTES), cosignedMessage(text, seconds))
}

/** When a cosignature was made, in milliseconds since the Unix epoch. Only for one that was verified. */
export const cosignedAt = ({ bytes }: NoteSignature): number => (secondsOf(bytes) ?? 0) * 1000

/** Null for a time that no cosignature has. */
function secondsOf(bytes: Uint8Array): number | null {
  if (bytes.length <= TIMESTAMP_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, TIMESTAMP_BYTES)
  const seconds = Number(view.getBigUint64(0))
  return Number.isSafeInteger(seconds) ? seconds : null
}

const cosignedMessage = (text: string, seconds: number): Uint8Array<ArrayBuffer> =>
  utf8(`cosignature/v1\ntime ${seconds}\n${text}`)
