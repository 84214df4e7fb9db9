// Verifies a text: it tells by itself what it is.

import { isTlogProof } from '../integrity/tlog-proof.ts'
import { verifyConsistency, verifyInclusion } from '../integrity/verify-proof.ts'
import {
  type Check,
  type CheckpointVerdict,
  type ProofVerdict,
  verifyCheckpoint,
  verifyExportedProof,
} from '../integrity/verify-text.ts'
import type { ConsistencyProof, InclusionProof } from '../log/proofs.ts'

/** What was verified, and what came of it. */
export type Finding = Readonly<{
  kind: string
  holds: boolean
  /** True when it holds, and a key or root that was given vouches for it. */
  isTrusted: boolean
  steps: readonly Readonly<{ name: string; outcome: Check['outcome']; detail: string }>[]
  /** What it shows, in words, a line each; only where it holds. */
  shows: readonly string[]
}>

export type Trusted = Readonly<{ keys: readonly string[]; root: string | null }>

export async function verifyText(text: string, { keys, root }: Trusted): Promise<Finding> {
  if (isTlogProof(text)) return findingOfProof(await verifyExportedProof(text, { keys }))
  const json = jsonOf(text)
  if (json) return findingOfJson(json, root)
  return findingOf('A signed checkpoint', await verifyCheckpoint(text, { keys }), checkpointInWords)
}

function findingOfProof(verdict: ProofVerdict): Finding {
  return findingOf('A proof of an event', verdict, () => {
    const { event, globalPosition } = verdict
    if (!event) return []
    const { type, streamName, streamVersion, eventId, recordedAt, content } = event
    return [
      `Event ${eventId}, “${type}”, version ${streamVersion} of stream “${streamName}”`,
      `recorded ${new Date(recordedAt).toISOString()} by the clock of the device that wrote it`,
      content ? `data ${JSON.stringify(content.data)}` : 'its content was not given',
      `stands as number ${globalPosition} in the log:`,
      ...checkpointInWords(verdict),
    ]
  })
}

function findingOf<V extends CheckpointVerdict>(
  kind: string,
  verdict: V,
  show: (verdict: V) => string[],
): Finding {
  const { holds, isTrusted, checks } = verdict
  return { kind, holds, isTrusted, steps: checks, shows: holds ? show(verdict) : [] }
}

export function checkpointInWords({ checkpoint, signedBy }: CheckpointVerdict): string[] {
  if (!checkpoint) return []
  const { origin, size, rootHash } = checkpoint
  const signed = signedBy.length > 0 ? [`signed by ${signedBy.join(', ')}`] : []
  return [`Log ${origin}`, `${size} entries, root ${rootHash}`, ...signed]
}

type JsonProof = InclusionProof | ConsistencyProof

async function findingOfJson(proof: JsonProof, trustedRoot: string | null): Promise<Finding> {
  const isInclusion = 'leafHash' in proof
  const holds = await (isInclusion ? verifyInclusion(proof) : verifyConsistency(proof))
  const roots = isInclusion ? [proof.rootHash] : [proof.rootHash1, proof.rootHash2]
  const isKnown = trustedRoot !== null && roots.includes(trustedRoot.toLowerCase() as never)
  const root = trustedRoot === null ? 'skipped' : isKnown ? 'holds' : 'fails'
  return {
    kind: isInclusion ? 'A proof that an entry stands in a log' : 'A proof that a log only grew',
    holds: holds && root !== 'fails',
    isTrusted: holds && isKnown,
    steps: [
      { name: 'path', outcome: holds ? 'holds' : 'fails', detail: '' },
      { name: 'root', outcome: root, detail: root === 'skipped' ? 'no root was given' : '' },
    ],
    shows: holds ? wordsOf(proof) : [],
  }
}

function wordsOf(proof: JsonProof): string[] {
  if ('leafHash' in proof) {
    const { eventId, leafHash, globalPosition, treeSize } = proof
    return [`The entry with hash ${leafHash} (event ${eventId}) is number ${globalPosition} of ${treeSize}.`]
  }
  return [`The log of ${proof.size2} entries begins with that of ${proof.size1}.`]
}

/** Null for what is no proof as JSON. Its parts are looked at by who verifies it. */
function jsonOf(text: string): JsonProof | null {
  try {
    const value: unknown = JSON.parse(text)
    const isProof = typeof value === 'object' && value !== null && 'hashes' in value
    return isProof && Array.isArray(value.hashes) ? (value as JsonProof) : null
  } catch {
    return null
  }
}
