// A checkpoint: whose log, how many entries, and the Merkle root over them (c2sp.org/tlog-checkpoint). Signed, it is a
// note whose text it is.

import { HASH_BYTES } from '../log/hash-provider.ts'
import { base64Of, bytesOfBase64 } from './base64.ts'
import { malformed } from './malformed.ts'
import { formatNote, type NoteSignature, parseNote, type SignedNote } from './signed-note.ts'

export type Checkpoint = Readonly<{
  /** Names the log. */
  origin: string
  /** Entries of the log. */
  size: number
  /** RFC 6962 root over them, 32 bytes. */
  root: Uint8Array
}>

/** The text that is signed. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${base64Of(root)}\n`
}

/** Reads the text of a note; further lines are passed by. @throws `StoreError` `malformed-proof` */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, size, root, ...rest] = text.split('\n')
  const isWhole = origin && size && root && rest.at(-1) === '' && !rest.slice(0, -1).includes('')
  const bytes = isWhole ? bytesOfBase64(root) : null
  if (!isWhole || !bytes || bytes.length !== HASH_BYTES) {
    throw malformed('a checkpoint is three lines: origin, size and root')
  }
  return { origin, size: parseTreeSize(size), root: bytes }
}

/** @throws `StoreError` `malformed-proof` */
export function parseTreeSize(text: string): number {
  const size = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(size)) throw malformed('the size of a tree is a whole number below 2^53')
  return size
}

/** @throws `StoreError` `malformed-proof` */
export function parseSignedCheckpoint(text: string): { note: SignedNote; checkpoint: Checkpoint } {
  const note = parseNote(text)
  return { note, checkpoint: parseCheckpoint(note.text) }
}

/** Of a device that cannot sign, the text stands alone. @throws `StoreError` `malformed-proof` */
export function parsePerhapsSigned(text: string): { note: SignedNote | null; checkpoint: Checkpoint } {
  return text.includes('\n\n')
    ? parseSignedCheckpoint(text)
    : { note: null, checkpoint: parseCheckpoint(text) }
}

export const formatSignedCheckpoint = (
  checkpoint: Checkpoint,
  signatures: readonly NoteSignature[],
): string => formatNote({ text: formatCheckpoint(checkpoint), signatures })
