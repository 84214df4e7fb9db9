// What sync does next: a pure state machine, run alike by the worker, the tests and a simulator.

import type { RefusedCommit } from '../engine/event-log.ts'
import type { PlainError } from '../model/sync-status.ts'
import { backoffMs } from './backoff.ts'
import {
  isOtherLog,
  isPassing,
  plainError,
  type SyncFailure,
  sharesNoVersion,
  verdictOn,
} from './sync-failure.ts'
import type { Moment, PushedCommit, Standing, SyncEffect, SyncInput } from './sync-io.ts'

/** Local appends of this long go into one push. */
export const LINGER_MS = 25
/** Without hints the server is asked this often, at most; half of it at least. */
export const POLL_MS = 30_000
/** Most bytes of commits in one push, but for a single commit: small enough for the usual limits of proxies. */
export const PUSH_BYTES = 1024 * 1024
/** What a push takes beside its commits, at most. */
const PUSH_HEAD_BYTES = 512
/** Pushes that ran out of time become no smaller than this. */
const SLOW_PUSH_BYTES = 16 * 1024

type RequestKind = 'pull' | 'push' | 'erase' | 'rejoin' | 'setAside' | 'resubscribe'
/** `after` is where `standing` was when it began. */
type Request = Readonly<{ kind: RequestKind; after: number; isAborted: boolean }>
type Timer = Readonly<{ purpose: 'retry' | 'linger' | 'poll'; at: number }>

export type SyncState = Readonly<{
  life: 'new' | 'running' | 'over'
  online: boolean
  /** Stopped by an error until the application acts. */
  isHalted: boolean
  error: PlainError | null
  standing: Standing
  request: Request | null
  timer: Timer | null
  hints: 'closed' | 'opening' | 'open'
  /** A pull has to come before anything else. */
  isPullDue: boolean
  /** The furthest position that a hint has named since the last pull began. */
  hinted: number
  /** As many records in the server's list of erasures as a hint has named since. */
  hintedErasures: number
  /** Where a push that was answered began, until the server's log is seen to have moved on from there. */
  answeredAt: number | null
  /** The server's log is another one than before: nothing else is done until it is known what of it is the same. */
  isRejoinDue: boolean
  /** The server refuses it for good. */
  refused: RefusedCommit | null
  /** It was refused since its ids are known there; if it is so again, behind a pull, another event has them. */
  reused: PushedCommit | null
  /** The server takes no erasures of this replica: it is told of none until the application acts. */
  mayNotErase: boolean
  /** Bytes of the next push, and the most that the server is thought to take. */
  pushBytes: number
  pushLimit: number
  /** The most that it says it takes; null where it does not say. */
  maxPushBytes: number | null
  failures: Readonly<Record<RequestKind, number>>
  lastContactAt: number | null
}>

const NO_FAILURES = { pull: 0, push: 0, erase: 0, rejoin: 0, setAside: 0, resubscribe: 0 }

export const initialSyncState: SyncState = {
  life: 'new',
  online: true,
  isHalted: false,
  error: null,
  standing: { epoch: '', position: 0, pending: 0, rejected: 0, erasures: { taken: 0, unsent: 0 } },
  request: null,
  timer: null,
  hints: 'closed',
  isPullDue: false,
  hinted: 0,
  hintedErasures: 0,
  answeredAt: null,
  isRejoinDue: false,
  refused: null,
  reused: null,
  mayNotErase: false,
  pushBytes: PUSH_BYTES,
  pushLimit: PUSH_BYTES,
  maxPushBytes: null,
  failures: NO_FAILURES,
  lastContactAt: null,
}

/**
 * Takes one input and says what to do. Inputs that do not fit the state, such as a late timer, change nothing.
 *
 * What holds in every state, whatever comes in:
 *
 * 1. There is never more than one request under way, nor anything done to the log meanwhile.
 * 2. Offline, halted, not started or stopped, nothing is requested, no hints are heard, and no timer runs.
 * 3. The request before each push was a pull that reached the end of the server's log as it was then, and no hint
 *    has named a later position after it. Hints that come in the middle of that pull wait for the one that follows
 *    the push: else a log that others write to all the time would never let this replica push. Where another tab went
 *    back to what another log of the server has, that pull comes again.
 * 4. Only the log moves `standing`: neither a receipt nor a hint confirms anything here. A hint can but cause a pull.
 * 5. After a failure nothing is requested until the retry timer fires, the network returns, or the application pokes.
 * 6. Two answered pushes from one position of the server's log are separated by a wait, or by a commit that was set
 *    aside: a server that takes commits and does not show them, or calls them stale and has nothing newer, cannot make
 *    this spin.
 * 7. A push that was too large is followed by one of at most half its size, down to one commit. That one is set aside
 *    where the server itself says that it is too large, and halts where something in between says so. Where the server
 *    says what it takes, no push but one of a single commit is larger.
 * 8. A halt needs the application to act (`poked`). Nothing pending is given up by any input but a refusal of the server
 *    that is about the commit itself, and that commit only: it is set aside, which lists it as rejected.
 * 9. Once the server's log was found to be another one, nothing is pulled, pushed or erased until it is known what of it
 *    is the same. Found so again before all was confirmed, it is not asked at once but after a wait: of two servers that
 *    take turns at one address, neither can make this spin.
 * 10. What was confirmed of other streams than are wanted is left only with nothing pending, and right behind an answer of
 *    the server: what is left can be pulled anew.
 */
export function step(
  state: SyncState,
  input: SyncInput,
  moment: Moment,
): readonly [SyncState, readonly SyncEffect[]] {
  const next = proceed(take(state, input, moment), moment)
  // A timer that has fired is gone, and needs no cancelling.
  const before = input.type === 'timer' ? { ...state, timer: null } : state
  return [next, effectsBetween(before, next, moment)]
}

function take(state: SyncState, input: SyncInput, moment: Moment): SyncState {
  switch (input.type) {
    case 'started':
      if (state.life !== 'new') return state
      return { ...state, life: 'running', standing: input.standing, isPullDue: true }
    case 'stopped':
      return { ...state, life: 'over' }
    case 'online':
      return state.online ? state : { ...tryNow(state), online: true }
    case 'offline':
      return { ...state, online: false, error: state.isHalted ? state.error : null }
    case 'poked':
      return { ...tryNow(state), isHalted: false, pushBytes: PUSH_BYTES, pushLimit: PUSH_BYTES }
    case 'logChanged':
      return takeLogChange(state, input.standing, moment)
    case 'timer':
      return takeTimer(state)
    case 'hint':
      return takeHint(state, input)
    case 'hintsOpened':
      return state.hints === 'opening' ? { ...state, hints: 'open' } : state
    case 'hintsClosed':
      return state.hints === 'open' ? { ...state, hints: 'opening' } : state
    case 'hintsRefused':
      // A pull with the same token finds out what is left of it, and asks for another one.
      return state.hints === 'closed' ? state : { ...state, isPullDue: true }
    case 'pullDone':
      return state.request?.kind === 'pull' ? takePage(state, input, moment) : state
    case 'pullFailed':
      return state.request?.kind === 'pull' ? takePullFailure(state, input.failure, moment) : state
    case 'pushDone':
      return state.request?.kind === 'push' ? takeReceipt(state, input, moment) : state
    case 'pushFailed':
      return state.request?.kind === 'push' ? takePushFailure(state, input, moment) : state
    case 'pushEmpty':
      return state.request?.kind === 'push' ? takeNothingToPush(state, input.standing) : state
    case 'eraseDone':
      return state.request?.kind === 'erase' ? takeErased(state, input.standing, moment) : state
    case 'eraseFailed':
      return state.request?.kind === 'erase' ? takeEraseFailure(state, input.failure, moment) : state
    case 'rejoinDone':
      return state.request?.kind === 'rejoin' ? takeRejoined(state, input.standing, moment) : state
    case 'rejoinFailed':
      return state.request?.kind === 'rejoin' ? takeRejoinFailure(state, input.failure, moment) : state
    case 'setAsideDone':
      return state.request?.kind === 'setAside' ? takeSetAside(state, input.standing) : state
    case 'setAsideFailed':
      return state.request?.kind === 'setAside'
        ? takeFailure(state, 'setAside', input.failure, moment)
        : state
    case 'resubscribeDone':
      return state.request?.kind === 'resubscribe' ? takeResubscribed(state, input.standing) : state
    case 'resubscribeFailed':
      return state.request?.kind === 'resubscribe'
        ? takeFailure(state, 'resubscribe', input.failure, moment)
        : state
  }
}

function tryNow(state: SyncState): SyncState {
  return { ...state, timer: null, isPullDue: true, mayNotErase: false, failures: NO_FAILURES }
}

function takeLogChange(before: SyncState, standing: Standing, { now }: Moment): SyncState {
  const { epoch, position } = before.standing
  // Another tab has gone back to what another log has of it: what was pulled to the end is not this one.
  const isMovedBack = (epoch !== '' && standing.epoch !== epoch) || standing.position < position
  const state = { ...before, standing, isPullDue: before.isPullDue || isMovedBack }
  const isBusy =
    state.request !== null || state.timer?.purpose === 'retry' || state.timer?.purpose === 'linger'
  if (standing.pending === 0 || isBusy) return state
  return { ...state, timer: { purpose: 'linger', at: now + LINGER_MS } }
}

function takeTimer(state: SyncState): SyncState {
  if (state.timer === null) return state
  return { ...state, timer: null, isPullDue: state.isPullDue || state.timer.purpose === 'poll' }
}

function takeHint(
  state: SyncState,
  { position, epoch, erasures }: Extract<SyncInput, { type: 'hint' }>,
): SyncState {
  // Positions of two epochs cannot be compared: the pull will tell.
  const hinted = epoch === state.standing.epoch ? position : Number.POSITIVE_INFINITY
  return {
    ...state,
    hinted: Math.max(state.hinted, hinted),
    hintedErasures: Math.max(state.hintedErasures, erasures),
  }
}

function takePage(
  state: SyncState,
  { standing, head, maxPushBytes }: Extract<SyncInput, { type: 'pullDone' }>,
  moment: Moment,
): SyncState {
  const isPullDue = state.isPullDue || standing.position < head
  const next = { ...state, request: null, standing, isPullDue, maxPushBytes, lastContactAt: moment.now }
  const hasMoved = state.answeredAt !== null && standing.position > state.answeredAt
  if (state.answeredAt !== null && !hasMoved && standing.pending > 0) {
    // Offline nobody waits: the next pull tells once more.
    if (state.request?.isAborted) return { ...next, isPullDue: true }
    return isBehind(next) ? next : waitForPush(next, moment)
  }
  const isThrough = hasMoved || standing.pending === 0
  const { push, erase, rejoin } = state.failures
  const isSettled = standing.pending === 0 && !isPullDue
  const failures = {
    ...NO_FAILURES,
    push: isThrough ? 0 : push,
    erase,
    rejoin: isSettled ? 0 : rejoin,
  }
  const isWell = failures.push === 0 && erase === 0 && !state.mayNotErase
  const error = isWell ? null : state.error
  // See invariant 3: the pull behind the push will reach what hints named meanwhile.
  const hinted = standing.pending > 0 && !isPullDue ? 0 : state.hinted
  return { ...next, answeredAt: null, failures, error, hinted }
}

/** Where the streams that were wanted before may not be read any more, those that are wanted now perhaps may. */
function takePullFailure(state: SyncState, failure: SyncFailure, moment: Moment): SyncState {
  const isForbidden = failure.type === 'refused' && failure.status === 403
  if (!isForbidden || !mayResubscribe(state.standing)) return takeFailure(state, 'pull', failure, moment)
  return begin('resubscribe', { ...state, request: null, lastContactAt: moment.now })
}

const mayResubscribe = ({ isOtherPart, pending, erasures }: Standing): boolean =>
  isOtherPart === true && pending === 0 && erasures.unsent === 0

function waitForPush(state: SyncState, moment: Moment): SyncState {
  const message = 'The server answered a push, but its log did not move'
  const error = plainError('sync-protocol', message, { position: state.standing.position })
  return waitAfter({ ...state, answeredAt: null }, 'push', { error, retryAfterMs: 0 }, moment)
}

function takeReceipt(
  state: SyncState,
  { receipt, refused, standing }: Extract<SyncInput, { type: 'pushDone' }>,
  moment: Moment,
): SyncState {
  const { epoch, refusal } = receipt
  const answeredAt = state.request?.after ?? null
  const pushBytes = Math.min(state.pushLimit, state.pushBytes * 2)
  const next = {
    ...state,
    request: null,
    standing,
    isPullDue: true,
    lastContactAt: moment.now,
    answeredAt,
    pushBytes,
  }
  if (epoch !== state.standing.epoch) {
    const changed = { type: 'epoch-changed', expected: state.standing.epoch, actual: epoch } as const
    return takeFailure(next, 'push', changed, moment)
  }
  if (refusal === null || refused === null || refusal.reason === 'stale') return { ...next, reused: null }
  const { reason, detail } = refusal
  // Most likely it is there already, pushed by another replica that has it too: then the pull takes it off the tail.
  if (reason === 'id-reused' && state.reused !== refused) return { ...next, reused: refused }
  const commit = { hash: refused, refusal: reason, message: `The server refused a commit: ${detail}` }
  return { ...next, answeredAt: null, reused: null, refused: commit }
}

function takePushFailure(
  state: SyncState,
  { failure, sent }: Extract<SyncInput, { type: 'pushFailed' }>,
  moment: Moment,
): SyncState {
  const half = Math.max(1, Math.floor(Math.min(state.pushBytes, sent.bytes) / 2))
  if (failure.type === 'refused' && failure.status === 413) {
    const next = { ...state, request: null, isPullDue: true, lastContactAt: moment.now }
    if (sent.commits > 1) return { ...next, pushBytes: half, pushLimit: half }
    const message = `The server takes no commit as large as this one of ${sent.bytes} bytes`
    if (failure.code === 'too-large' && sent.first !== null) {
      return { ...next, refused: { hash: sent.first, refusal: 'too-large', message } }
    }
    return halt(next, plainError('sync-refused', message, { status: 413, bytes: sent.bytes }))
  }
  const isTooSlow = failure.type === 'unreachable' && failure.timedOut
  // On a slow link the same bytes would run out of time again and again.
  const smaller = Math.min(state.pushLimit, Math.max(half, SLOW_PUSH_BYTES))
  return takeFailure(isTooSlow ? { ...state, pushBytes: smaller } : state, 'push', failure, moment)
}

function takeNothingToPush(state: SyncState, standing: Standing): SyncState {
  // Where the count says otherwise, asking again at once would spin.
  const isPullDue = state.isPullDue || standing.pending === 0
  return { ...state, request: null, isPullDue, standing: { ...standing, pending: 0 } }
}

function takeErased(state: SyncState, standing: Standing, { now }: Moment): SyncState {
  const failures = { ...state.failures, erase: 0 }
  const error = state.failures.push === 0 ? null : state.error
  return { ...state, request: null, isPullDue: true, standing, failures, error, lastContactAt: now }
}

/** A token that may not erase is good for all else. */
function takeEraseFailure(state: SyncState, failure: SyncFailure, moment: Moment): SyncState {
  const isRefusal =
    failure.type === 'refused' && failure.status >= 400 && failure.status < 500 && !isPassing(failure.status)
  if (!isRefusal || failure.status === 401 || sharesNoVersion(failure))
    return takeFailure(state, 'erase', failure, moment)
  const message = `The server does not erase for this replica: ${failure.message}`
  const error = plainError('sync-refused', message, { status: failure.status, reason: failure.code })
  const next = { ...state, request: null, isPullDue: true, lastContactAt: moment.now }
  return { ...next, mayNotErase: true, error }
}

function takeRejoined(state: SyncState, standing: Standing, { now }: Moment): SyncState {
  const failures = { ...state.failures, rejoin: Math.max(1, state.failures.rejoin) }
  const next = { ...state, request: null, standing, failures, lastContactAt: now }
  return { ...next, isRejoinDue: false, isPullDue: true, answeredAt: null, hinted: 0 }
}

/** A server of the first releases cannot say how its log begins. */
function takeRejoinFailure(state: SyncState, failure: SyncFailure, moment: Moment): SyncState {
  const isOld = failure.type === 'refused' && failure.status === 404 && !sharesNoVersion(failure)
  if (!isOld) return takeFailure(state, 'rejoin', failure, moment)
  const message = 'The server has another log than before, and cannot say what of it is the same'
  const next = { ...state, request: null, isPullDue: true, isRejoinDue: false, lastContactAt: moment.now }
  return halt(next, plainError('sync-protocol', message, { reason: 'epoch-changed', status: failure.status }))
}

function takeResubscribed(state: SyncState, standing: Standing): SyncState {
  return { ...state, request: null, standing, isPullDue: true, hinted: 0 }
}

function takeSetAside(state: SyncState, standing: Standing): SyncState {
  return { ...state, request: null, standing, refused: null, isPullDue: true }
}

function takeFailure(state: SyncState, kind: RequestKind, failure: SyncFailure, moment: Moment): SyncState {
  const next = {
    ...state,
    request: null,
    isPullDue: true,
    isRejoinDue: state.isRejoinDue || isOtherLog(failure),
  }
  // Aborted since the network went: no failure of the server's.
  if (state.request?.isAborted) return next
  const verdict = verdictOn(failure)
  const answered = failure.type === 'refused' ? { ...next, lastContactAt: moment.now } : next
  if (isOtherLog(failure)) {
    const found = { ...answered, answeredAt: null, error: verdict.error, lastContactAt: moment.now }
    const isFirst = kind !== 'rejoin' && state.failures.rejoin === 0
    return isFirst ? found : waitAfter(found, 'rejoin', verdict, moment)
  }
  return verdict.type === 'stop' ? halt(answered, verdict.error) : waitAfter(answered, kind, verdict, moment)
}

function halt(state: SyncState, error: PlainError): SyncState {
  return { ...state, isHalted: true, answeredAt: null, error }
}

function waitAfter(
  state: SyncState,
  kind: RequestKind,
  { error, retryAfterMs }: Readonly<{ error: PlainError; retryAfterMs: number }>,
  { now, chance }: Moment,
): SyncState {
  const failures = { ...state.failures, [kind]: state.failures[kind] + 1 }
  const at = now + retryAfterMs + backoffMs(failures[kind], chance)
  return { ...state, isPullDue: true, failures, error, timer: { purpose: 'retry', at } }
}

/** What a state at rest goes on to: one request, or a timer, or waiting for what comes. */
function proceed(state: SyncState, { now, chance }: Moment): SyncState {
  if (state.life !== 'running' || !state.online || state.isHalted) return quiet(state)
  if (state.request !== null || state.timer?.purpose === 'retry') return state
  if (state.isRejoinDue) return begin('rejoin', state)
  if (state.refused !== null) return begin('setAside', state)
  if (isBehind(state)) {
    return begin('pull', { ...state, isPullDue: false, hinted: 0, hintedErasures: 0 })
  }
  const reached: SyncState = { ...state, hints: state.hints === 'closed' ? 'opening' : state.hints }
  if (state.standing.erasures.unsent > 0 && !state.mayNotErase) return begin('erase', reached)
  if (mayResubscribe(state.standing)) return begin('resubscribe', reached)
  if (state.timer?.purpose === 'linger') return reached
  if (state.standing.pending > 0) return begin('push', reached)
  if (reached.hints === 'open') return { ...reached, timer: null }
  return {
    ...reached,
    timer: state.timer ?? { purpose: 'poll', at: now + Math.round(POLL_MS * (1 - chance / 2)) },
  }
}

function begin(kind: RequestKind, state: SyncState): SyncState {
  return { ...state, timer: null, request: { kind, after: state.standing.position, isAborted: false } }
}

function isBehind({ isPullDue, hinted, hintedErasures, standing }: SyncState): boolean {
  return isPullDue || hinted > standing.position || hintedErasures > standing.erasures.taken
}

function quiet(state: SyncState): SyncState {
  const { request } = state
  const aborted = request && !request.isAborted ? { ...request, isAborted: true } : request
  return { ...state, request: aborted, timer: null, hints: 'closed' }
}

/** Effects are the difference of two states, so that a state can never claim what was not asked for. */
function effectsBetween(before: SyncState, after: SyncState, { now }: Moment): SyncEffect[] {
  const effects: SyncEffect[] = []
  if (after.timer !== before.timer) {
    effects.push(after.timer ? { type: 'schedule', delayMs: after.timer.at - now } : { type: 'cancelTimer' })
  }
  if (before.hints === 'closed' && after.hints !== 'closed') effects.push({ type: 'openHints' })
  if (before.hints !== 'closed' && after.hints === 'closed') effects.push({ type: 'closeHints' })
  if (after.request !== null && after.request !== before.request) {
    effects.push(after.request.isAborted ? { type: 'abortRequest' } : requestFor(after, after.request.kind))
  }
  return effects
}

function requestFor(state: SyncState, kind: RequestKind): SyncEffect {
  const { standing, refused } = state
  const { epoch, position } = standing
  switch (kind) {
    case 'pull':
      return { type: 'pull', after: position, epoch }
    case 'push':
      return { type: 'push', epoch, maxBytes: budgetOf(state) }
    case 'erase':
      return { type: 'erase', epoch }
    case 'rejoin':
      return { type: 'rejoin' }
    case 'setAside':
      return { type: 'setAside', commit: refused! }
    case 'resubscribe':
      return { type: 'resubscribe' }
  }
}

/** What the server says of itself bounds each push; what was found out on the way comes on top of that. */
function budgetOf({ pushBytes, maxPushBytes }: SyncState): number {
  return maxPushBytes === null ? pushBytes : Math.min(pushBytes, Math.max(1, maxPushBytes - PUSH_HEAD_BYTES))
}
