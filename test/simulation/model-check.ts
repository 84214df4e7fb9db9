// Goes through all states that a model can come to, the nearest ones first.

import {
  type Bounds,
  check,
  fairTransition,
  initialModel,
  isThere,
  lateArrives,
  type Model,
  transitions,
} from './model.ts'
import { holds, Violation } from './violation.ts'

export type ModelCheck = Readonly<{
  states: number
  transitions: number
  /** How many steps from the beginning the last states lie. */
  depth: number
  /** False where `maxStates` ended it. */
  isComplete: boolean
  healed: number
}>

export type ModelCheckOptions = Readonly<{
  bounds: Bounds
  maxStates: number
  /** One of so many states is healed, to see that there is a way out of it. */
  healEvery: number
}>

type Found = Readonly<{ model: Model; label: string; from: Found | null }>

/** More than the longest way from anywhere to the end takes. */
const HEALING_STEPS = 200

/** @throws `Violation` with the way to the state in which a rule does not hold */
export function checkModel({ bounds, maxStates, healEvery }: ModelCheckOptions): ModelCheck {
  const first: Found = { model: initialModel(2), label: 'nothing', from: null }
  const keyOf = createKeys()
  const seen = new Set([keyOf(first.model)])
  let frontier = [first]
  let [depth, gone, healed, looked] = [0, 0, 0, 0]
  while (frontier.length > 0 && seen.size < maxStates) {
    const next: Found[] = []
    for (const from of frontier) {
      tell(from, () => check(from.model))
      if (looked++ % healEvery === 0) {
        tell(from, () => heal(from.model))
        healed++
      }
      tell(from, () => {
        for (const { label, to } of transitions(from.model, bounds)) {
          gone++
          const key = keyOf(to)
          if (seen.has(key)) continue
          seen.add(key)
          next.push({ model: to, label, from })
        }
      })
    }
    frontier = next
    depth++
  }
  for (const found of frontier) tell(found, () => check(found.model))
  return { states: seen.size, transitions: gone, depth, isComplete: frontier.length === 0, healed }
}

/** Few clients and servers make many states: each of them is written out once and has a number from then on. */
function createKeys(): (model: Model) => string {
  const numbers = new Map<string, number>()
  const known = new WeakMap<object, number>()
  return ({ server, clients, late }) =>
    `${numberOf(server)},${clients.map(numberOf)},${late && numberOf(late)}`

  function numberOf(part: object): number {
    const before = known.get(part)
    if (before !== undefined) return before
    // All fields are plain values, made in one order.
    const text = JSON.stringify(part)
    const number = numbers.get(text) ?? numbers.size
    numbers.set(text, number)
    known.set(part, number)
    return number
  }
}

/** Everybody does the next thing that is to be done, in turn, until there is nothing left. */
function heal(model: Model): void {
  let now = lateArrives(model)
  for (let i = 0; i < HEALING_STEPS; i++) {
    const moves = now.clients.map((_, n) => fairTransition(now, n))
    const next = moves[i % moves.length] ?? moves.find(move => move !== null)
    if (!next) {
      holds(isSame(now), () => `8: not everything is the same in the end: ${JSON.stringify(now)}`)
      return
    }
    now = next.to
    check(now)
  }
  holds(false, () => `8: there is no end: ${JSON.stringify(now)}`)
}

const isSame = ({ server, clients }: Model): boolean =>
  clients.every(client => isThere(server, client) && client.pending.length === 0)

function tell(found: Found, look: () => void): void {
  try {
    look()
  } catch (error) {
    const way: string[] = []
    for (let one: Found | null = found; one; one = one.from) way.unshift(one.label)
    throw new Violation(`${(error as Error).message}\nafter: ${way.join(', ')}`)
  }
}
