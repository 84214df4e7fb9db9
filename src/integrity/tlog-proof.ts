// A proof as text that can be checked offline: where an entry stands in a log, under a signed checkpoint of it
// (c2sp.org/tlog-proof).

import { HASH_BYTES } from '../log/hash-provider.ts'
import { base64Of, bytesOfBase64 } from './base64.ts'
import { parseTreeSize } from './checkpoint.ts'
import { malformed } from './malformed.ts'

export type TlogProof = Readonly<{
  /** From 0. */
  index: number
  /** From the leaf's sibling up to the child of the root. */
  hashes: readonly Uint8Array[]
  /** The signed note, verbatim. */
  checkpoint: string
  /** Whatever the one who checks needs to know of the leaf. Nothing vouches for it. */
  extra?: Uint8Array
}>

const FIRST_LINE = 'c2sp.org/tlog-proof@v1'
/** A tree of 2^53 leaves has no longer path. */
const MAX_HASHES = 53

/** True for a text that says of itself that it is one. */
export const isTlogProof = (text: string): boolean => text.startsWith(`${FIRST_LINE}\n`)

export function formatTlogProof({ index, hashes, checkpoint, extra }: TlogProof): string {
  const extraLine = extra ? [`extra ${base64Of(extra)}`] : []
  const lines = [FIRST_LINE, ...extraLine, `index ${index}`, ...hashes.map(base64Of)]
  return `${lines.join('\n')}\n\n${checkpoint}`
}

/** @throws `StoreError` `malformed-proof` */
export function parseTlogProof(text: string): TlogProof {
  const end = text.indexOf('\n\n')
  if (!isTlogProof(text) || end < 0) throw malformed(`a proof begins with ${FIRST_LINE}`)
  const lines = text.slice(FIRST_LINE.length + 1, end).split('\n')
  const extra = lines[0]?.startsWith('extra ') ? bytesOfBase64(lines.shift()!.slice(6)) : undefined
  const index = lines.shift()
  if (extra === null) throw malformed('the extra line of a proof is Base 64')
  if (!index?.startsWith('index ')) throw malformed('a proof says at which index the entry stands')
  if (lines.length > MAX_HASHES) throw malformed(`a proof has at most ${MAX_HASHES} hashes`)
  return {
    index: parseTreeSize(index.slice(6)),
    hashes: lines.map(hashOf),
    checkpoint: text.slice(end + 2),
    ...(extra && { extra }),
  }
}

function hashOf(line: string): Uint8Array {
  const bytes = bytesOfBase64(line)
  if (bytes?.length === HASH_BYTES) return bytes
  throw malformed('each line of the path is a hash of 32 bytes')
}
