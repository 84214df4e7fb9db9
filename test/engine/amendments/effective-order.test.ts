// What folds are told of changes of the order is true of every two states that the log was in.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EffectiveOrder } from '../../../src/engine/amendments/effective-order.ts'
import { newEventsIn, type OrderChange } from '../../../src/log/amendment.ts'

const STREAMS = ['s1', 's2'] as const
/** Of folds: of one stream each, or of all. */
const OWNERS: readonly (string | null)[] = [null, ...STREAMS]

/** Positions of two streams and the order of what is in them, as an index has them. */
function openOrder() {
  const positions = new Map<string, number[]>(STREAMS.map(name => [name, []]))
  const of = (streamName: string) => positions.get(streamName)!
  const streams = {
    positionAt: (streamName: string, version: number) => of(streamName)[version - 1]!,
    versionAt: (streamName: string, position: number) => of(streamName).indexOf(position) + 1,
  }
  const order = new EffectiveOrder(streams)
  let head = 0
  const endsOfCommits: number[] = []
  return {
    order,
    streams,
    head: () => head,
    lastEndBefore: (position: number) => endsOfCommits.findLast(end => end <= position) ?? 0,
    version: (streamName: string) => of(streamName).length,
    effective: () => [...positions].flatMap(([name, all]) => all.map(position => [name, position] as const)),
    append(streamName: string, count = 1) {
      for (let i = 0; i < count; i++) of(streamName).push(++head)
      endsOfCommits.push(...of(streamName).slice(-count))
    },
    amend(streamName: string, ...changes: OrderChange[]) {
      of(streamName).push(++head)
      // The events that it puts in are of the same commit.
      endsOfCommits.splice(endsOfCommits.length - newEventsIn(changes), Infinity, head)
      return order.take({ streamName, position: head, version: of(streamName).length, changes })
    },
    /** What is behind a position does not count any more. */
    supersedeBehind(position: number) {
      const to = head++
      for (const [name, all] of positions) {
        positions.set(
          name,
          all.filter(one => one <= position),
        )
      }
      return order.supersede(position + 1, to, head)
    },
  }
}

type OpenOrder = ReturnType<typeof openOrder>

/** What stands at each place, and how folds name the order. */
function stateOf({ order, effective }: OpenOrder) {
  const changedAt = new Map(OWNERS.map(name => [name, order.changedAt(name)]))
  const places = new Map(
    effective().map(([name, position]) => [position, { name, standing: order.at(name, position) }]),
  )
  return { changedAt, places }
}

type Wish = Readonly<{ kind: OrderChange['kind']; one: number; other: number }>

function amendBy(log: OpenOrder, streamName: string, { kind, one, other }: Wish): void {
  const head = log.version(streamName)
  if (head === 0) return
  const version = 1 + (one % head)
  const after = other % (head + 1)
  if (kind === 'remove') log.amend(streamName, { kind, version })
  else if (kind === 'move') {
    if (after !== version) log.amend(streamName, { kind, version, after })
  } else {
    log.append(streamName)
    const added = head + 1
    if (kind === 'insert') log.amend(streamName, { kind, version: added, after })
    else log.amend(streamName, { kind, version, by: added })
  }
}

const wish = fc.record({
  kind: fc.constantFrom<Wish['kind']>('insert', 'replace', 'remove', 'move'),
  one: fc.nat(30),
  other: fc.nat(30),
})
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ amend: wish }) },
  // The share of what is pending that is confirmed.
  { weight: 1, arbitrary: fc.record({ confirm: fc.constantFrom(0.5, 1) }) },
  { weight: 1, arbitrary: fc.constant({ rebase: true }) },
)
const history = fc.array(fc.tuple(fc.constantFrom(...STREAMS), step), { minLength: 2, maxLength: 16 })
type Step = (typeof history extends fc.Arbitrary<(infer T)[]> ? T : never)[1]

/** Returns up to where the log is confirmed. */
function take(log: OpenOrder, streamName: string, step: Step, confirmed: number): number {
  if ('confirm' in step)
    return Math.max(confirmed, log.lastEndBefore(confirmed + (log.head() - confirmed) * step.confirm))
  if ('append' in step) log.append(streamName, step.append)
  else if ('amend' in step) amendBy(log, streamName, step.amend)
  else log.supersedeBehind(confirmed)
  return confirmed
}

test('whatever is amended, taken back and amended again, other events stand only where it is told', () => {
  const seen = { differing: 0, same: 0 }
  fc.assert(
    fc.property(history, steps => {
      const log = openOrder()
      const states = [stateOf(log)]
      let confirmed = 0
      for (const [streamName, step] of steps) {
        confirmed = take(log, streamName, step, confirmed)
        states.push(stateOf(log))
      }
      for (const a of states) {
        for (const b of states) {
          for (const owner of OWNERS) {
            const [from, to] = [a.changedAt.get(owner)!, b.changedAt.get(owner)!]
            const { first, last } = log.order.changedBetween(from, to, owner)
            for (const [position, { name, standing }] of a.places) {
              const other = b.places.get(position)
              if (!other || (owner ?? name) !== name) continue
              const isTold = position >= first && position <= last
              if (!isTold) expect(other.standing).toEqual(standing)
              if (String(other.standing) === String(standing)) seen.same++
              else seen.differing++
            }
          }
        }
      }
    }),
    { numRuns: 500 },
  )
  expect(Math.min(seen.differing, seen.same)).toBeGreaterThan(1_000)
})

test('whatever is taken back, what is settled stays', () => {
  let seen = 0
  fc.assert(
    fc.property(history, steps => {
      const log = openOrder()
      let confirmed = 0
      for (const [streamName, step] of steps) {
        const settled = new Map(OWNERS.map(name => [name, log.order.settledThrough(confirmed, name)]))
        const { places } = stateOf(log)
        confirmed = take(log, streamName, step, confirmed)
        if (!('rebase' in step)) continue
        for (const [position, { name, standing }] of stateOf(log).places) {
          for (const owner of [null, name]) {
            if (position > settled.get(owner)!) continue
            expect(standing).toEqual(places.get(position)!.standing)
            seen++
          }
        }
      }
    }),
    { numRuns: 1_000 },
  )
  expect(seen).toBeGreaterThan(200)
})

test('whatever the history, each event has the place at which it stands, and records restore all that was taken', () => {
  fc.assert(
    fc.property(history, steps => {
      const log = openOrder()
      const { order, streams } = log
      let confirmed = 0
      const marks = new Set([0])
      for (const [streamName, step] of steps) {
        confirmed = take(log, streamName, step, confirmed)
        for (const owner of OWNERS) marks.add(order.changedAt(owner))
        const restored = new EffectiveOrder(streams)
        restored.restore(JSON.parse(JSON.stringify(order.records)))
        expect(restored.isEmpty).toBe(order.isEmpty)
        for (const [name, position] of log.effective()) {
          const standing = order.at(name, position)
          expect(restored.at(name, position)).toEqual(standing)
          for (const globalPosition of standing) {
            const streamVersion = streams.versionAt(name, globalPosition)
            const place = { version: streams.versionAt(name, position), position }
            expect(order.placeOf({ streamName: name, streamVersion, globalPosition })).toEqual(place)
          }
          if (String(standing) !== String([position]) && standing.length > 0)
            expect(order.firstChanged(name)).toBeLessThanOrEqual(position)
        }
        for (const owner of OWNERS) {
          expect(restored.changedAt(owner)).toBe(order.changedAt(owner))
          expect(restored.firstChanged(owner)).toBe(order.firstChanged(owner))
          expect(restored.settledThrough(confirmed, owner)).toBe(order.settledThrough(confirmed, owner))
          for (const from of marks) {
            const to = order.changedAt(owner)
            expect(restored.changedBetween(from, to, owner)).toEqual(order.changedBetween(from, to, owner))
          }
        }
      }
    }),
    { numRuns: 300 },
  )
})

describe('an amendment', () => {
  const NOWHERE = { first: Number.POSITIVE_INFINITY, last: 0 }
  /** Events of s1 at positions 1 to 4 and 6, of s2 at 5. */
  function openFilled() {
    const log = openOrder()
    log.append('s1', 4)
    log.append('s2')
    log.append('s1')
    return log
  }

  test('touches the places at which something else stands then, and not those of the events that it brings', () => {
    const log = openFilled()
    expect(log.order.isEmpty).toBe(true)
    log.append('s1')
    expect(log.amend('s1', { kind: 'insert', version: 6, after: 2 })).toEqual({ first: 2, last: 2 })
    expect(log.order.at('s1', 2)).toEqual([2, 7])
    expect(log.order.at('s1', 7)).toEqual([])
    expect(log.amend('s1', { kind: 'move', version: 1, after: 5 })).toEqual({ first: 1, last: 6 })
    expect(log.order.at('s1', 6)).toEqual([6, 1])
    expect(log.order.at('s2', 5)).toEqual([5])
    expect(log.order.firstChanged('s1')).toBe(1)
    expect(log.order.firstChanged('s2')).toBe(Number.POSITIVE_INFINITY)
    expect(log.order.firstChanged(null)).toBe(1)
  })

  test('without effect touches nothing, and counts as an amendment', () => {
    const log = openFilled()
    log.amend('s1', { kind: 'remove', version: 1 })
    expect(log.amend('s1', { kind: 'remove', version: 1 })).toBeNull()
    expect(log.order.changedBetween(7, 8, 's1')).toEqual(NOWHERE)
    expect(log.order.countingOf('s1').map(({ position }) => position)).toEqual([7, 8])
  })

  test('counts until it is superseded, and marks of folds tell one from the other', () => {
    const log = openFilled()
    const { order } = log
    log.amend('s1', { kind: 'remove', version: 3 })
    expect([order.changedAt('s1'), order.changedAt('s2'), order.changedAt(null)]).toEqual([7, 0, 7])
    expect(order.settledThrough(6, 's1')).toBe(2)
    expect(order.settledThrough(6, 's2')).toBe(6)
    expect(order.settledThrough(6, null)).toBe(2)
    expect(order.settledThrough(7, 's1')).toBe(7)

    expect(log.supersedeBehind(6)).toEqual({ first: 3, last: 3 })
    expect(order.at('s1', 3)).toEqual([3])
    expect(order.countingOf('s1')).toEqual([])
    expect(order.changedAt('s1')).toBe(8)
    expect(order.settledThrough(6, 's1')).toBe(6)
    expect(order.changedBetween(0, 7, 's1')).toEqual({ first: 3, last: 3 })
    expect(order.changedBetween(7, 8, 's1')).toEqual({ first: 3, last: 3 })
    expect(order.changedBetween(0, 8, 's1')).toEqual(NOWHERE)
    expect(order.changedBetween(0, 7, 's2')).toEqual(NOWHERE)
  })

  test('that was superseded leaves those before it as they are', () => {
    const log = openFilled()
    log.amend('s1', { kind: 'remove', version: 1 })
    log.amend('s1', { kind: 'remove', version: 2 })
    log.supersedeBehind(7)
    expect([1, 2, 3].map(position => log.order.at('s1', position))).toEqual([[], [2], [3]])
    // A second rebase does not supersede it again.
    log.supersedeBehind(7)
    expect(log.order.records.map(({ supersededAt }) => supersededAt)).toEqual([null, 9])
  })
})
