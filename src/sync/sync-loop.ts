// Runs the effects of the sync state machine: the thin shell between a log, a server and the clock.

import type { EventLog, PendingCommit, RefusedCommit, RemotePage } from '../engine/event-log.ts'
import { equalBytes, hexOf } from '../log/bytes.ts'
import { isInPart } from '../log/commit-note.ts'
import { isStoreError, StorageFailed, type StoreError } from '../log/errors.ts'
import { isSameChoice, type StreamPattern } from '../log/stream-pattern.ts'
import type { PushMark, Rejection } from '../model/sync-status.ts'
import type { PushReceipt } from '../protocol/sync-messages.ts'
import type { Fetch, ServerAccess, TokenSource } from './authorized-fetch.ts'
import { type Clock, systemClock, type TimerId } from './clock.ts'
import { sendErasure, takeErasures } from './erasure-exchange.ts'
import { listenForHints } from './hints.ts'
import { ServerPin, type SignedPage } from './server-pin.ts'
import { type LoopStatus, statusOf } from './status-of.ts'
import { plainErrorOf, type SyncFailure } from './sync-failure.ts'
import type { PushedCommit, Sent, Standing, SyncEffect, SyncInput } from './sync-io.ts'
import { initialSyncState, step } from './sync-state.ts'
import { createTransport } from './transport.ts'

export type SyncLoopOptions = Readonly<{
  log: EventLog
  /** Where the server's handler is mounted, such as `https://example.org/sync`. */
  url: string
  /** Null when there is none, which stops sync until {@link SyncLoop.poke}, as does one that the server refuses. */
  token: TokenSource
  /** The key (vkey) that the server must sign with. Left out: the first one that it shows. */
  serverKey?: string | undefined
  /** Of the server's log, the streams that match. Left out: all. */
  streams?: readonly StreamPattern[] | undefined
  fetch?: Fetch
  clock?: Clock
  /** In [0, 1). */
  random?: () => number
  /** Called with each status that differs from the one before. Must not throw. */
  onStatus?: (status: LoopStatus) => void
  /** Called when the server has answered a push, before what it says is taken in. Must not throw. */
  onPushed?: (mark: PushMark) => void
  /** Called once with commits that could not be taken up again, or that the server refused for good; they are in `log.rejections()` too. Must not throw. */
  onRejected?: (rejections: readonly Rejection[]) => void
}>

export type SyncLoop = Readonly<{
  /** Once; a loop that was stopped stays so. */
  start: () => void
  /** Until it is told otherwise the loop believes that there is a network. Offline, it requests nothing. */
  setOnline: (online: boolean) => void
  /** Tries now, whatever it waited for: after a new token, an acknowledged rejection, a press of a button. */
  poke: () => void
  status: () => LoopStatus
  /** Resolves when nothing is under way any more. A page that is being written is written to the end. */
  stop: () => Promise<void>
}>

/**
 * Syncs a log with a server: pulls before it pushes, retries with backoff, and stops with an error in the status
 * where retrying cannot help. Of what is pending nothing is given up on the way but commits that the server refuses for
 * good: they are listed as rejected.
 *
 * A server that was restored from a backup, which it says by another `epoch`, gets again what it has lost. One that signs
 * another log than the one it gives out, or denies what it signed, stops sync with `server-inconsistent`.
 */
export function createSyncLoop(options: SyncLoopOptions): SyncLoop {
  const { log, clock = systemClock, random = Math.random, onStatus, onRejected } = options
  const streams = inOneOrder(options.streams)
  const access: ServerAccess = {
    url: options.url,
    token: options.token,
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
  }
  const transport = createTransport({ ...access, clock, hash: log.hash })
  const exchange = { log, transport }
  const pin = new ServerPin(log.storage, options.serverKey)
  const lifetime = new AbortController()
  const underWay = new Set<Promise<void>>()
  let state = initialSyncState
  let rejected = 0
  let timer: TimerId = null
  let request = new AbortController()
  let hints = new AbortController()

  return {
    start() {
      if (state.life !== 'new') return
      log.onChange(lookAtLog, lifetime.signal)
      dispatch({ type: 'started', standing: standing() })
      follow(countRejections())
    },
    setOnline: online => dispatch({ type: online ? 'online' : 'offline' }),
    poke() {
      if (state.life === 'over') return
      dispatch({ type: 'poked' })
      follow(countRejections())
    },
    status: () => statusOf(state),
    async stop() {
      lifetime.abort()
      dispatch({ type: 'stopped' })
      await Promise.all(underWay)
    },
  }

  function dispatch(input: SyncInput): void {
    const before = state
    const [next, effects] = step(before, input, { now: clock.now(), chance: random() })
    state = next
    for (const effect of effects) run(effect)
    report(statusOf(before), statusOf(next))
  }

  function run(effect: SyncEffect): void {
    switch (effect.type) {
      case 'pull':
        request = new AbortController()
        follow(pull(effect.after, effect.epoch, request.signal).then(dispatch))
        break
      case 'push':
        request = new AbortController()
        follow(push(effect.epoch, effect.maxBytes, request.signal).then(dispatch))
        break
      case 'erase':
        request = new AbortController()
        follow(erase(effect.epoch, request.signal).then(dispatch))
        break
      case 'rejoin':
        request = new AbortController()
        follow(rejoin(request.signal).then(dispatch))
        break
      case 'setAside':
        follow(setAside(effect.commit).then(dispatch))
        break
      case 'resubscribe':
        request = new AbortController()
        follow(resubscribe(request.signal).then(dispatch))
        break
      case 'abortRequest':
        request.abort()
        break
      case 'schedule':
        clock.clearTimeout(timer)
        timer = clock.setTimeout(() => dispatch({ type: 'timer' }), effect.delayMs)
        break
      case 'cancelTimer':
        clock.clearTimeout(timer)
        break
      case 'openHints':
        hints = new AbortController()
        follow(hear(hints.signal))
        break
      case 'closeHints':
        hints.abort()
        break
    }
  }

  async function pull(after: number, epoch: string, signal: AbortSignal): Promise<SyncInput> {
    try {
      const answer = await transport.pull(after, signal, epoch === '' ? streams : log.cursor().streams)
      if (answer.type !== 'ok') return { type: 'pullFailed', failure: await judged(answer, epoch) }
      const page = answer.value
      if (epoch !== '' && page.epoch !== epoch) {
        return { type: 'pullFailed', failure: { type: 'epoch-changed', expected: epoch, actual: page.epoch } }
      }
      const failure = await applySigned(page, page)
      if (failure) return { type: 'pullFailed', failure }
      const taken = await takeErasures(page.epoch, page.erasures, exchange, signal)
      if (taken.type !== 'ok') return { type: 'pullFailed', failure: taken }
      return { type: 'pullDone', standing: standing(), head: page.head, maxPushBytes: page.maxPushBytes }
    } catch (error) {
      return { type: 'pullFailed', failure: failureFrom(error) }
    }
  }

  /** A server that does not reach as far as this replica has another log, whether it says so or not. */
  async function judged(failure: SyncFailure, epoch: string): Promise<SyncFailure> {
    if (failure.type !== 'refused' || failure.code !== 'ahead-of-server') return failure
    const { facts } = failure
    if (facts['epoch'] !== epoch) {
      return { type: 'epoch-changed', expected: epoch, actual: String(facts['epoch']) }
    }
    return logChanged(epoch, 'it ends before what it gave out', facts)
  }

  /** What the server signs is looked at first: what contradicts it does not get in. */
  async function applySigned(page: RemotePage, signed: SignedPage): Promise<SyncFailure | null> {
    const { checkpoint, root: served = null } = signed
    const root = checkpoint === null && served === null ? null : await log.serverRootBehind(page)
    // Of what was passed by the tree was lost: it is asked for once more.
    if (root === null && page.epoch === log.cursor().epoch && log.cursor().serverPosition < page.after)
      return null
    await pin.check(signed, root)
    if (root && served && !equalBytes(root, served)) {
      const facts = { next: page.next, root: hexOf(served), computedRoot: hexOf(root) }
      return logChanged(page.epoch, 'it does not go on from what it gave out', facts)
    }
    const outcome = await log.applyRemote(page)
    await tellRejected(outcome.rejected)
    return null
  }

  /** What a server signed it is held to. Of one that did not there is nothing to show to anybody: it gets what it lost. */
  async function logChanged(
    epoch: string,
    message: string,
    facts: Extract<SyncFailure, { type: 'log-changed' }>['facts'],
  ): Promise<SyncFailure> {
    await pin.holdTo(epoch, message, facts)
    return { type: 'log-changed', message, facts }
  }

  async function rejoin(signal: AbortSignal): Promise<SyncInput> {
    const { epoch } = log.cursor()
    let failure: SyncFailure | null = null
    try {
      await log.rejoin(async size => {
        const answer = await transport.prefix(size, signal)
        if (answer.type !== 'ok') {
          failure = answer
          return null
        }
        const prefix = answer.value
        await pin.check({ ...prefix, next: prefix.size }, prefix.root)
        if (prefix.epoch === epoch) await log.erasures.cursor.forget()
        return prefix
      })
      return failure ? { type: 'rejoinFailed', failure } : { type: 'rejoinDone', standing: standing() }
    } catch (error) {
      return { type: 'rejoinFailed', failure: failureFrom(error) }
    }
  }

  async function setAside(commit: RefusedCommit): Promise<SyncInput> {
    try {
      await tellRejected(await log.setAside(commit))
      return { type: 'setAsideDone', standing: standing() }
    } catch (error) {
      return { type: 'setAsideFailed', failure: failureFrom(error) }
    }
  }

  /** The oldest pending ones, up to the first of which only a part is here: where that comes first, it is set aside. */
  async function wholeCommits(maxBytes: number): Promise<readonly PendingCommit[]> {
    for (;;) {
      const tail = await log.pendingCommits(maxBytes)
      const inPart = tail.findIndex(({ note }) => isInPart(note))
      if (inPart !== 0) return inPart < 0 ? tail : tail.slice(0, inPart)
      await setAsideInPart(tail[0]!)
    }
  }

  /** Whoever has all of it has not come yet, or there is nobody. */
  async function setAsideInPart({ entries }: PendingCommit): Promise<void> {
    const message = 'The server has lost this commit, and only a part of it is here'
    await tellRejected(await log.setAside({ hash: nameOf(entries)!, refusal: 'in-part', message }))
  }

  /** What is held is left for a page of what is to be held, and not for a promise of one. */
  async function resubscribe(signal: AbortSignal): Promise<SyncInput> {
    try {
      const { epoch } = log.cursor()
      const answer = await transport.pull(0, signal, streams)
      if (answer.type !== 'ok') return { type: 'resubscribeFailed', failure: answer }
      const page = answer.value
      if (page.epoch !== epoch) {
        const failure = { type: 'epoch-changed', expected: epoch, actual: page.epoch } as const
        return { type: 'resubscribeFailed', failure }
      }
      const failure = (await log.resubscribe(streams)) ? await applySigned(page, page) : null
      if (failure) return { type: 'resubscribeFailed', failure }
      return { type: 'resubscribeDone', standing: standing() }
    } catch (error) {
      return { type: 'resubscribeFailed', failure: failureFrom(error) }
    }
  }

  async function tellRejected(rejections: readonly Rejection[]): Promise<void> {
    if (rejections.length === 0) return
    await countRejections()
    onRejected?.(rejections)
  }

  async function push(epoch: string, maxBytes: number, signal: AbortSignal): Promise<SyncInput> {
    let sent: Sent = { commits: 0, bytes: 0, first: null }
    try {
      const pending = await wholeCommits(maxBytes)
      if (pending.length === 0) return { type: 'pushEmpty', standing: standing() }
      const commits = pending.map(({ entries }) => entries)
      const bytes = pending.reduce((sum, commit) => sum + commit.bytes, 0)
      sent = { commits: pending.length, bytes, first: nameOf(commits[0]) }
      const answer = await transport.push({ epoch, commits }, signal)
      if (answer.type !== 'ok') return { type: 'pushFailed', failure: answer, sent }
      const last = pending[answer.value.accepted - 1]
      if (last) options.onPushed?.({ epoch: answer.value.epoch, through: last.lastPosition })
      await applyReceipt(answer.value, commits)
      const refused = nameOf(commits[answer.value.accepted])
      return { type: 'pushDone', receipt: answer.value, refused, standing: standing() }
    } catch (error) {
      return { type: 'pushFailed', failure: failureFrom(error), sent }
    }
  }

  /** A receipt that places the commits right behind all that is here is a page of them: no need to fetch it. */
  async function applyReceipt(
    { epoch, accepted, after, checkpoint }: PushReceipt,
    commits: RemotePage['commits'],
  ): Promise<void> {
    const cursor = log.cursor()
    if (accepted === 0 || after !== cursor.serverPosition || epoch !== cursor.epoch) return
    const own = commits.slice(0, accepted)
    const part = cursor.streams && { streams: cursor.streams }
    const page = { epoch, after, commits: own, next: after + own.flat().length, ...part }
    await applySigned(page, { next: page.next, checkpoint, verifierKey: null, isReceipt: true })
  }

  async function erase(epoch: string, signal: AbortSignal): Promise<SyncInput> {
    try {
      const sent = await sendErasure(epoch, exchange, signal)
      if (sent.type !== 'ok') return { type: 'eraseFailed', failure: sent }
      return { type: 'eraseDone', standing: standing() }
    } catch (error) {
      return { type: 'eraseFailed', failure: failureFrom(error) }
    }
  }

  function hear(signal: AbortSignal): Promise<void> {
    return listenForHints({
      ...access,
      clock,
      random,
      signal,
      onOpened: () => dispatch({ type: 'hintsOpened' }),
      onClosed: () => dispatch({ type: 'hintsClosed' }),
      onHint: hint => dispatch({ type: 'hint', ...hint }),
      onRefused: () => dispatch({ type: 'hintsRefused' }),
    })
  }

  /** They are in the side table, so that only asking tells how many there are. */
  async function countRejections(): Promise<void> {
    try {
      rejected = (await log.rejections()).length
      lookAtLog()
    } catch {
      // A storage that fails says so to the next pull; the count stays as it was.
    }
  }

  function lookAtLog(): void {
    dispatch({ type: 'logChanged', standing: standing() })
  }

  function standing(): Standing {
    const { epoch, serverPosition, streams: held } = log.cursor()
    const { cursor } = log.erasures
    const erasures = { taken: cursor.takenOf(epoch), unsent: cursor.unsentTo(epoch).length }
    const isOtherPart = epoch !== '' && !isSameChoice(held, streams)
    return { epoch, position: serverPosition, pending: log.pendingCount(), rejected, erasures, isOtherPart }
  }

  function follow(work: Promise<void>): void {
    underWay.add(work)
    work.finally(() => underWay.delete(work))
  }

  function report(before: LoopStatus, after: LoopStatus): void {
    const keys = Object.keys(after) as (keyof LoopStatus)[]
    if (keys.some(key => before[key] !== after[key])) onStatus?.(after)
  }
}

/** So that the same choice is told by the same text. */
const inOneOrder = (streams: readonly StreamPattern[] | undefined): readonly StreamPattern[] | undefined =>
  streams && [...new Set(streams)].sort()

/** Null for none. */
const nameOf = (commit: RemotePage['commits'][number] | undefined): PushedCommit | null =>
  commit ? (hexOf(commit.at(-1)!.hash) as PushedCommit) : null

const failureFrom = (error: unknown): SyncFailure => ({
  type: 'local',
  error: plainErrorOf(storeErrorOf(error)),
})

/** What is no error of the store is a defect: shown and tried again, since nothing was written. */
function storeErrorOf(error: unknown): StoreError {
  if (isStoreError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new StorageFailed('failed', message, { cause: error })
}
