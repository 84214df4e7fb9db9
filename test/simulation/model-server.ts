// The server's side of the model: the real state machine over a database of a few lines.

import type { AdmitOutcome } from '../../src/engine/event-log.ts'
import type { Answer, Question, ServerEffect, ServerInput, Work } from '../../src/server/server-io.ts'
import {
  asking,
  closeStore,
  type Exchange,
  initialStoreState,
  type StoreState,
  step,
} from '../../src/server/server-state.ts'
import { holds } from './violation.ts'

/** An event is its author and a count; on a log it stands on all that is before it. */
export type EventName = string

/** A commit as its author would push it, and what it stands on. */
export type Commit = Readonly<{ event: EventName; base: number }>

export type ModelServer = Readonly<{
  /** The database. */
  epoch: string
  log: readonly EventName[]
  /** The logs that were opened, one for each epoch that was met; new requests go to the last. */
  stores: readonly StoreState[]
}>

/** A request or a stream at the server: of which log, what is done for it now, and what was read for its answer. */
export type Serving = Readonly<{
  store: number
  question: Question['type']
  exchange: Exchange
  work: Work | null
  commits: readonly Commit[]
  found: readonly EventName[]
}>

/** What came of one input: an answer, perhaps, and what a stream has to do. */
export type Served = Readonly<{
  server: ModelServer
  serving: Serving
  answer: Answer | null
  effects: readonly ServerEffect[]
}>

/** A page holds one commit: so pulls that are half done are states, too. And there is room for one live client. */
export const RECHECK_MS = 60_000
const LIMITS = { maxPullBytes: 1, maxLiveClients: 1, recheckMs: RECHECK_MS }

export const initialServer = (epoch: string): ModelServer => ({
  epoch,
  log: [],
  stores: [initialStoreState(epoch, LIMITS)],
})

/** The database is put back, to what it was before its last commit, under a running server. */
export const putBack = (server: ModelServer, epoch: string): ModelServer => ({
  ...server,
  epoch,
  log: server.log.slice(0, -1),
})

/** Up to the first thing that has to be done behind the look at the database. */
export function ask(server: ModelServer, question: Question, commits: readonly Commit[] = []): Served {
  const serving: Serving = {
    store: server.stores.length - 1,
    question: question.type,
    exchange: asking(question),
    work: null,
    commits,
    found: [],
  }
  const asked = give(server, serving, { type: 'asked' })
  const looked = asked.serving.work ? goOn(asked.server, asked.serving) : asked
  return looked.answer?.type === 'again' ? ask(looked.server, question, commits) : looked
}

/** The next thing that is to be done for a request is done. */
export function goOn(server: ModelServer, serving: Serving): Served {
  const { work, commits } = serving
  const standing = { head: server.log.length, erasures: 0 }
  switch (work!.type) {
    case 'look':
      return give(server, serving, { type: 'looked', epoch: server.epoch, standing })
    case 'readPage': {
      const { after, maxBytes } = work as Extract<Work, { type: 'readPage' }>
      const found = server.log.slice(after, after + maxBytes)
      return give(server, { ...serving, found }, { type: 'pageRead', next: after + found.length })
    }
    case 'admit': {
      const { commits: count } = work as Extract<Work, { type: 'admit' }>
      const { log, outcome } = admit(server.log, commits.slice(0, count))
      return give({ ...server, log }, serving, { type: 'admitted', outcome })
    }
    case 'eraseListed':
      return give(server, serving, { type: 'erased' })
    case 'confirm': {
      const { size } = work as Extract<Work, { type: 'confirm' }>
      const found = serving.question === 'prefix' ? server.log.slice(0, size ?? 0) : serving.found
      return give(server, { ...serving, found }, { type: 'confirmed', epoch: server.epoch, standing })
    }
    default:
      return holds(false, () => `nobody asks for ${work!.type} here`) as never
  }
}

export function give(server: ModelServer, serving: Serving, input: ServerInput, now = 0): Served {
  const { store: at, exchange } = serving
  const [next, effects] = step({ store: server.stores[at]!, exchange }, input, now)
  const stores = server.stores.with(at, next.store)
  const work = (effects.find(({ type }) => WORK.includes(type)) as Work | undefined) ?? null
  const told = effects.find(({ type }) => type === 'answer') as
    | Extract<ServerEffect, { type: 'answer' }>
    | undefined
  const isReopened = effects.some(({ type }) => type === 'reopen') && at === stores.length - 1
  const opened = isReopened
    ? [...stores.with(at, closeStore(next.store)), initialStoreState(server.epoch, LIMITS)]
    : stores
  return {
    server: { ...server, stores: opened },
    serving: { ...serving, exchange: next.exchange, work },
    answer: told?.answer ?? null,
    effects,
  }
}

const WORK: readonly string[] = [
  'look',
  'readPage',
  'admit',
  'eraseListed',
  'erase',
  'listErasures',
  'confirm',
] satisfies Work['type'][]

/** All streams are one here: a commit stands on the whole log, or is stale; what is there already is accepted. */
function admit(
  before: readonly EventName[],
  commits: readonly Commit[],
): Readonly<{ log: readonly EventName[]; outcome: AdmitOutcome }> {
  const log = [...before]
  let accepted = 0
  let isAllNew = true
  for (const { event, base } of commits) {
    const at = log.indexOf(event)
    if (at === -1 && base === log.length) log.push(event)
    else if (at === base) isAllNew = false
    else break
    accepted++
  }
  const refusal = accepted < commits.length ? ({ reason: 'stale', detail: '' } as const) : null
  const after = isAllNew ? before.length : null
  return { log, outcome: { accepted, after, head: log.length, refusal } }
}
