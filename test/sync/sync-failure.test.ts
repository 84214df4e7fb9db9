import { expect, test } from 'vitest'
import { type SyncFailure, verdictOn } from '../../src/sync/sync-failure.ts'

const refused = (status: number, code = 'internal'): SyncFailure => ({
  type: 'refused',
  status,
  code,
  message: 'no',
  facts: {},
  retryAfterMs: null,
})

/** What a person could do, or that nothing needs to be done. */
const WAYS_OUT = /token|nothing needs to be done|address|update/i

test.each<[string, SyncFailure, 'stop' | 'wait']>([
  ['no token', { type: 'no-token' }, 'stop'],
  ['a token that is not good', refused(401, 'unauthenticated'), 'stop'],
  ['a token that may not', refused(403, 'forbidden'), 'stop'],
  ['a push that is not taken', refused(400, 'malformed'), 'wait'],
  ['a server in trouble', refused(503, 'unavailable'), 'wait'],
  ['a log that is behind', refused(409, 'ahead-of-server'), 'wait'],
  ['no network', { type: 'unreachable', message: 'fetch failed', timedOut: false }, 'wait'],
  ['another program', { type: 'rubbish', message: 'no JSON' }, 'wait'],
  ['another log', { type: 'epoch-changed', expected: 'a', actual: 'b' }, 'wait'],
])('%s: the error that the page is shown names the way out', (_, failure, type) => {
  const verdict = verdictOn(failure)
  expect(verdict).toMatchObject({ type, error: { recovery: expect.stringMatching(WAYS_OUT) } })
})
