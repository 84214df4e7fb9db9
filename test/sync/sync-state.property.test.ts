// The invariants in the docblock of `step`, numbered as there, under arbitrary inputs against a model of the world.

import fc from 'fast-check'
import { assert, expect, test } from 'vitest'
import type { PushReceipt } from '../../src/protocol/sync-messages.ts'
import { statusOf } from '../../src/sync/status-of.ts'
import type { SyncFailure } from '../../src/sync/sync-failure.ts'
import type { Standing, SyncEffect, SyncInput } from '../../src/sync/sync-io.ts'
import { initialSyncState, type SyncState, step } from '../../src/sync/sync-state.ts'

type Move = Readonly<{ kind: keyof typeof MOVES; n: number; chance: number }>

const EPOCH = 'e1'
const BYTES_PER_COMMIT = 100_000
const QUIET: readonly string[] = ['off', 'stopped', 'offline']

/** A server, a log and a network, as far as the machine can tell, and all that was ever seen of the machine. */
class World {
  state: SyncState = initialSyncState
  now = 0
  chance = 0.5
  /** The server's log, one commit an element: whether it is this replica's. */
  readonly serverLog: boolean[] = []
  appended = 0
  position = 0
  /** How many of this replica's commits are in the server's log, and how many of them were pulled. */
  taken = 0
  confirmed = 0
  /** Records in the server's list of erasures, how many of them are here, and how many it has to be told of. */
  erased = 0
  erasuresTaken = 0
  unsent = 0
  request: Extract<SyncEffect, { type: 'pull' | 'push' | 'erase' }> | null = null
  requestedAt = 0
  isAborted = false
  hasTimer = false
  hasHints = false
  /** What invariants 3, 5, 6 and 7 speak of. */
  hasReachedEnd = false
  hinted = 0
  mustWait = false
  answeredPushAt: number | null = null
  pushBound = Number.POSITIVE_INFINITY

  get standing(): Standing {
    const pending = this.appended - this.confirmed
    const erasures = { taken: this.erasuresTaken, unsent: this.unsent }
    return { epoch: EPOCH, position: this.position, pending, rejected: 0, erasures }
  }

  give(input: SyncInput): void {
    if (/^(pull|push|erase)(Done|Failed|Empty)$/.test(input.type)) this.request = null
    if (input.type === 'timer' || input.type === 'online' || input.type === 'poked') this.mustWait = false
    if (input.type === 'timer') this.hasTimer = false
    const [state, effects] = step(this.state, input, { now: this.now, chance: this.chance })
    this.state = state
    const { phase, serverPosition } = statusOf(state)
    if (phase === 'waiting' || phase === 'stopped') this.answeredPushAt = null
    for (const effect of effects) this.check(effect, QUIET.includes(phase))
    assert(!QUIET.includes(phase) || (!this.hasTimer && !this.hasHints), 'invariant 2')
    assert(serverPosition === this.position, 'invariant 4')
  }

  check(effect: SyncEffect, isQuiet: boolean): void {
    switch (effect.type) {
      case 'pull':
      case 'push':
      case 'erase':
        assert(this.request === null, 'invariant 1')
        assert(!isQuiet, 'invariant 2')
        assert(!this.mustWait, 'invariant 5')
        if (effect.type === 'push') this.checkPush(effect.maxBytes)
        this.hasReachedEnd = false
        this.request = effect
        this.requestedAt = this.position
        this.isAborted = false
        break
      case 'schedule':
        assert(effect.delayMs >= 0 && effect.delayMs <= 60_000, 'a delay in its bounds')
        this.hasTimer = true
        break
      case 'cancelTimer':
        this.hasTimer = false
        break
      case 'openHints':
        assert(!isQuiet, 'invariant 2')
        this.hasHints = true
        break
      case 'closeHints':
        this.hasHints = false
        break
      case 'abortRequest':
        assert(this.request !== null, 'something to abort')
        this.isAborted = true
        break
    }
  }

  checkPush(maxBytes: number): void {
    assert(this.hasReachedEnd && this.hinted <= this.position, 'invariant 3')
    assert(this.answeredPushAt !== this.position, 'invariant 6')
    assert(maxBytes <= this.pushBound, 'invariant 7')
  }

  /** The server answers the pull with at most n commits. */
  answerPull(n: number): void {
    const head = this.serverLog.length
    this.moveTo(Math.min(head, this.position + n))
    this.erasuresTaken = this.erased
    this.hasReachedEnd = this.position === head
    this.hinted = 0
    this.give({ type: 'pullDone', standing: this.standing, head })
  }

  moveTo(position: number): void {
    this.confirmed += this.serverLog.slice(this.position, position).filter(isOwn => isOwn).length
    this.position = position
  }

  get commitsSent(): number {
    if (this.request?.type !== 'push') return 0
    return Math.min(this.standing.pending, Math.max(1, Math.floor(this.request.maxBytes / BYTES_PER_COMMIT)))
  }

  /** The server takes at most n commits of the push, and returns how many. */
  takePush(n: number): number {
    const accepted = Math.min(n, this.commitsSent)
    for (; this.taken < this.confirmed + accepted; this.taken++) this.serverLog.push(true)
    return accepted
  }

  answerPush(accepted: number, refusal: PushReceipt['refusal'] = null): void {
    this.answeredPushAt = this.requestedAt
    const receipt = {
      epoch: EPOCH,
      accepted,
      after: null,
      head: this.serverLog.length,
      checkpoint: null,
      refusal,
    }
    this.give({ type: 'pushDone', receipt, standing: this.standing })
  }

  /** As the log does with a receipt that says where the commits stand. */
  placeOwn(accepted: number): void {
    const own = this.serverLog.slice(this.position, this.position + accepted)
    if (own.length === accepted && own.every(isOwn => isOwn)) this.moveTo(this.position + accepted)
  }

  fail(failure: SyncFailure): void {
    const isTooLarge = failure.type === 'refused' && failure.status === 413
    this.mustWait ||= this.request !== null && !this.isAborted && !isTooLarge
    if (this.request?.type === 'pull') this.give({ type: 'pullFailed', failure })
    if (this.request?.type === 'erase') this.give({ type: 'eraseFailed', failure })
    if (this.request?.type === 'push') {
      const commits = this.commitsSent
      this.give({ type: 'pushFailed', failure, sent: { commits, bytes: commits * BYTES_PER_COMMIT } })
    }
  }
}

const refused = (status: number): SyncFailure => ({
  type: 'refused',
  status,
  code: 'some-code',
  message: '',
  facts: {},
  retryAfterMs: null,
})

const MOVES = {
  start: world => world.give({ type: 'started', standing: world.standing }),
  stop: world => world.give({ type: 'stopped' }),
  online: world => world.give({ type: 'online' }),
  offline: world => world.give({ type: 'offline' }),
  poke(world) {
    world.pushBound = Number.POSITIVE_INFINITY
    world.give({ type: 'poked' })
  },
  append(world, n) {
    world.appended += n
    world.give({ type: 'logChanged', standing: world.standing })
  },
  erase(world, n) {
    world.unsent += n
    world.give({ type: 'logChanged', standing: world.standing })
  },
  foreignErasure(world) {
    world.erased++
  },
  /** The token may not erase, or the server is an old one. */
  mayNotErase(world) {
    if (world.request?.type === 'erase') world.give({ type: 'eraseFailed', failure: refused(403) })
  },
  foreign(world, n) {
    world.serverLog.push(...Array.from({ length: n }, () => false))
  },
  timer(world) {
    if (world.hasTimer) world.give({ type: 'timer' })
  },
  hint(world) {
    const position = world.serverLog.length
    world.hinted = Math.max(world.hinted, position)
    world.give({ type: 'hint', position, epoch: EPOCH, erasures: world.erased })
  },
  lyingHint(world, n) {
    world.hinted = Math.max(world.hinted, n * 20)
    world.give({ type: 'hint', position: n * 20, epoch: EPOCH, erasures: n * 20 })
  },
  hintsOpened(world) {
    if (world.hasHints) world.give({ type: 'hintsOpened' })
  },
  hintsClosed(world) {
    if (world.hasHints) world.give({ type: 'hintsClosed' })
  },
  hintsRefused(world) {
    if (world.hasHints) world.give({ type: 'hintsRefused' })
  },
  answer(world, n) {
    if (world.request?.type === 'pull') world.answerPull(n)
    if (world.request?.type === 'erase') {
      world.unsent--
      world.erased++
      world.give({ type: 'eraseDone', standing: world.standing })
    }
    if (world.request?.type !== 'push') return
    const accepted = world.takePush(world.commitsSent)
    if (n > 2) world.placeOwn(accepted)
    world.answerPush(accepted)
  },
  partly(world, n) {
    if (world.request?.type === 'push') world.answerPush(world.takePush(n), { reason: 'stale', detail: '' })
  },
  stale(world) {
    if (world.request?.type === 'push') world.answerPush(0, { reason: 'stale', detail: '' })
  },
  invalid(world) {
    if (world.request?.type === 'push') world.answerPush(0, { reason: 'invalid', detail: '' })
  },
  /** Says that it took the push, and did not. */
  forgetful(world) {
    if (world.request?.type === 'push') world.answerPush(world.commitsSent)
  },
  lostAnswer(world, n) {
    if (world.request?.type === 'push') world.takePush(n)
    world.fail({ type: 'unreachable', message: '', timedOut: false })
  },
  timeout: world => world.fail({ type: 'unreachable', message: '', timedOut: true }),
  unauthorized: world => world.fail(refused(401)),
  failing: world => world.fail(refused(500)),
  tooLarge(world) {
    if (world.request?.type !== 'push') return
    world.pushBound = Math.max(1, (world.commitsSent * BYTES_PER_COMMIT) / 2)
    world.fail(refused(413))
  },
  rubbish: world => world.fail({ type: 'rubbish', message: '' }),
  /** An answer that nobody waits for changes nothing. */
  stray(world) {
    if (world.request !== null) return
    const before = world.state
    world.give({ type: 'pullFailed', failure: refused(401) })
    world.answerPush(1)
    world.answeredPushAt = null
    expect(world.state).toEqual(before)
  },
} satisfies Record<string, (world: World, n: number) => void>

/** Mostly what keeps sync going: else a run would be halted or offline for most of its length. */
const WEIGHTS: Partial<Record<Move['kind'], number>> = {
  answer: 60,
  online: 30,
  poke: 30,
  append: 20,
  timer: 20,
  stop: 1,
}

test('whatever comes in, the invariants hold, and with a sound server everything is confirmed in the end', () => {
  const kinds = Object.keys(MOVES) as Move['kind'][]
  const kind = fc.oneof(...kinds.map(kind => ({ weight: WEIGHTS[kind] ?? 2, arbitrary: fc.constant(kind) })))
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const move = fc.record({ kind, n: fc.integer({ min: 1, max: 5 }), chance })
  fc.assert(
    fc.property(fc.boolean(), fc.array(move, { maxLength: 150, size: 'max' }), (isStarted, moves) => {
      const world = new World()
      if (isStarted) MOVES.start(world)
      for (const { kind, n, chance } of moves) {
        world.chance = chance
        world.now += 100 * n
        MOVES[kind](world, n)
      }
      if (world.state.life === 'running') heal(world)
    }),
    { numRuns: 2_000 },
  )
})

/** The network is back, the server sound, and the application has acted. */
function heal(world: World): void {
  MOVES.online(world)
  MOVES.poke(world)
  // A run of one commit a page, a push and its pulls for each, and the waits of what is still thought to have failed.
  const bound = 20 + 4 * (world.serverLog.length + world.appended + world.unsent)
  const isAtWork = () => world.request !== null || world.standing.pending > 0 || world.unsent > 0
  for (let i = 0; i < bound && isAtWork(); i++) {
    if (world.request) MOVES.answer(world, 5)
    else MOVES.timer(world)
  }
  if (world.hasHints) MOVES.hint(world)
  while (world.request) MOVES.answer(world, 5)
  expect(world.erasuresTaken).toBe(world.erased)
  const { phase, pending, serverPosition, unsentErasures, error } = statusOf(world.state)
  expect({ phase, pending, serverPosition, unsentErasures, error }).toEqual({
    unsentErasures: 0,
    phase: 'idle',
    pending: 0,
    serverPosition: world.serverLog.length,
    error: null,
  })
}
