// The form of an event whose content is encrypted (docs/encryption.md). It is an event like any other: its payload is the
// ciphertext as a JSON text, its metadata name the key. So the chain covers the ciphertext, and who has no key handles it
// like anything else.

import { base64Length, readBase64, writeBase64 } from './base64-bytes.ts'
import { ByteWriter, utf8 } from './bytes.ts'
import { MAX_NAME_BYTES, type StoredMetadata } from './event-batch.ts'

/** AES-256-GCM with a random IV of 96 bits and a tag of 128 bits. */
const SUITE = 1
const IV_BYTES = 12
const TAG_BYTES = 16

const QUOTE = 0x22
const OPEN = 0x5b
const CLOSE = 0x5d
const COMMA = 0x2c

/** What the content of an event is bound to: the same ciphertext in another place does not decrypt. */
export type ContentPlace = Readonly<{
  storeId: string
  streamName: string
  /** 16 bytes. */
  eventId: Uint8Array
  type: string
  schemaVersion: number
}>

/** What the command of a commit is bound to. */
export type CommandPlace = Readonly<{
  storeId: string
  streamName: string
  /** Of the first event of its commit: 16 bytes. */
  eventId: Uint8Array
}>

/** Metadata as they are stored. The name stands where an application's metadata do not reach. */
export type EncryptedMetadata = Readonly<{ encryption: Readonly<{ suite: number; keyId: string }> }>

/** Additional authenticated data of an event. Each field tells its length, so that no two places give the same bytes. */
export function contentAad({ type, schemaVersion, ...place }: ContentPlace): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(160)
  writer.raw(EVENT_DOMAIN)
  writePlace(writer, place)
  writer.lp16(type)
  writer.u16(schemaVersion)
  return writer.bytes()
}

/** Additional authenticated data of a command that is kept beside its commit. */
export function commandAad(place: CommandPlace): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(128)
  writer.raw(COMMAND_DOMAIN)
  writePlace(writer, place)
  return writer.bytes()
}

function writePlace(writer: ByteWriter, { storeId, streamName, eventId }: CommandPlace): void {
  writer.lp16(storeId)
  writer.lp16(streamName)
  writer.raw(eventId)
}

const EVENT_DOMAIN = utf8('streamdingo/encryption/1\0')
const COMMAND_DOMAIN = utf8('streamdingo/encrypted-command/1\0')

/** What is encrypted of an event: a JSON array of its payload and its metadata, as they would stand in clear. */
export function plaintextOf(payload: Uint8Array, metadata: Uint8Array): Uint8Array<ArrayBuffer> {
  const plaintext = new Uint8Array(payload.length + metadata.length + 3)
  plaintext[0] = OPEN
  plaintext.set(payload, 1)
  plaintext[payload.length + 1] = COMMA
  plaintext.set(metadata, payload.length + 2)
  plaintext[plaintext.length - 1] = CLOSE
  return plaintext
}

/** True where a plaintext has this payload to the byte. A JSON value cannot go on behind its end, so one look is enough. */
export function hasPayload(plaintext: Uint8Array, payload: Uint8Array): boolean {
  if (plaintext.length < payload.length + 3 || plaintext[payload.length + 1] !== COMMA) return false
  for (let i = 0; i < payload.length; i++) if (plaintext[i + 1] !== payload[i]) return false
  return true
}

/** What is stored as payload: IV, ciphertext and tag in Base 64, between quotation marks. */
export function encryptedPayload(iv: Uint8Array, sealed: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(iv.length + sealed.length)
  bytes.set(iv)
  bytes.set(sealed, iv.length)
  const payload = new Uint8Array(base64Length(bytes.length) + 2)
  payload[0] = QUOTE
  writeBase64(bytes, payload, 1)
  payload[payload.length - 1] = QUOTE
  return payload
}

/** IV, and ciphertext with tag. Null for a payload in another form. */
export function sealedParts(
  payload: Uint8Array,
): Readonly<Record<'iv' | 'sealed', Uint8Array<ArrayBuffer>>> | null {
  if (payload.length < 2 || payload[0] !== QUOTE || payload[payload.length - 1] !== QUOTE) return null
  const bytes = readBase64(payload.subarray(1, -1))
  if (!bytes || bytes.length < IV_BYTES + TAG_BYTES) return null
  return { iv: bytes.subarray(0, IV_BYTES), sealed: bytes.subarray(IV_BYTES) }
}

/** Metadata as they are stored, in UTF-8. */
export const encryptedMetadata = (keyId: string): Uint8Array<ArrayBuffer> =>
  utf8(JSON.stringify({ encryption: { suite: SUITE, keyId } } satisfies EncryptedMetadata))

/** True where stored metadata say that the event is encrypted, in whatever form. */
export const isEncrypted = (stored: StoredMetadata): boolean => 'encryption' in stored

/** The key that stored metadata name; null where they are not in the form of this release. */
export function keyIdIn(stored: unknown): string | null {
  if (typeof stored !== 'object' || stored === null) return null
  const { encryption, ...rest } = stored as Record<string, unknown>
  if (typeof encryption !== 'object' || encryption === null || Object.keys(rest).length > 0) return null
  const { suite, keyId } = encryption as Record<string, unknown>
  return suite === SUITE && isKeyId(keyId) ? keyId : null
}

/** A text that can name a key: 1 to 1,024 characters, none of them half of one. */
export const isKeyId = (keyId: unknown): keyId is string =>
  typeof keyId === 'string' && keyId !== '' && keyId.length <= MAX_NAME_BYTES && keyId.isWellFormed()
