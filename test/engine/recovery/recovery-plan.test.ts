import { expect, test } from 'vitest'
import { recoveryOf } from '../../../src/engine/recovery/recovery-plan.ts'

// Every edge: what was found, whether there is a server, what is done, and whether the device signs on under its name.
test.each([
  ['wiped', true, 'fetched-again', true],
  ['wiped', false, 'went-on', true],
  ['truncated', true, 'fetched-again', true],
  ['truncated', false, 'went-on', true],
  ['head-mismatch', true, 'fetched-again', true],
  ['head-mismatch', false, 'went-on', true],
  ['behind-witness', true, 'new-identity', true],
  ['behind-witness', false, 'new-identity', true],
  ['forked', true, 'new-identity', true],
  ['forked', false, 'new-identity', true],
  ['damaged', true, 'restored', false],
  ['damaged', false, 'restored', false],
  ['server-inconsistent', true, 'sync-stopped', false],
  ['server-inconsistent', false, 'sync-stopped', false],
  ['not-deterministic', true, 'untrusted', false],
  ['not-deterministic', false, 'untrusted', false],
] as const)(
  '%s, with a server %s: %s, renews its identity %s',
  (finding, hasServer, action, renewsIdentity) => {
    expect(recoveryOf(finding, { hasServer })).toEqual({ action, renewsIdentity })
  },
)
