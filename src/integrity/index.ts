// The door for who checks: verifies what a store proves, without the store.

export type { Hash } from '../log/event.ts'
export type { ConsistencyProof, InclusionProof, LogCheckpoint, UnsignedReason } from '../log/proofs.ts'
export type { ProvenEvent } from './opened-entry.ts'
export { verifyConsistency, verifyInclusion } from './verify-proof.ts'
export {
  type Check,
  type CheckName,
  type CheckpointVerdict,
  type ProofVerdict,
  type TrustedKeys,
  verifyCheckpoint,
  verifyExportedProof,
} from './verify-text.ts'
