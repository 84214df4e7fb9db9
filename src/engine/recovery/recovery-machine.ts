// What follows on what was found out about a log: decided here, and nowhere else. Pure, so that every edge is tested.

import type { GlobalPosition } from '../../log/event.ts'
import type { Finding, RecoveryAction, Verdict } from '../../model/integrity-status.ts'

/** What should not have happened to a log. */
export type Found = Pick<Verdict, 'at' | 'atRisk' | 'detail'> &
  // A damaged block is an input of its own; a log that is begun anew has its verdict from the start.
  Readonly<{ finding: Exclude<Finding, 'damaged'> }>

/** A stored block that is not what was written. */
export type Damage = Readonly<{
  /** Of the block. */
  firstPosition: GlobalPosition
  lastPosition: GlobalPosition
  atRisk: Verdict['atRisk']
  /** What of it does not hold, in words. */
  detail: string
  /** Why no server can have all of what was lost; null where one has it. */
  obstacle: string | null
}>

export type HealOutcome =
  | Readonly<{ type: 'healed' }>
  /** Nothing was left to do: another tab was first. */
  | Readonly<{ type: 'sound' }>
  /** The server cannot be asked now. */
  | Readonly<{ type: 'unanswered' }>
  /** What the server has is not what stood here. */
  | Readonly<{ type: 'refused'; reason: string }>

/** What is known to be damaged, by the first position of its block. */
export type RecoveryState = Readonly<{
  damages: ReadonlyMap<GlobalPosition, Readonly<{ damage: Damage; phase: DamagePhase }>>
}>

/**
 * `asking`: the server is asked for the entries. `waiting`: it could not be asked, and that was told. `asking-again`:
 * behind that. `lost`: it cannot help.
 */
export type DamagePhase = 'asking' | 'waiting' | 'asking-again' | 'lost'

export type RecoveryFacts = Readonly<{
  /** Whether what is lost here can come from a server. */
  hasServer: boolean
}>

export type RecoveryInput =
  /** Of anything but a block. */
  | Readonly<{ type: 'found'; found: Found }>
  | Readonly<{ type: 'block-damaged'; damage: Damage }>
  | Readonly<{ type: 'heal-ended'; damage: Damage; outcome: HealOutcome }>
  /** The server answers. */
  | Readonly<{ type: 'server-reached' }>

/** To be carried out in order: a finding is told before anything else is done about it. */
export type RecoveryEffect =
  | Readonly<{ type: 'tell'; verdict: Omit<Verdict, 'id' | 'foundAt'> }>
  /** What this device has signed for is not this log: from now on it signs under another name, by another key. */
  | Readonly<{ type: 'renew-identity' }>
  /** Answered by one `heal-ended`. */
  | Readonly<{ type: 'heal'; damage: Damage }>

export const SOUND: RecoveryState = { damages: new Map() }

type Step = readonly [RecoveryState, readonly RecoveryEffect[]]

export function step(state: RecoveryState, input: RecoveryInput, facts: RecoveryFacts): Step {
  switch (input.type) {
    case 'found':
      return [state, effectsOf(input.found, facts)]
    case 'block-damaged':
      return blockDamaged(state, input.damage, facts)
    case 'heal-ended':
      return healEnded(state, input.damage, input.outcome)
    case 'server-reached':
      return askAgain(state)
  }
}

type Plan = Readonly<{ action: RecoveryAction; renewsIdentity?: true }>

const PLANS: Readonly<Record<Found['finding'], (facts: RecoveryFacts) => Plan>> = {
  wiped: comesAgain,
  truncated: comesAgain,
  'head-mismatch': comesAgain,
  'behind-witness': () => ({ action: 'new-identity', renewsIdentity: true }),
  forked: () => ({ action: 'new-identity', renewsIdentity: true }),
  'tree-damaged': () => ({ action: 'rebuilt' }),
  'snapshot-damaged': () => ({ action: 'rebuilt' }),
  // The log here is what it was, and so is what was signed of it.
  'server-inconsistent': () => ({ action: 'sync-stopped' }),
  'not-deterministic': () => ({ action: 'untrusted' }),
}

function comesAgain({ hasServer }: RecoveryFacts): Plan {
  return { action: hasServer ? 'fetched-again' : 'went-on', renewsIdentity: true }
}

function effectsOf(found: Found, facts: RecoveryFacts): RecoveryEffect[] {
  const { action, renewsIdentity } = PLANS[found.finding](facts)
  const told: RecoveryEffect = { type: 'tell', verdict: { ...found, action } }
  return renewsIdentity ? [told, { type: 'renew-identity' }] : [told]
}

/** Whoever reads the block finds it again: only the first one counts. */
function blockDamaged(state: RecoveryState, damage: Damage, { hasServer }: RecoveryFacts): Step {
  if (state.damages.has(damage.firstPosition)) return [state, []]
  const obstacle = damage.obstacle ?? (hasServer ? null : 'there is no server to ask')
  if (obstacle !== null) return [withPhase(state, damage, 'lost'), [tell(damage, 'needs-restore', obstacle)]]
  return [withPhase(state, damage, 'asking'), [{ type: 'heal', damage }]]
}

function healEnded(state: RecoveryState, damage: Damage, outcome: HealOutcome): Step {
  switch (outcome.type) {
    case 'healed':
      return [without(state, damage), [tell(damage, 'healed')]]
    case 'sound':
      return [without(state, damage), []]
    case 'refused':
      return [withPhase(state, damage, 'lost'), [tell(damage, 'needs-restore', outcome.reason)]]
    case 'unanswered': {
      const isTold = state.damages.get(damage.firstPosition)?.phase === 'asking-again'
      return [withPhase(state, damage, 'waiting'), isTold ? [] : [tell(damage, 'waits-for-server')]]
    }
  }
}

function askAgain(state: RecoveryState): Step {
  const waiting = [...state.damages.values()].filter(({ phase }) => phase === 'waiting')
  const asking = waiting.reduce((next, { damage }) => withPhase(next, damage, 'asking-again'), state)
  return [asking, waiting.map(({ damage }) => ({ type: 'heal', damage }))]
}

function tell(
  { firstPosition, atRisk, detail }: Damage,
  action: RecoveryAction,
  why?: string,
): RecoveryEffect {
  const verdict = { finding: 'damaged', action, at: firstPosition, atRisk } as const
  return { type: 'tell', verdict: { ...verdict, detail: why === undefined ? detail : `${detail}: ${why}` } }
}

function withPhase({ damages }: RecoveryState, damage: Damage, phase: DamagePhase): RecoveryState {
  return { damages: new Map(damages).set(damage.firstPosition, { damage, phase }) }
}

function without({ damages }: RecoveryState, { firstPosition }: Damage): RecoveryState {
  const left = new Map(damages)
  left.delete(firstPosition)
  return { damages: left }
}
