// A small world around the client's state machine, as plain values: two clients, a server with one stream, and every
// message that is under way. What can happen next is a list of states, so that all of them can be gone through.

import type { PushReceipt } from '../../src/protocol/sync-messages.ts'
import type { PushedCommit, SyncEffect, SyncInput } from '../../src/sync/sync-io.ts'
import { initialSyncState, type SyncState, step } from '../../src/sync/sync-state.ts'
import { holds } from './violation.ts'

/** An event is its author and a count; on a log it stands on all that is before it. */
type EventName = string

/** A commit as its author would push it, and what it stands on. */
type Commit = Readonly<{ event: EventName; base: number }>

type Request = Readonly<{
  effect: Extract<SyncEffect, { type: 'pull' | 'push' }>
  /** Sent, then answered; a request that is given up is still answered, by a failure. */
  phase: 'sent' | 'answered'
  answer: Answer | null
  commits: readonly Commit[]
}>

type Answer =
  | Readonly<{ type: 'page'; next: number; head: number }>
  | Readonly<{ type: 'receipt'; accepted: number; after: number | null; isStale: boolean }>

export type ModelClient = Readonly<{
  sync: SyncState
  /** What of the server's log is here, and what waits behind it. */
  position: number
  pending: readonly EventName[]
  appended: number
  request: Request | null
  hasTimer: boolean
  hearsHints: boolean
  /** A hint on its way. */
  hint: number | null
}>

export type Model = Readonly<{
  log: readonly EventName[]
  clients: readonly ModelClient[]
  /** A push that was sent twice, or was taken for lost, and comes late. */
  late: readonly Commit[] | null
}>

export type Bounds = Readonly<{ appends: number }>

export type Transition = Readonly<{ label: string; to: Model }>

const EPOCH = 'e'
/** Neither time nor chance decides what happens next, only how long it takes. */
const MOMENT = { now: 0, chance: 0.5 }
/** As if every commit was so large that two go into a push at first, and one into a smaller one. */
const COMMITS_A_PUSH = 2

export function initialModel(clients: number): Model {
  const client: ModelClient = {
    sync: initialSyncState,
    position: 0,
    pending: [],
    appended: 0,
    request: null,
    hasTimer: false,
    hearsHints: false,
    hint: null,
  }
  return { log: [], clients: Array.from({ length: clients }, () => client), late: null }
}

/** Everything that can happen in this state. */
export function transitions(model: Model, bounds: Bounds): Transition[] {
  const next: Transition[] = []
  for (const n of model.clients.keys()) next.push(...ofPeople(model, n, bounds), ...ofWire(model, n))
  if (model.late) {
    next.push({ label: 'a late push arrives', to: lateArrives(model) })
    next.push({ label: 'a late push is lost', to: { ...model, late: null } })
  }
  return next
}

export function lateArrives(model: Model): Model {
  return model.late ? admit({ ...model, late: null }, model.late).model : model
}

/** What a client that works, on a network that works, does next; null when it waits for nothing. */
export function fairTransition(model: Model, n: number): Transition | null {
  const client = model.clients[n]!
  const { request, sync } = client
  if (sync.life === 'new') return named(model, n, 'starts', start(client))
  if (!sync.online) return named(model, n, 'is online', give(client, { type: 'online' }))
  if (request?.phase === 'sent') return { label: `${n} is answered`, to: answerAtServer(model, n) }
  if (request) return named(model, n, 'hears the answer', hear(model, client))
  if (client.hint !== null) return named(model, n, 'hears a hint', hearHint(client))
  const isDone = client.pending.length === 0 && client.position === model.log.length
  if (isDone) return null
  if (client.hasTimer) return named(model, n, 'has waited', fire(client))
  holds(client.hearsHints, () => `8: client ${n} waits for nothing`)
  return named(model, n, 'is told of the head', give(client, hintOf(model.log.length)))
}

function ofPeople(model: Model, n: number, { appends }: Bounds): Transition[] {
  const client = model.clients[n]!
  const { sync } = client
  const next: Transition[] = []
  if (client.appended < appends) next.push(named(model, n, 'appends', append(client, n)))
  if (sync.life === 'new') next.push(named(model, n, 'starts', start(client)))
  if (sync.life !== 'running') return next
  next.push(named(model, n, 'crashes', crash(client)))
  next.push(
    sync.online
      ? named(model, n, 'is offline', give(client, { type: 'offline' }))
      : named(model, n, 'is online', give(client, { type: 'online' })),
  )
  if (client.hasTimer) next.push(named(model, n, 'has waited', fire(client)))
  return next
}

function ofWire(model: Model, n: number): Transition[] {
  const client = model.clients[n]!
  const { request, hint } = client
  const next: Transition[] = []
  if (request?.phase === 'sent') {
    next.push({ label: `${n} is answered`, to: answerAtServer(model, n) })
    next.push(named(model, n, 'loses a request', fail(client)))
    if (request.effect.type === 'push' && !model.late) {
      next.push({ label: `${n} sends twice`, to: { ...model, late: request.commits } })
    }
  }
  if (request?.phase === 'answered') {
    next.push(named(model, n, 'hears the answer', hear(model, client)))
    next.push(named(model, n, 'loses an answer', fail(client)))
  }
  if (client.hearsHints && hint !== model.log.length) {
    next.push(named(model, n, 'is sent a hint', { ...client, hint: model.log.length }))
  }
  if (hint !== null) {
    next.push(named(model, n, 'hears a hint', hearHint(client)))
    next.push(named(model, n, 'hears a hint of two', give(client, hintOf(hint))))
    next.push(named(model, n, 'loses a hint', { ...client, hint: null }))
  }
  return next
}

function named(model: Model, n: number, what: string, client: ModelClient): Transition {
  return { label: `${n} ${what}`, to: { ...model, clients: model.clients.with(n, client) } }
}

const start = (client: ModelClient): ModelClient =>
  give(client, { type: 'started', standing: standingOf(client) })

function append(client: ModelClient, n: number): ModelClient {
  const appended = client.appended + 1
  const next = { ...client, appended, pending: [...client.pending, `${n}.${appended}`] }
  return give(next, { type: 'logChanged', standing: standingOf(next) })
}

/** What is in the log stays, and all else is as at the first start. */
function crash({ position, pending, appended }: ModelClient): ModelClient {
  const fresh = initialModel(1).clients[0]!
  return { ...fresh, position, pending, appended }
}

const fire = (client: ModelClient): ModelClient => give({ ...client, hasTimer: false }, { type: 'timer' })

const hearHint = (client: ModelClient): ModelClient =>
  give({ ...client, hint: null }, hintOf(client.hint ?? 0))

const hintOf = (position: number): SyncInput => ({ type: 'hint', position, epoch: EPOCH, erasures: 0 })

function fail(client: ModelClient): ModelClient {
  const failure = { type: 'unreachable', message: '', timedOut: false } as const
  const { request } = client
  const next = { ...client, request: null }
  if (request!.effect.type === 'pull') return give(next, { type: 'pullFailed', failure })
  const { commits } = request!
  const sent = { commits: commits.length, bytes: commits.length, first: nameOf(commits[0]) }
  return give(next, { type: 'pushFailed', failure, sent })
}

function answerAtServer(model: Model, n: number): Model {
  const client = model.clients[n]!
  const request = client.request!
  if (request.effect.type === 'push') {
    const { model: admitted, answer } = admit(model, request.commits)
    return withRequest(admitted, n, { ...request, phase: 'answered', answer })
  }
  const head = model.log.length
  // A page holds one commit: so pulls that are half done are states, too.
  const next = Math.min(head, request.effect.after + 1)
  return withRequest(model, n, { ...request, phase: 'answered', answer: { type: 'page', next, head } })
}

const withRequest = (model: Model, n: number, request: Request): Model => ({
  ...model,
  clients: model.clients.with(n, { ...model.clients[n]!, request }),
})

/** All streams are one here: a commit stands on the whole log, or is stale; what is there already is accepted. */
function admit(model: Model, commits: readonly Commit[]): { model: Model; answer: Answer } {
  const log = [...model.log]
  const before = log.length
  let accepted = 0
  let isAllNew = true
  for (const { event, base } of commits) {
    const at = log.indexOf(event)
    const isSame = at === base
    if (at === -1 && base === log.length) log.push(event)
    else if (isSame) isAllNew = false
    else break
    accepted++
  }
  const isStale = accepted < commits.length
  const after = isAllNew && accepted > 0 ? before : null
  return { model: { ...model, log }, answer: { type: 'receipt', accepted, after, isStale } }
}

function hear(model: Model, client: ModelClient): ModelClient {
  const { answer, commits } = client.request!
  const next = { ...client, request: null }
  if (answer!.type === 'page') {
    const moved = take(next, model.log.slice(next.position, answer!.next))
    return give(moved, { type: 'pullDone', standing: standingOf(moved), head: answer!.head })
  }
  const { accepted, after, isStale } = answer as Extract<Answer, { type: 'receipt' }>
  const own = commits.slice(0, accepted).map(({ event }) => event)
  const moved = after === next.position ? take(next, own) : next
  const receipt: PushReceipt = {
    epoch: EPOCH,
    accepted,
    after,
    head: model.log.length,
    checkpoint: null,
    refusal: isStale ? { reason: 'stale', detail: '' } : null,
  }
  const refused = nameOf(commits[accepted])
  return give(moved, { type: 'pushDone', receipt, refused, standing: standingOf(moved) })
}

const nameOf = (commit: Commit | undefined): PushedCommit | null =>
  (commit?.event ?? null) as PushedCommit | null

/** What came of the server's log is here, and what of it waited does not wait any more. */
const take = (client: ModelClient, events: readonly EventName[]): ModelClient => ({
  ...client,
  position: client.position + events.length,
  pending: client.pending.filter(event => !events.includes(event)),
})

function standingOf({ position, pending }: ModelClient) {
  return {
    epoch: EPOCH,
    position,
    pending: pending.length,
    rejected: 0,
    erasures: { taken: 0, unsent: 0 },
  }
}

function give(client: ModelClient, input: SyncInput): ModelClient {
  const [sync, effects] = step(client.sync, input, MOMENT)
  const next = effects.reduce(run, { ...client, sync: withoutTime(sync) })
  if (input.type !== 'hintsOpened' && sync.hints === 'opening' && next.hearsHints) {
    return give(next, { type: 'hintsOpened' })
  }
  return next
}

/** Counts that only lengthen waits, and times, would make endlessly many states of one. */
function withoutTime(sync: SyncState): SyncState {
  const { pull, push, erase, setAside, rejoin } = sync.failures
  const failures = {
    pull: some(pull),
    push: some(push),
    erase: some(erase),
    setAside: some(setAside),
    rejoin: some(rejoin),
  }
  return { ...sync, failures, lastContactAt: null }
}

const some = (count: number): number => Math.min(1, count)

function run(client: ModelClient, effect: SyncEffect): ModelClient {
  switch (effect.type) {
    case 'pull':
    case 'push': {
      holds(client.request === null, () => 'sync 1: two requests are under way')
      holds(client.sync.online, () => 'sync 2: a request while it must be quiet')
      const isPush = effect.type === 'push'
      const commits = isPush
        ? client.pending.slice(0, COMMITS_A_PUSH).map((event, i) => ({ event, base: client.position + i }))
        : []
      return { ...client, request: { effect, phase: 'sent', answer: null, commits } }
    }
    case 'schedule':
      return { ...client, hasTimer: true }
    case 'cancelTimer':
      return { ...client, hasTimer: false }
    case 'openHints':
      return { ...client, hearsHints: true }
    case 'closeHints':
      return { ...client, hearsHints: false, hint: null }
    case 'abortRequest':
      return client
    case 'erase':
      return holds(false, () => 'nothing is erased here') as never
    case 'rejoin':
      return holds(false, () => 'the server has one log for ever here') as never
    case 'setAside':
      return holds(false, () => 'nothing is refused for good here') as never
  }
}

/** What must hold in every state. The rules are numbered as in README.md. */
export function check({ log, clients }: Model): void {
  holds(new Set(log).size === log.length, () => `1: ${log} has an event twice`)
  for (const [n, { position, pending, appended, sync, hasTimer, hearsHints }] of clients.entries()) {
    holds(position <= log.length, () => `2: client ${n} has ${position} of ${log.length}`)
    const confirmed = log.slice(0, position)
    holds(!pending.some(event => confirmed.includes(event)), () => `3: client ${n} has an event twice`)
    const own = [...confirmed.filter(event => event.startsWith(`${n}.`)), ...pending]
    const written = Array.from({ length: appended }, (_, i) => `${n}.${i + 1}`)
    holds(own.join() === written.join(), () => `5, 6: client ${n} wrote ${written} and has ${own}`)
    const isQuiet = sync.life !== 'running' || !sync.online || sync.isHalted
    holds(!isQuiet || (!hasTimer && !hearsHints), () => `sync 2: client ${n} is not quiet`)
    holds(!sync.isHalted, () => `9: client ${n} stopped: ${sync.error?.message}`)
    holds(sync.life === 'new' || sync.standing.position === position, () => `sync 4: client ${n} is mistaken`)
    // Who is not quiet waits for something: an answer, a timer, or a hint.
    const waits = clients[n]!.request !== null || hasTimer || hearsHints
    holds(isQuiet || waits, () => `sync: client ${n} waits for nothing`)
  }
}
