// What a device sends to a witness: a checkpoint of its log, and the proof that it goes on from the last one
// (c2sp.org/tlog-witness, add-checkpoint).

import { base64Of, bytesOfBase64 } from '../integrity/base64.ts'
import { parseTreeSize } from '../integrity/checkpoint.ts'
import { HASH_BYTES } from '../log/hash-provider.ts'
import { MalformedMessage } from './untrusted-json.ts'

export type AddCheckpoint = Readonly<{
  /** Size of the checkpoint that the witness has signed last; 0 for none. */
  oldSize: number
  /** That the log of the old size is the beginning of this one. */
  proof: readonly Uint8Array[]
  /** The signed note. */
  checkpoint: string
}>

const MAX_PROOF_LINES = 63

export function encodeAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): string {
  return `${[`old ${oldSize}`, ...proof.map(base64Of)].join('\n')}\n\n${checkpoint}`
}

/** @throws {@link MalformedMessage}; `StoreError` `malformed-proof` */
export function decodeAddCheckpoint(body: string): AddCheckpoint {
  const end = body.indexOf('\n\n')
  const [old, ...lines] = body.slice(0, Math.max(0, end)).split('\n')
  if (!old?.startsWith('old ')) throw new MalformedMessage('unexpected', 'there is no old size line')
  if (lines.length > MAX_PROOF_LINES) throw new MalformedMessage('unexpected', 'the proof is too long')
  const proof = lines.map(line => bytesOfBase64(line))
  if (!proof.every(isHash)) throw new MalformedMessage('unexpected', 'a line of the proof is no hash')
  return { oldSize: parseTreeSize(old.slice(4)), proof, checkpoint: body.slice(end + 2) }
}

const isHash = (bytes: Uint8Array | null): bytes is Uint8Array<ArrayBuffer> => bytes?.length === HASH_BYTES
