// The invariants in the docblock of `step`, numbered as there, under arbitrary inputs against a model of the world.

import fc from 'fast-check'
import { assert, expect, test } from 'vitest'
import type {
  AccessNow,
  Answer,
  Question,
  ServerEffect,
  ServerInput,
  Work,
} from '../../src/server/server-io.ts'
import {
  asking,
  type Exchange,
  initialStoreState,
  type StoreState,
  step,
} from '../../src/server/server-state.ts'

const EPOCHS = ['a', 'b'] as const
const LIMITS = { maxPullBytes: 100, maxLiveClients: 2, recheckMs: 20_000 }

const accesses: readonly AccessNow[] = [
  null,
  'unknown',
  { storeId: 's', read: true, expiresAt: null },
  { storeId: 's', read: false, expiresAt: null },
  { storeId: 'other', read: true, expiresAt: null },
  { storeId: 's', read: true, expiresAt: 50_000 },
]

/** One exchange, and all that was ever seen of it. */
class Watched {
  exchange: Exchange
  work: Work | null = null
  readonly answers: Answer[] = []
  /** What the database had when it was looked at last, and what was done since. */
  sawOwnEpoch = false
  admitted: number | null = null
  isListedErased = false
  hasRoom = false
  told = ''
  isLive = false
  isOver = false
  wakesAt: number | null = null
  isChecked = false
  expiresAt: number | null = null
  lookedAt = 0
  readonly question: Question

  constructor(question: Question) {
    this.question = question
    this.exchange = asking(question)
    if (question.type === 'hints') this.expiresAt = question.expiresAt
  }
}

class World {
  store: StoreState = initialStoreState('a', LIMITS)
  epoch = 'a'
  head = 0
  now = 0
  readonly exchanges: Watched[] = []

  give(one: Watched, input: ServerInput): void {
    const isWork = one.work !== null && ANSWERS[one.work.type] === input.type
    if (isWork || (input.type === 'failed' && one.work)) one.work = null
    if (input.type === 'timer') one.wakesAt = null
    if (input.type === 'reads') one.hasRoom = true
    if (input.type === 'looked' || input.type === 'confirmed')
      one.sawOwnEpoch = input.epoch === this.store.epoch
    if (input.type === 'left' || input.type === 'closed') one.isOver ||= one.isLive
    const [next, effects] = step({ store: this.store, exchange: one.exchange }, input, this.now)
    this.store = next.store
    one.exchange = next.exchange
    for (const effect of effects) this.check(one, effect)
    const live = this.exchanges.filter(({ isLive }) => isLive).length
    assert(this.store.live === live && live <= LIMITS.maxLiveClients, 'invariant 7')
  }

  check(one: Watched, effect: ServerEffect): void {
    switch (effect.type) {
      case 'answer':
        this.checkAnswer(one, effect.answer)
        return
      case 'admit':
      case 'erase':
        assert(one.sawOwnEpoch, 'invariant 2: a look came before')
        assert('epoch' in one.question && one.question.epoch === this.store.epoch, 'invariant 2')
        if (effect.type === 'admit') {
          const { forbidden, commits } = one.question as Extract<Question, { type: 'push' }>
          assert(effect.commits === (forbidden ? forbidden.at : commits), 'invariant 5')
        }
        this.begin(one, effect)
        return
      case 'look':
        assert(!this.store.isClosed, 'invariant 9')
        if (one.isLive) return
        this.begin(one, effect)
        return
      case 'readPage':
        assert(effect.maxBytes <= LIMITS.maxPullBytes, 'the limit of a page')
        this.begin(one, effect)
        return
      case 'eraseListed':
        assert(effect.commits === one.admitted, 'invariant 3')
        one.isListedErased = true
        this.begin(one, effect)
        return
      case 'listErasures':
      case 'confirm':
        this.begin(one, effect)
        return
      case 'hint':
        assert(one.isLive && one.hasRoom, 'invariant 6: it reads')
        assert(effect.hint.position <= this.head, 'invariant 6: no more than there is')
        assert(`${effect.hint.position}` !== one.told, 'invariant 6: not twice')
        one.told = `${effect.hint.position}`
        one.hasRoom = false
        return
      case 'beat':
        assert(one.isLive && one.hasRoom, 'a beat to one that reads')
        one.hasRoom = false
        return
      case 'schedule': {
        const end = one.expiresAt ?? Number.POSITIVE_INFINITY
        one.wakesAt = this.now + effect.delayMs
        assert(
          effect.delayMs === 0 || one.wakesAt <= Math.min(end, one.lookedAt + LIMITS.recheckMs),
          'invariant 8',
        )
        return
      }
      case 'checkAccess':
        one.isChecked = true
        one.lookedAt = this.now
        return
      case 'cancelTimer':
        one.wakesAt = null
        return
      case 'end':
        assert(one.isLive, 'a stream ends once')
        one.isLive = false
        one.isOver = true
        return
      case 'reopen':
        return
    }
  }

  begin(one: Watched, work: Work): void {
    assert(one.work === null && one.answers.length === 0, 'invariant 1')
    one.work = work
  }

  checkAnswer(one: Watched, answer: Answer): void {
    one.answers.push(answer)
    assert(one.answers.length === 1 && one.work === null, 'invariant 1')
    if (answer.type === 'hints') {
      one.isLive = true
      one.lookedAt = this.now
    }
    if (answer.type === 'receipt') {
      assert(one.admitted === answer.receipt.accepted, 'invariant 3: what was admitted')
      assert(one.isListedErased || one.admitted === 0, 'invariant 3: what is listed is erased')
      assert((answer.status === 200) === (answer.receipt.refusal === null), 'a status that says so')
    }
    const named = answer.type === 'receipt' ? answer.receipt.epoch : 'epoch' in answer ? answer.epoch : null
    if (named === null) return
    assert(named === this.store.epoch && one.sawOwnEpoch, 'invariant 4')
    assert(this.store.replacedBy === null, 'invariant 4: nothing of a log that is no more')
  }
}

const ANSWERS: Readonly<Record<Work['type'], ServerInput['type']>> = {
  look: 'looked',
  readPage: 'pageRead',
  admit: 'admitted',
  eraseListed: 'erased',
  erase: 'erased',
  listErasures: 'listed',
  confirm: 'confirmed',
}

const questionOf = (n: number): Question => {
  const epoch = EPOCHS[n % 7 === 0 ? 1 : 0]
  const forbidden = n % 2 === 0 ? { at: n % 3, streamName: 'closed' } : null
  const all: Question[] = [
    { type: 'head' },
    { type: 'pull', after: n % 4, maxBytes: n * 10 },
    { type: 'prefix', size: n },
    { type: 'push', epoch, commits: 3, forbidden },
    { type: 'push', epoch, commits: 3, forbidden: null },
    { type: 'erase', epoch },
    { type: 'erasures', after: 0 },
    { type: 'hints', storeId: 's', expiresAt: n % 2 === 0 ? null : 30_000 },
    { type: 'hints', storeId: 's', expiresAt: null },
    { type: 'other' },
  ]
  return all[n % all.length]!
}

/** What comes in from outside, as it may: also what does not fit. */
function move(world: World, { kind, n }: Readonly<{ kind: string; n: number }>): void {
  const standing = { head: world.head, erasures: 0 }
  if (kind === 'ask') {
    const one = new Watched(questionOf(n))
    world.exchanges.push(one)
    world.give(one, { type: 'asked' })
    return
  }
  if (kind === 'putBack') {
    world.epoch = 'b'
    return
  }
  if (kind === 'time') {
    world.now += n * 1_000
    for (const one of world.exchanges) {
      if (one.wakesAt !== null && one.wakesAt <= world.now) world.give(one, { type: 'timer' })
    }
    return
  }
  if (kind === 'closed') {
    for (const one of world.exchanges) world.give(one, { type: 'closed' })
    return
  }
  const one = world.exchanges[n % Math.max(1, world.exchanges.length)]
  if (!one) return
  switch (kind) {
    case 'work':
      work(world, one, n)
      return
    case 'fail':
      world.give(one, { type: 'failed' })
      return
    case 'reads':
      world.give(one, { type: 'reads', standing })
      return
    case 'left':
      world.give(one, { type: 'left' })
      return
    case 'timer':
      world.give(one, { type: 'timer' })
      return
    case 'access': {
      if (!one.isChecked) return
      one.isChecked = false
      const access = accesses[n % accesses.length]!
      if (access && access !== 'unknown') one.expiresAt = access.expiresAt
      world.give(one, { type: 'accessKnown', access })
      const mayLive = access === 'unknown' || (access?.read && access.storeId === 's')
      const isValid = mayLive && (one.expiresAt === null || one.expiresAt > world.now)
      assert(isValid || !one.isLive, 'invariant 8: it ends')
      return
    }
    default:
      throw new Error(kind)
  }
}

function work(world: World, one: Watched, n: number): void {
  const { epoch } = world
  const before = { head: world.head, erasures: 0 }
  switch (one.work?.type) {
    case undefined:
      // Nothing was asked for.
      world.give(one, { type: 'looked', epoch, standing: before })
      return
    case 'look':
      world.give(one, { type: 'looked', epoch, standing: before })
      return
    case 'readPage':
      world.give(one, { type: 'pageRead', next: world.head })
      return
    case 'admit': {
      const accepted = Math.min(n % 4, one.work.commits)
      const isAll = accepted === one.work.commits
      const reason = (['stale', 'id-reused', 'invalid'] as const)[n % 3]!
      one.admitted = accepted
      world.head += accepted
      const refusal = isAll ? null : { reason, detail: '' }
      world.give(one, { type: 'admitted', outcome: { accepted, after: null, head: world.head, refusal } })
      const standing = { head: world.head, erasures: 0 }
      for (const other of world.exchanges) world.give(other, { type: 'grew', standing })
      return
    }
    case 'eraseListed':
    case 'erase':
      world.give(one, { type: 'erased' })
      return
    case 'listErasures':
      world.give(one, { type: 'listed' })
      return
    case 'confirm':
      world.give(one, { type: 'confirmed', epoch, standing: before })
      return
  }
}

const KINDS = [
  'ask',
  'work',
  'work',
  'work',
  'fail',
  'reads',
  'reads',
  'left',
  'timer',
  'access',
  'time',
  'putBack',
  'closed',
]

test('all invariants hold, whatever comes in, and every request is answered', () => {
  const seen = new Set<string>()
  const moves = fc.array(
    fc.record({
      kind: fc.oneof(
        {
          weight: 20,
          arbitrary: fc.constantFrom(...KINDS.filter(kind => kind !== 'putBack' && kind !== 'closed')),
        },
        { weight: 1, arbitrary: fc.constantFrom(...KINDS) },
      ),
      n: fc.nat(59),
    }),
    { maxLength: 80, size: 'max' },
  )
  fc.assert(
    fc.property(moves, list => {
      const world = new World()
      for (const one of list) move(world, one)
      for (const one of world.exchanges) {
        for (let i = 0; i < 5 && one.work; i++) work(world, one, 3)
        assert(one.answers.length === 1, 'invariant 1: answered in the end')
        seen.add(one.answers[0]!.type)
      }
    }),
    { numRuns: 2_000 },
  )
  // Nothing of it was shown by what never came.
  const all = [
    'head',
    'page',
    'prefix',
    'receipt',
    'erased',
    'erasures',
    'hints',
    'other',
    'refused',
    'again',
    'failed',
  ]
  expect([...seen].sort()).toEqual(all.sort())
})
