// The invariants in the docblock of `step`, numbered as there, under arbitrary inputs against a model of the world.

import fc from 'fast-check'
import { assert, expect, test } from 'vitest'
import type { Hash } from '../../src/log/event.ts'
import type { PushReceipt } from '../../src/protocol/sync-messages.ts'
import { statusOf } from '../../src/sync/status-of.ts'
import type { SyncFailure } from '../../src/sync/sync-failure.ts'
import type { Standing, SyncEffect, SyncInput } from '../../src/sync/sync-io.ts'
import { initialSyncState, type SyncState, step } from '../../src/sync/sync-state.ts'

type Move = Readonly<{ kind: keyof typeof MOVES; n: number; chance: number }>

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
  /** The server's log takes another one's place: how often that was, and how often it was found out. */
  restored = 0
  rejoined = 0
  request: Extract<SyncEffect, { type: keyof typeof REQUESTS }> | null = null
  requestedAt = 0
  isAborted = false
  hasTimer = false
  hasHints = false
  /** What invariants 3, 5, 6, 7 and 9 speak of. */
  hasReachedEnd = false
  hinted = 0
  mustWait = false
  answeredPushAt: number | null = null
  mustRejoin = false
  hasRejoined = false
  pushBound = Number.POSITIVE_INFINITY

  get standing(): Standing {
    const pending = this.appended - this.confirmed
    const erasures = { taken: this.erasuresTaken, unsent: this.unsent }
    return { epoch: `e${this.rejoined}`, position: this.position, pending, rejected: 0, erasures }
  }

  give(input: SyncInput): void {
    if (/^(pull|push|erase|rejoin|setAside)(Done|Failed|Empty)$/.test(input.type)) this.request = null
    if (input.type === 'timer' || input.type === 'online' || input.type === 'poked') this.mustWait = false
    if (input.type === 'online' || input.type === 'poked') this.hasRejoined = false
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
      case 'rejoin':
      case 'setAside':
        assert(this.request === null, 'invariant 1')
        assert(!isQuiet, 'invariant 2')
        assert(!this.mustWait, 'invariant 5')
        assert(effect.type === 'rejoin' || !this.mustRejoin, 'invariant 9')
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
    if (this.isReplaced) {
      this.fail(this.otherLog)
      return
    }
    const head = this.serverLog.length
    this.moveTo(Math.min(head, this.position + n))
    this.erasuresTaken = this.erased
    this.hasReachedEnd = this.position === head
    this.hinted = 0
    if (this.hasReachedEnd && this.standing.pending === 0) this.hasRejoined = false
    this.give({ type: 'pullDone', standing: this.standing, head, maxPushBytes: null })
  }

  moveTo(position: number): void {
    this.confirmed += this.serverLog.slice(this.position, position).filter(isOwn => isOwn).length
    this.position = position
  }

  get isReplaced(): boolean {
    return this.restored > this.rejoined
  }

  get otherLog(): SyncFailure {
    return { type: 'epoch-changed', expected: `e${this.rejoined}`, actual: `e${this.restored}` }
  }

  /** A backup without the last n commits. */
  restore(n: number): void {
    this.serverLog.length = Math.max(0, this.serverLog.length - n)
    this.taken = this.serverLog.filter(isOwn => isOwn).length
    this.restored++
  }

  /** The server's log begins as what is here, as far as it goes. */
  rejoin(): void {
    this.rejoined = this.restored
    this.position = Math.min(this.position, this.serverLog.length)
    this.confirmed = this.serverLog.slice(0, this.position).filter(isOwn => isOwn).length
    this.mustRejoin = false
    this.hasRejoined = true
    this.answeredPushAt = null
    this.give({ type: 'rejoinDone', standing: this.standing })
  }

  get commitsSent(): number {
    if (this.request?.type !== 'push') return 0
    return Math.min(this.standing.pending, Math.max(1, Math.floor(this.request.maxBytes / BYTES_PER_COMMIT)))
  }

  /** The server takes at most n commits of the push, and returns how many. */
  takePush(n: number): number {
    if (this.isReplaced) return 0
    const accepted = Math.min(n, this.commitsSent)
    for (; this.taken < this.confirmed + accepted; this.taken++) this.serverLog.push(true)
    return accepted
  }

  answerPush(accepted: number, refusal: PushReceipt['refusal'] = null): void {
    if (this.isReplaced) {
      this.fail(this.otherLog)
      return
    }
    this.answeredPushAt = this.requestedAt
    const receipt = {
      epoch: `e${this.rejoined}`,
      accepted,
      after: null,
      head: this.serverLog.length,
      checkpoint: null,
      refusal,
    }
    const refused = refusal && hashOf(this.confirmed + accepted)
    this.give({ type: 'pushDone', receipt, refused, standing: this.standing })
  }

  /** As the log does with a receipt that says where the commits stand. */
  placeOwn(accepted: number): void {
    const own = this.serverLog.slice(this.position, this.position + accepted)
    if (own.length === accepted && own.every(isOwn => isOwn)) this.moveTo(this.position + accepted)
  }

  fail(failure: SyncFailure): void {
    const isTooLarge = failure.type === 'refused' && failure.status === 413
    const isOtherLog = failure.type === 'epoch-changed'
    const isAtOnce = isTooLarge || (isOtherLog && !this.hasRejoined && this.request?.type !== 'rejoin')
    this.mustWait ||= this.request !== null && !this.isAborted && !isAtOnce
    this.mustRejoin ||= this.request !== null && isOtherLog
    if (this.request?.type === 'rejoin') this.give({ type: 'rejoinFailed', failure })
    if (this.request?.type === 'setAside') this.give({ type: 'setAsideFailed', failure })
    if (this.request?.type === 'pull') this.give({ type: 'pullFailed', failure })
    if (this.request?.type === 'erase') this.give({ type: 'eraseFailed', failure })
    if (this.request?.type === 'push') {
      const commits = this.commitsSent
      const first = hashOf(this.confirmed)
      this.give({ type: 'pushFailed', failure, sent: { commits, bytes: commits * BYTES_PER_COMMIT, first } })
    }
  }
}

const REQUESTS = { pull: 0, push: 0, erase: 0, rejoin: 0, setAside: 0 }

/** Of a commit of this replica, by its number. */
const hashOf = (number: number): Hash => `hash ${number}` as Hash

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
    world.give({ type: 'hint', position, epoch: `e${world.restored}`, erasures: world.erased })
  },
  lyingHint(world, n) {
    world.hinted = Math.max(world.hinted, n * 20)
    world.give({ type: 'hint', position: n * 20, epoch: `e${world.restored}`, erasures: n * 20 })
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
    if (world.request?.type === 'rejoin') return world.rejoin()
    if (world.request?.type === 'setAside') {
      const isPending = world.request.commit.hash === hashOf(world.confirmed) && world.standing.pending > 0
      if (isPending && world.taken === world.confirmed) world.appended--
      world.answeredPushAt = null
      return world.give({ type: 'setAsideDone', standing: world.standing })
    }
    if (world.request?.type === 'pull') return world.answerPull(n)
    if (world.request?.type === 'erase') {
      if (world.isReplaced) return world.fail(world.otherLog)
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
    if (world.request?.type === 'push' && world.taken === world.confirmed) {
      world.answerPush(0, { reason: 'invalid', detail: '' })
    }
  },
  reused(world) {
    if (world.request?.type === 'push') world.answerPush(0, { reason: 'id-reused', detail: '' })
  },
  restore: (world, n) => world.restore(n),
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
    if (!world.isReplaced) world.answerPush(1)
    world.give({ type: 'rejoinDone', standing: world.standing })
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
  const bound = 30 + 4 * (world.serverLog.length + world.appended + world.unsent)
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
