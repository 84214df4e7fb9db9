// A small world around the client's state machine, as plain values: two clients, a server with one stream, and every
// message that is under way. What can happen next is a list of states, so that all of them can be gone through.

import type { Answer, Question } from '../../src/server/server-io.ts'
import type { SyncFailure } from '../../src/sync/sync-failure.ts'
import type { PushedCommit, SyncEffect, SyncInput } from '../../src/sync/sync-io.ts'
import { initialSyncState, type SyncState, step } from '../../src/sync/sync-state.ts'
import {
  ask,
  type Commit,
  type EventName,
  give as giveServer,
  goOn,
  initialServer,
  type ModelServer,
  putBack,
  RECHECK_MS,
  type Served,
  type Serving,
} from './model-server.ts'
import { holds } from './violation.ts'

type Request = Readonly<{
  effect: Extract<SyncEffect, { type: 'pull' | 'push' | 'rejoin' }>
  commits: readonly Commit[]
  /** At the server, null on the way there. */
  serving: Serving | null
  /** On the way back. A request that is given up is still answered, by a failure. */
  answer: Answer | null
}>

export type ModelClient = Readonly<{
  sync: SyncState
  /** The log that it knows, what of it is here, and what waits behind it. */
  epoch: string
  confirmed: readonly EventName[]
  pending: readonly EventName[]
  appended: number
  request: Request | null
  hasTimer: boolean
  wantsHints: boolean
  /** Its stream at the server. */
  stream: Serving | null
  /** A hint on its way. */
  hint: Hint | null
}>

type Hint = Extract<SyncInput, { type: 'hint' }>

export type Model = Readonly<{
  server: ModelServer
  clients: readonly ModelClient[]
  /** A push that was sent twice, or was taken for lost, and comes late. */
  late: Readonly<{ epoch: string; commits: readonly Commit[] }> | null
}>

/** `restores`: how often the server's database is put back, once at most. */
export type Bounds = Readonly<{ appends: number; restores: 0 | 1 }>

export type Transition = Readonly<{ label: string; to: Model }>

const EPOCH = 'e'
const NEXT_EPOCH = 'f'
/** Neither time nor chance decides what happens next, only how long it takes. */
const MOMENT = { now: 0, chance: 0.5 }
/** As if every commit was so large that two go into a push at first, and one into a smaller one. */
const COMMITS_A_PUSH = 2

export function initialModel(clients: number): Model {
  const client: ModelClient = {
    sync: initialSyncState,
    epoch: EPOCH,
    confirmed: [],
    pending: [],
    appended: 0,
    request: null,
    hasTimer: false,
    wantsHints: false,
    stream: null,
    hint: null,
  }
  return { server: initialServer(EPOCH), clients: Array.from({ length: clients }, () => client), late: null }
}

/** Everything that can happen in this state. */
export function transitions(model: Model, bounds: Bounds): Transition[] {
  const next: Transition[] = []
  for (const n of model.clients.keys()) next.push(...ofPeople(model, n, bounds), ...ofWire(model, n))
  if (model.late) {
    next.push({ label: 'a late push arrives', to: lateArrives(model) })
    next.push({ label: 'a late push is lost', to: { ...model, late: null } })
  }
  if (bounds.restores === 1 && model.server.epoch === EPOCH) {
    next.push({
      label: 'the server is put back',
      to: { ...model, server: putBack(model.server, NEXT_EPOCH) },
    })
  }
  return next
}

export function lateArrives(model: Model): Model {
  if (!model.late) return model
  const { epoch, commits } = model.late
  const question: Question = { type: 'push', epoch, commits: commits.length, forbidden: null }
  let served = ask(model.server, question, commits)
  while (served.serving.work) served = goOn(served.server, served.serving)
  return withServer({ ...model, late: null }, served.server)
}

/** What a client that works, on a network that works, does next; null when it waits for nothing. */
export function fairTransition(model: Model, n: number): Transition | null {
  const client = model.clients[n]!
  const { request, sync } = client
  if (sync.life === 'new') return named(model, n, 'starts', start(client))
  if (!sync.online) return named(model, n, 'is online', give(client, { type: 'online' }))
  if (request && !request.answer) return { label: `${n} is served`, to: serve(model, n) }
  if (request) return named(model, n, 'hears the answer', hear(client))
  if (client.hint !== null) return { label: `${n} hears a hint`, to: hearHint(model, n) }
  const isDone = client.pending.length === 0 && isThere(model.server, client)
  if (isDone) return null
  if (client.hasTimer) return named(model, n, 'has waited', fire(client))
  holds(client.wantsHints, () => `8: client ${n} waits for nothing`)
  // Its stream is of a log that is no more, and nobody asks the server for anything.
  if (client.stream) return { label: `${n} is looked at again`, to: lookAgain(model, n) }
  return { label: `${n} asks for hints`, to: openHints(model, n) }
}

/** It has all that there is. */
export const isThere = ({ epoch, log }: ModelServer, client: ModelClient): boolean =>
  client.epoch === epoch && client.confirmed.length === log.length

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
  const { request, stream, hint } = client
  const next: Transition[] = []
  if (request && !request.answer) {
    next.push({ label: `${n} is served`, to: serve(model, n) })
    if (!request.serving) next.push(named(model, n, 'loses a request', fail(client)))
    if (!request.serving && request.effect.type === 'push' && !model.late) {
      const late = { epoch: request.effect.epoch, commits: request.commits }
      next.push({ label: `${n} sends twice`, to: { ...model, late } })
    }
  }
  if (request?.answer) {
    next.push(named(model, n, 'hears the answer', hear(client)))
    next.push(named(model, n, 'loses an answer', fail(client)))
  }
  if (client.wantsHints && !stream) next.push({ label: `${n} asks for hints`, to: openHints(model, n) })
  if (stream) next.push({ label: `${n} loses its hints`, to: loseHints(model, n) })
  if (hint !== null) {
    next.push({ label: `${n} hears a hint`, to: hearHint(model, n) })
    next.push(named(model, n, 'hears a hint of two', give(client, hint)))
  }
  return next
}

function named(model: Model, n: number, what: string, client: ModelClient): Transition {
  return { label: `${n} ${what}`, to: dropStreams(withClient(model, n, client)) }
}

const withClient = (model: Model, n: number, client: ModelClient): Model => ({
  ...model,
  clients: model.clients.with(n, client),
})

const start = (client: ModelClient): ModelClient =>
  give(client, { type: 'started', standing: standingOf(client) })

function append(client: ModelClient, n: number): ModelClient {
  const appended = client.appended + 1
  const next = { ...client, appended, pending: [...client.pending, `${n}.${appended}`] }
  return give(next, { type: 'logChanged', standing: standingOf(next) })
}

/** What is in the log stays, and all else is as at the first start. */
function crash({ epoch, confirmed, pending, appended, stream }: ModelClient): ModelClient {
  const fresh = initialModel(1).clients[0]!
  return { ...fresh, epoch, confirmed, pending, appended, stream }
}

const fire = (client: ModelClient): ModelClient => give({ ...client, hasTimer: false }, { type: 'timer' })

function fail(client: ModelClient): ModelClient {
  return failWith(client, { type: 'unreachable', message: '', timedOut: false })
}

function failWith(client: ModelClient, failure: SyncFailure): ModelClient {
  const { effect, commits } = client.request!
  const next = { ...client, request: null }
  if (effect.type !== 'push') return give(next, { type: `${effect.type}Failed`, failure })
  const sent = { commits: commits.length, bytes: commits.length, first: nameOf(commits[0]) }
  return give(next, { type: 'pushFailed', failure, sent })
}

/** A request comes to the server, or one more thing is done for it there. */
function serve(model: Model, n: number): Model {
  const { request } = model.clients[n]!
  const { serving, commits } = request!
  const question = questionOf(request!, model.clients[n]!)
  let served = serving ? goOn(model.server, serving) : ask(model.server, question, commits)
  if (served.answer?.type === 'again') served = ask(served.server, question, commits)
  const named = epochIn(served.answer)
  const isOfNow = named === null || named === model.server.epoch
  holds(isOfNow, () => `server 4: ${n} is told of ${named}, and the database has another log`)
  const client = {
    ...model.clients[n]!,
    request: { ...request!, serving: served.serving, answer: served.answer },
  }
  return withServer(withClient(model, n, client), served.server)
}

const epochIn = (answer: Answer | null): string | null =>
  answer?.type === 'receipt' ? answer.receipt.epoch : answer && 'epoch' in answer ? answer.epoch : null

function questionOf({ effect, commits }: Request, { confirmed }: ModelClient): Question {
  switch (effect.type) {
    case 'pull':
      return { type: 'pull', after: effect.after, maxBytes: Number.MAX_SAFE_INTEGER }
    case 'push':
      return { type: 'push', epoch: effect.epoch, commits: commits.length, forbidden: null }
    case 'rejoin':
      return { type: 'prefix', size: confirmed.length }
  }
}

/** Live clients are told of what came; those of a log that was closed are left. */
function withServer(model: Model, server: ModelServer): Model {
  let next: Model = { ...model, server }
  for (const [n, { stream }] of next.clients.entries()) {
    if (!stream) continue
    const { isClosed } = next.server.stores[stream.store]!
    const standing = { head: server.log.length, erasures: 0 }
    const input = isClosed ? ({ type: 'closed' } as const) : ({ type: 'grew', standing } as const)
    next = streamed(next, n, giveServer(next.server, stream, input))
  }
  return next
}

function openHints(model: Model, n: number): Model {
  const asked = ask(model.server, { type: 'hints', storeId: 's', expiresAt: null })
  if (asked.answer?.type !== 'hints') return withServer(model, asked.server)
  const client = give(model.clients[n]!, { type: 'hintsOpened' })
  const opened = withServer(withClient(model, n, { ...client, stream: asked.serving }), asked.server)
  return reads(opened, n)
}

/** As after a minute. */
function lookAgain(model: Model, n: number): Model {
  const { stream } = model.clients[n]!
  const due = giveServer(model.server, stream!, { type: 'timer' }, RECHECK_MS)
  const looked = goOn(due.server, due.serving)
  return withServer(streamed(model, n, looked), looked.server)
}

function reads(model: Model, n: number): Model {
  const { stream } = model.clients[n]!
  if (!stream) return model
  const standing = { head: model.server.log.length, erasures: 0 }
  return streamed(model, n, giveServer(model.server, stream, { type: 'reads', standing }))
}

/** What a stream has to do, is done. */
function streamed(model: Model, n: number, { server, serving, effects }: Served): Model {
  let client: ModelClient = { ...model.clients[n]!, stream: serving }
  for (const effect of effects) {
    if (effect.type === 'hint') {
      holds(client.hint === null, () => `server 6: client ${n} does not read, and is sent a hint`)
      holds(effect.hint.position <= server.log.length, () => `server 6: a hint of ${effect.hint.position}`)
      client = { ...client, hint: { type: 'hint', ...effect.hint } }
    }
    if (effect.type === 'end') client = give({ ...client, stream: null, hint: null }, { type: 'hintsClosed' })
  }
  return withClient({ ...model, server }, n, client)
}

/** The connection breaks: both notice. */
function loseHints(model: Model, n: number): Model {
  const { stream } = model.clients[n]!
  return streamed(model, n, giveServer(model.server, stream!, { type: 'left' }))
}

/** Streams of clients that do not listen any more. */
function dropStreams(model: Model): Model {
  const n = model.clients.findIndex(({ stream, wantsHints }) => stream && !wantsHints)
  return n === -1 ? model : dropStreams(loseHints(model, n))
}

function hearHint(model: Model, n: number): Model {
  const client = model.clients[n]!
  const { to } = named(model, n, '', give({ ...client, hint: null }, client.hint!))
  return reads(to, n)
}

function hear(client: ModelClient): ModelClient {
  const { answer, serving, commits, effect } = client.request!
  const next = { ...client, request: null }
  switch (answer!.type) {
    case 'page': {
      const { epoch, head } = answer as Extract<Answer, { type: 'page' }>
      if (epoch !== client.epoch) {
        return failWith(client, { type: 'epoch-changed', expected: client.epoch, actual: epoch })
      }
      const moved = take(next, serving!.found)
      return give(moved, { type: 'pullDone', standing: standingOf(moved), head, maxPushBytes: null })
    }
    case 'prefix': {
      const { epoch } = answer as Extract<Answer, { type: 'prefix' }>
      const moved = rejoin(next, epoch, serving!.found)
      return give(moved, { type: 'rejoinDone', standing: standingOf(moved) })
    }
    case 'receipt': {
      const { receipt } = answer as Extract<Answer, { type: 'receipt' }>
      const { accepted, after, epoch } = receipt
      const own = commits.slice(0, accepted).map(({ event }) => event)
      const isNext = accepted > 0 && after === next.confirmed.length && epoch === next.epoch
      const moved = isNext ? take(next, own) : next
      const refused = nameOf(commits[accepted])
      return give(moved, {
        type: 'pushDone',
        receipt: { ...receipt, checkpoint: null },
        refused,
        standing: standingOf(moved),
      })
    }
    case 'refused': {
      const { code, facts } = answer as Extract<Answer, { type: 'refused' }>
      const isForeseen = code === 'epoch-changed' || code === 'ahead-of-server'
      holds(isForeseen, () => `9: ${effect.type} was refused: ${code}`)
      const actual = String(facts['epoch'])
      holds(actual !== client.epoch, () => `9: ${effect.type} of ${actual} was refused: ${code}`)
      return failWith(client, { type: 'epoch-changed', expected: client.epoch, actual })
    }
    default:
      return holds(false, () => `server 1: ${effect.type} is answered by ${answer!.type}`) as never
  }
}

/** What the server has not, or has otherwise, is pending again. */
function rejoin(client: ModelClient, epoch: string, log: readonly EventName[]): ModelClient {
  const { confirmed, pending } = client
  const differs = confirmed.findIndex((event, i) => event !== log[i])
  const same = differs === -1 ? confirmed.length : differs
  return {
    ...client,
    epoch,
    confirmed: confirmed.slice(0, same),
    pending: [...confirmed.slice(same), ...pending],
  }
}

const nameOf = (commit: Commit | undefined): PushedCommit | null =>
  (commit?.event ?? null) as PushedCommit | null

/** What came of the server's log is here, and what of it waited does not wait any more. */
const take = (client: ModelClient, events: readonly EventName[]): ModelClient => ({
  ...client,
  confirmed: [...client.confirmed, ...events],
  pending: client.pending.filter(event => !events.includes(event)),
})

function standingOf({ epoch, confirmed, pending }: ModelClient) {
  return {
    epoch,
    position: confirmed.length,
    pending: pending.length,
    rejected: 0,
    erasures: { taken: 0, unsent: 0 },
  }
}

function give(client: ModelClient, input: SyncInput): ModelClient {
  const [sync, effects] = step(client.sync, input, MOMENT)
  return effects.reduce(run, { ...client, sync: withoutTime(sync) })
}

/** Counts that only lengthen waits, and times, would make endlessly many states of one. */
function withoutTime(sync: SyncState): SyncState {
  const { pull, push, erase, setAside, rejoin, resubscribe } = sync.failures
  const failures = {
    pull: some(pull),
    push: some(push),
    erase: some(erase),
    setAside: some(setAside),
    rejoin: some(rejoin),
    resubscribe: some(resubscribe),
  }
  return { ...sync, failures, lastContactAt: null }
}

const some = (count: number): number => Math.min(1, count)

function run(client: ModelClient, effect: SyncEffect): ModelClient {
  switch (effect.type) {
    case 'pull':
    case 'push':
    case 'rejoin': {
      holds(client.request === null, () => 'sync 1: two requests are under way')
      holds(client.sync.online, () => 'sync 2: a request while it must be quiet')
      const isPush = effect.type === 'push'
      const commits = isPush
        ? client.pending
            .slice(0, COMMITS_A_PUSH)
            .map((event, i) => ({ event, base: client.confirmed.length + i }))
        : []
      return { ...client, request: { effect, commits, serving: null, answer: null } }
    }
    case 'schedule':
      return { ...client, hasTimer: true }
    case 'cancelTimer':
      return { ...client, hasTimer: false }
    case 'openHints':
      return { ...client, wantsHints: true }
    case 'closeHints':
      return { ...client, wantsHints: false, hint: null }
    case 'abortRequest':
      return client
    case 'erase':
      return holds(false, () => 'nothing is erased here') as never
    case 'setAside':
      return holds(false, () => 'nothing is refused for good here') as never
    case 'resubscribe':
      return holds(false, () => 'all streams are wanted here') as never
  }
}

/** What must hold in every state. The rules are numbered as in README.md. */
export function check({ server, clients }: Model): void {
  const { log, epoch } = server
  holds(new Set(log).size === log.length, () => `1: ${log} has an event twice`)
  for (const [at, { live, limits }] of server.stores.entries()) {
    const streams = clients.filter(({ stream }) => stream?.store === at).length
    holds(live === streams && live <= limits.maxLiveClients, () => `server 7: ${live} of ${streams} streams`)
  }
  for (const [n, client] of clients.entries()) {
    const { confirmed, pending, appended, sync, hasTimer, wantsHints } = client
    const isSameLog = client.epoch === epoch
    const isPrefix = confirmed.every((event, i) => log[i] === event)
    holds(!isSameLog || isPrefix, () => `2: client ${n} has ${confirmed} of ${log}`)
    holds(!pending.some(event => confirmed.includes(event)), () => `3: client ${n} has an event twice`)
    const own = [...confirmed, ...pending].filter(event => event.startsWith(`${n}.`))
    const written = Array.from({ length: appended }, (_, i) => `${n}.${i + 1}`)
    holds(own.join() === written.join(), () => `5, 6: client ${n} wrote ${written} and has ${own}`)
    const isQuiet = sync.life !== 'running' || !sync.online || sync.isHalted
    holds(!isQuiet || (!hasTimer && !wantsHints), () => `sync 2: client ${n} is not quiet`)
    holds(!sync.isHalted, () => `9: client ${n} stopped: ${sync.error?.message}`)
    const knows = sync.life === 'new' || sync.standing.position === confirmed.length
    holds(knows, () => `sync 4: client ${n} is mistaken`)
    // Who is not quiet waits for something: an answer, a timer, or a hint.
    const waits = client.request !== null || hasTimer || wantsHints
    holds(isQuiet || waits, () => `sync: client ${n} waits for nothing`)
  }
}
