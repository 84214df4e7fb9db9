// Signed notes: a text, and signatures of it (c2sp.org/signed-note). Here their form; note-key.ts says who signed.

import { ByteReader, ByteWriter } from '../log/bytes.ts'
import { base64Of, bytesOfBase64 } from './base64.ts'
import { malformed } from './malformed.ts'

export type NoteSignature = Readonly<{
  keyName: string
  /** A hint, not a digest to rely on. */
  keyId: number
  bytes: Uint8Array
}>

export type SignedNote = Readonly<{
  /** What is signed. Ends with a newline. */
  text: string
  signatures: readonly NoteSignature[]
}>

const KEY_ID_BYTES = 4
/** More than the 16 that every reader must take, and few enough to be no burden. */
const MAX_SIGNATURES = 64
const SIGNATURE_LINE = /^— ([^\s+]+) (\S+)$/u

/** True for a name that a key may have: not empty, no space, no plus. */
export const isKeyName = (name: string): boolean => /^[^\s+]+$/u.test(name) && !hasControls(name)

/** @throws `StoreError` `malformed-proof` */
export function parseNote(note: string): SignedNote {
  if (hasControls(note.replaceAll('\n', ''))) throw malformed('a note has no control characters but newlines')
  const end = note.lastIndexOf('\n\n')
  if (end < 0 || !note.endsWith('\n')) throw malformed('a note is a text, an empty line and signature lines')
  const lines = note.slice(end + 2, -1).split('\n')
  if (lines.length > MAX_SIGNATURES) throw malformed(`a note has at most ${MAX_SIGNATURES} signatures`)
  return { text: note.slice(0, end + 1), signatures: lines.map(parseSignature) }
}

export function formatNote({ text, signatures }: SignedNote): string {
  return `${text}\n${signatures.map(formatSignature).join('')}`
}

/** @throws `StoreError` `malformed-proof` */
export function parseSignature(line: string): NoteSignature {
  const [, keyName, encoded] = SIGNATURE_LINE.exec(line) ?? []
  const bytes = encoded === undefined ? null : bytesOfBase64(encoded)
  if (!keyName || !bytes || bytes.length <= KEY_ID_BYTES) throw malformed('this is no signature line')
  const reader = new ByteReader(bytes)
  return { keyName, keyId: reader.u32(), bytes: bytes.subarray(KEY_ID_BYTES) }
}

/** With the newline that ends it. */
export function formatSignature({ keyName, keyId, bytes }: NoteSignature): string {
  const writer = new ByteWriter(KEY_ID_BYTES + bytes.length)
  writer.u32(keyId)
  writer.raw(bytes)
  return `— ${keyName} ${base64Of(writer.bytes())}\n`
}

function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20) return true
  return false
}
