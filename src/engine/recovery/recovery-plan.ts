// What follows on each finding: decided here, and nowhere else.

import type { Finding, RecoveryAction } from '../../model/integrity-status.ts'

export type Recovery = Readonly<{
  action: RecoveryAction
  /** What this device has signed for is not this log: from now on it signs under another name, by another key. */
  renewsIdentity: boolean
}>

export type RecoveryFacts = Readonly<{
  /** Whether what is lost here can come from a server. */
  hasServer: boolean
}>

const PLAN: Readonly<Record<Finding, (facts: RecoveryFacts) => Recovery>> = {
  wiped: comesAgain,
  truncated: comesAgain,
  'head-mismatch': comesAgain,
  'behind-witness': () => ({ action: 'new-identity', renewsIdentity: true }),
  forked: () => ({ action: 'new-identity', renewsIdentity: true }),
  // Its name went when the log was begun anew, before it was opened.
  damaged: () => ({ action: 'restored', renewsIdentity: false }),
  // The log here is what it was, and so is what was signed of it.
  'server-inconsistent': () => ({ action: 'sync-stopped', renewsIdentity: false }),
  'not-deterministic': () => ({ action: 'untrusted', renewsIdentity: false }),
}

export function recoveryOf(finding: Finding, facts: RecoveryFacts): Recovery {
  return PLAN[finding](facts)
}

function comesAgain({ hasServer }: RecoveryFacts): Recovery {
  return { action: hasServer ? 'fetched-again' : 'went-on', renewsIdentity: true }
}
