import { describe, expect, test } from 'vitest'
import {
  type Damage,
  type Found,
  type HealOutcome,
  type RecoveryInput,
  type RecoveryState,
  SOUND,
  step,
} from '../../../src/engine/recovery/recovery-machine.ts'

const WITH_SERVER = { hasServer: true }
const ALONE = { hasServer: false }

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
  ['tree-damaged', true, 'rebuilt', false],
  ['tree-damaged', false, 'rebuilt', false],
  ['snapshot-damaged', true, 'rebuilt', false],
  ['snapshot-damaged', false, 'rebuilt', false],
  ['server-inconsistent', true, 'sync-stopped', false],
  ['server-inconsistent', false, 'sync-stopped', false],
  ['not-deterministic', true, 'untrusted', false],
  ['not-deterministic', false, 'untrusted', false],
] as const)('%s, with a server %s: %s, renews its identity %s', (finding, hasServer, action, isRenewed) => {
  const found = foundOf(finding)
  const [state, effects] = step(SOUND, { type: 'found', found }, { hasServer })
  expect(state).toBe(SOUND)
  const told = { type: 'tell', verdict: { ...found, action } }
  expect(effects).toEqual(isRenewed ? [told, { type: 'renew-identity' }] : [told])
})

const foundOf = (finding: Found['finding']) => ({
  finding,
  at: 3,
  atRisk: { events: 2, unsynced: 1, bytes: null },
  detail: 'as it was found',
})

describe('a damaged block', () => {
  const damage: Damage = {
    firstPosition: 5,
    lastPosition: 9,
    atRisk: { events: 5, unsynced: 0, bytes: 700 },
    detail: 'a block of 5 entries cannot be read',
    obstacle: null,
  }
  const found = { type: 'block-damaged', damage } as const
  const ended = (outcome: HealOutcome) => ({ type: 'heal-ended', damage, outcome }) as const
  const refused = ended({ type: 'refused', reason: 'the server has another event' })
  const phases = ({ damages }: RecoveryState) => [...damages.values()].map(({ phase }) => phase)
  const told = (action: string, detail = damage.detail) => ({
    type: 'tell',
    verdict: { finding: 'damaged', action, at: 5, atRisk: damage.atRisk, detail },
  })
  const heal = { type: 'heal', damage }

  /** Behind these inputs, without what they brought about. */
  const behind = (...inputs: RecoveryInput[]): RecoveryState =>
    inputs.reduce((state, input) => step(state, input, WITH_SERVER)[0], SOUND)
  const asking = behind(found)
  const waiting = behind(found, ended({ type: 'unanswered' }))
  const askingAgain = behind(found, ended({ type: 'unanswered' }), { type: 'server-reached' })
  const lost = behind(found, refused)

  test('is told first where nobody can help', () => {
    const [alone, effects] = step(SOUND, found, ALONE)
    expect(phases(alone)).toEqual(['lost'])
    expect(effects).toEqual([told('needs-restore', `${damage.detail}: there is no server to ask`)])
    const ofDevice = { ...damage, obstacle: 'it was here alone' }
    const [, again] = step(SOUND, { type: 'block-damaged', damage: ofDevice }, WITH_SERVER)
    expect(again).toEqual([told('needs-restore', `${damage.detail}: it was here alone`)])
  })

  test.each([
    ['sound', SOUND, found, ['asking'], [heal]],
    ['asking', asking, ended({ type: 'healed' }), [], [told('healed')]],
    ['asking', asking, ended({ type: 'sound' }), [], []],
    ['asking', asking, ended({ type: 'unanswered' }), ['waiting'], [told('waits-for-server')]],
    [
      'asking',
      asking,
      refused,
      ['lost'],
      [told('needs-restore', `${damage.detail}: the server has another event`)],
    ],
    ['asking', asking, found, ['asking'], []],
    ['asking', asking, { type: 'server-reached' }, ['asking'], []],
    ['waiting', waiting, { type: 'server-reached' }, ['asking-again'], [heal]],
    ['waiting', waiting, found, ['waiting'], []],
    ['asking again', askingAgain, ended({ type: 'unanswered' }), ['waiting'], []],
    ['asking again', askingAgain, ended({ type: 'healed' }), [], [told('healed')]],
    ['lost', lost, found, ['lost'], []],
    ['lost', lost, { type: 'server-reached' }, ['lost'], []],
  ] as const)('%s: %j', (_, state, input, expectedPhases, expectedEffects) => {
    const [next, effects] = step(state, input, WITH_SERVER)
    expect(phases(next)).toEqual(expectedPhases)
    expect(effects).toEqual(expectedEffects)
  })

  test('keeps nobody from healing another one', () => {
    const other = { ...damage, firstPosition: 20, lastPosition: 22 }
    const both = step(waiting, { type: 'block-damaged', damage: other }, WITH_SERVER)
    expect(phases(both[0])).toEqual(['waiting', 'asking'])
    expect(both[1]).toEqual([{ type: 'heal', damage: other }])
  })
})
