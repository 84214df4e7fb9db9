// Checks what a store gives out as text, step by step: an exported proof, a checkpoint. Believes nothing but the keys
// that it is given.

import { bytesOfHex, hexOf } from '../log/bytes.ts'
import { isStoreError } from '../log/errors.ts'
import type { Hash } from '../log/event.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { createSha256 } from '../log/sha256/create-sha256.ts'
import { type Checkpoint, parseSignedCheckpoint } from './checkpoint.ts'
import { isIncluded } from './merkle-proof.ts'
import { NodeHasher } from './merkle-tree.ts'
import { parseVerifierKey, type VerifierKey, verifyNote } from './note-key.ts'
import { type ProvenEvent, readOpenedEntry } from './opened-entry.ts'
import type { SignedNote } from './signed-note.ts'
import { parseTlogProof, type TlogProof } from './tlog-proof.ts'

export type TrustedKeys = Readonly<{
  /** Verifier keys (vkeys) of logs and witnesses that the one who checks has from somebody they trust. */
  keys?: readonly string[]
}>

export type CheckName =
  /** The text is what it says it is. */
  | 'format'
  /** The event has the hash that the proof is about. */
  | 'entry'
  /** The entry stands in the log of the checkpoint, at its place. */
  | 'inclusion'
  /** A key that was given has signed the checkpoint. */
  | 'signature'

export type Check = Readonly<{
  name: CheckName
  /** `skipped`: there was nothing to check it with, or one before it failed. */
  outcome: 'holds' | 'fails' | 'skipped'
  detail: string
}>

export type CheckpointVerdict = Readonly<{
  /** True when nothing fails and the checkpoint is signed by a key that was given. */
  isTrusted: boolean
  /** False when anything fails: who gave it is wrong, or not honest. */
  holds: boolean
  checks: readonly Check[]
  checkpoint: Readonly<{ origin: string; size: number; rootHash: Hash }> | null
  /** Names of the given keys that have signed it. */
  signedBy: readonly string[]
}>

export type ProofVerdict = CheckpointVerdict &
  Readonly<{
    /** What the proof shows, when it holds. */
    event: ProvenEvent | null
    /** Where the entry stands, from 1. */
    globalPosition: number | null
  }>

/**
 * Checks the text of `store.exportProof`: without the store, and without a network.
 *
 * @throws `StoreError` `malformed-proof` for a key that is none
 */
export async function verifyExportedProof(text: string, trusted: TrustedKeys = {}): Promise<ProofVerdict> {
  const keys = await keysOf(trusted)
  const hash = await createSha256()
  const [format, proof] = attempt('format', () => {
    const parsed = parseTlogProof(text)
    return { ...parsed, ...parseSignedCheckpoint(parsed.checkpoint) }
  })
  if (!proof) return { ...verdictOf([format], null, []), event: null, globalPosition: null }
  const [entry, event] = attempt('entry', () => eventIn(proof, hash))
  const inclusion = event ? includes(proof, event, hash) : skipped('inclusion', 'the entry is not known')
  const { check: signature, signedBy } = await checkSignature(proof, keys)
  const checks = [format, entry, inclusion, signature]
  const verdict = verdictOf(checks, proof.checkpoint, signedBy)
  return { ...verdict, event: verdict.holds ? event : null, globalPosition: proof.index + 1 }
}

/** Checks a signed checkpoint. @throws `StoreError` `malformed-proof` for a key that is none */
export async function verifyCheckpoint(text: string, trusted: TrustedKeys = {}): Promise<CheckpointVerdict> {
  const keys = await keysOf(trusted)
  const [format, signed] = attempt('format', () => parseSignedCheckpoint(text))
  if (!signed) return verdictOf([format], null, [])
  const { check, signedBy } = await checkSignature(signed, keys)
  return verdictOf([format, check], signed.checkpoint, signedBy)
}

const keysOf = ({ keys = [] }: TrustedKeys): Promise<VerifierKey[]> =>
  Promise.all(keys.map(key => parseVerifierKey(key)))

function eventIn({ extra }: Pick<TlogProof, 'extra'>, hash: HashProvider): ProvenEvent {
  return readOpenedEntry(extra ?? new Uint8Array(), hash)
}

function includes(
  proof: Pick<TlogProof, 'index' | 'hashes'> & Readonly<{ checkpoint: Checkpoint }>,
  event: ProvenEvent,
  hash: HashProvider,
): Check {
  const { size, root } = proof.checkpoint
  const claim = {
    leafHash: bytesOfHex(event.hash),
    leafIndex: proof.index,
    treeSize: size,
    root,
    proof: proof.hashes,
  }
  if (isIncluded(claim, new NodeHasher(hash))) {
    return { name: 'inclusion', outcome: 'holds', detail: `entry ${proof.index + 1} of ${size}` }
  }
  const detail = `the log of the checkpoint does not have this entry as number ${proof.index + 1} of ${size}`
  return { name: 'inclusion', outcome: 'fails', detail }
}

async function checkSignature(
  { note, checkpoint }: Readonly<{ note: SignedNote; checkpoint: Checkpoint }>,
  keys: readonly VerifierKey[],
): Promise<{ check: Check; signedBy: readonly string[] }> {
  if (keys.length === 0) return { check: skipped('signature', 'no key was given'), signedBy: [] }
  // A log signs for itself alone; a witness for any log.
  const maySign = keys.filter(({ kind, name }) => kind !== 'ed25519' || name === checkpoint.origin)
  const verdict = await verifyNote(note, maySign)
  if (verdict.ok) {
    const signedBy = verdict.signedBy.map(({ name }) => name)
    return { check: { name: 'signature', outcome: 'holds', detail: signedBy.join(', ') }, signedBy }
  }
  const detail =
    verdict.problem === 'unsigned'
      ? 'none of the given keys has signed it'
      : `the signature of ${verdict.key!.name} does not hold`
  return { check: { name: 'signature', outcome: 'fails', detail }, signedBy: [] }
}

function verdictOf(
  checks: readonly Check[],
  checkpoint: Checkpoint | null,
  signedBy: readonly string[],
): CheckpointVerdict {
  const holds = checks.every(({ outcome }) => outcome !== 'fails')
  return {
    isTrusted: holds && signedBy.length > 0,
    holds,
    checks,
    checkpoint: checkpoint && {
      origin: checkpoint.origin,
      size: checkpoint.size,
      rootHash: hexOf(checkpoint.root) as Hash,
    },
    signedBy,
  }
}

const skipped = (name: CheckName, detail: string): Check => ({ name, outcome: 'skipped', detail })

/** What cannot be read fails; anything else is a defect, and thrown. */
function attempt<T>(name: CheckName, read: () => T): [Check, T | null] {
  try {
    return [{ name, outcome: 'holds', detail: '' }, read()]
  } catch (error) {
    if (!isStoreError(error, 'malformed-proof')) throw error
    return [{ name, outcome: 'fails', detail: String(error.facts['problem']) }, null]
  }
}
