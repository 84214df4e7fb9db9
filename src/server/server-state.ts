// What a request to a store comes to: a pure state machine, run alike by the server, the tests and the model.

import type { AdmitOutcome } from '../engine/event-log.ts'
import { type LiveStream, openStream, stepStream } from './live-state.ts'
import type {
  Answer,
  ForbiddenCommit,
  LogStanding,
  Question,
  Refused,
  ServerEffect,
  ServerInput,
  Work,
} from './server-io.ts'

/** What all exchanges of a store share. */
export type StoreState = Readonly<{
  /** That the log had when it was opened. */
  epoch: string
  /** The one that its database was seen to have instead: what is open here is not what it holds. */
  replacedBy: string | null
  isClosed: boolean
  /** Streams of hints that are open. */
  live: number
  limits: Readonly<{ maxPullBytes: number; maxLiveClients: number; recheckMs: number }>
}>

/** What was done for a request, and is told once the epoch is seen to be the same still. */
type Draft =
  | Readonly<{ type: 'page'; after: number; next: number }>
  | Readonly<{ type: 'prefix'; size: number }>
  | Readonly<{ type: 'receipt'; outcome: AdmitOutcome }>
  | Readonly<{ type: 'erased' }>
  | Readonly<{ type: 'erasures'; after: number }>

export type Asking = Readonly<{
  phase: 'asking'
  question: Question
  /** What is being done for it; null before it was begun. */
  waitsFor: Work['type'] | null
  draft: Draft | null
}>

/** A request; or a stream of hints, which one of them became; or what is left of either. */
export type Exchange = Asking | LiveStream | Readonly<{ phase: 'over' }>

/**
 * One exchange, and what it shares with the others of its store. Others are not touched by what comes in for one, so that
 * a thousand of them cost no more than one.
 */
export type ServerState = Readonly<{ store: StoreState; exchange: Exchange }>

export type Stepped = readonly [ServerState, readonly ServerEffect[]]

const OVER = { phase: 'over' } as const

export const initialStoreState = (epoch: string, limits: StoreState['limits']): StoreState => ({
  epoch,
  replacedBy: null,
  isClosed: false,
  live: 0,
  limits,
})

export const closeStore = (store: StoreState): StoreState => ({ ...store, isClosed: true })

export const asking = (question: Question): Asking => ({
  phase: 'asking',
  question,
  waitsFor: null,
  draft: null,
})

/**
 * Takes one input and says what to do. Inputs that do not fit the state, such as a late timer, change nothing.
 *
 * What holds in every state, whatever comes in:
 *
 * 1. Each request is answered once, and nothing is done for it after that. One thing is done for it at a time.
 * 2. Nothing is admitted or erased but behind a look that found the epoch that the log was opened with, and for a
 *    request that means that one.
 * 3. A receipt is given only behind an admission, which is durable, and behind the erasure of what of it is listed as
 *    erased. It tells what that admission said, and no more.
 * 4. An answer names an epoch only if the database was seen to have it after all that the answer tells was read or
 *    written. Once it was seen to have another one, nothing is answered from this log: who only reads asks once more of
 *    the log that there is now, and who wrote is told that it is another one. What was written is there or is not; ids
 *    make it safe to send again.
 * 5. Of a push, what is before the first forbidden commit is admitted, and neither that nor what stands behind it.
 * 6. A hint never names more than the log has, nor the same twice. Who does not read gets none, and the newest when it does.
 * 7. There are never more streams than the limit. Each that was opened is taken off the count once.
 * 8. A stream does not outlive its credentials, and lives no longer than `recheckMs` without a look at them and at the log.
 *    While nobody can tell whose it is it lives on, to their end.
 * 9. Of a closed store nothing more is begun, and its streams end.
 */
export function step(state: ServerState, input: ServerInput, now: number): Stepped {
  const { store, exchange } = state
  switch (exchange.phase) {
    case 'asking':
      return input.type === 'closed' ? [closed(state), []] : stepRequest(store, exchange, input, now)
    case 'live': {
      // Reopening closes this log, and ends its streams.
      if (input.type === 'looked' && isReplaced(store, input.epoch)) {
        return [{ store: replaced(store, input.epoch), exchange }, [{ type: 'reopen' }]]
      }
      const [stream, effects] = stepStream(exchange, input, store, now)
      const shared = input.type === 'closed' ? closed(state).store : store
      if (stream) return [{ store: shared, exchange: stream }, effects]
      return [{ store: { ...shared, live: shared.live - 1 }, exchange: OVER }, effects]
    }
    case 'over':
      return [input.type === 'closed' ? closed(state) : state, []]
  }
}

const closed = (state: ServerState): ServerState => ({ ...state, store: closeStore(state.store) })

function stepRequest(store: StoreState, request: Asking, input: ServerInput, now: number): Stepped {
  if (!isAwaited(request, input)) return [{ store, exchange: request }, []]
  switch (input.type) {
    case 'asked':
      if (store.isClosed) return answer(store, CLOSED)
      return store.replacedBy === null ? work(store, request, { type: 'look' }) : answer(store, AGAIN)
    case 'failed':
      // Most likely since the log was closed for another one: then there is a better answer.
      return answer(store, store.replacedBy === null ? FAILED : elsewhere(request, store.replacedBy))
    case 'looked':
      if (isReplaced(store, input.epoch)) return leave(store, request, input.epoch)
      return takeLook(store, request, input.standing, now)
    case 'pageRead': {
      const { after } = request.question as Extract<Question, { type: 'pull' }>
      return confirm(store, request, { type: 'page', after, next: input.next })
    }
    case 'admitted': {
      const draft = { type: 'receipt', outcome: input.outcome } as const
      const { accepted } = input.outcome
      if (accepted === 0) return confirm(store, request, draft)
      return work(store, { ...request, draft }, { type: 'eraseListed', commits: accepted })
    }
    case 'erased':
      return confirm(store, request, request.draft ?? { type: 'erased' })
    case 'listed': {
      const { after } = request.question as Extract<Question, { type: 'erasures' }>
      return confirm(store, request, { type: 'erasures', after })
    }
    case 'confirmed':
      if (isReplaced(store, input.epoch)) return leave(store, request, input.epoch)
      return answer(store, told(store.epoch, request, input.standing))
    default:
      return [{ store, exchange: request }, []]
  }
}

/** What each piece of work is answered by, unless it fails. */
const ANSWERED_BY: Readonly<Record<Work['type'], ServerInput['type']>> = {
  look: 'looked',
  readPage: 'pageRead',
  admit: 'admitted',
  eraseListed: 'erased',
  erase: 'erased',
  listErasures: 'listed',
  confirm: 'confirmed',
}

function isAwaited({ waitsFor }: Asking, { type }: ServerInput): boolean {
  if (waitsFor === null) return type === 'asked'
  return type === 'failed' || type === ANSWERED_BY[waitsFor]
}

/** Another exchange may have seen it, while this one waited for an answer from before. */
const isReplaced = ({ epoch, replacedBy }: StoreState, seen: string): boolean =>
  replacedBy !== null || seen !== epoch

function takeLook(store: StoreState, request: Asking, standing: LogStanding, now: number): Stepped {
  const { question } = request
  const { epoch, limits } = store
  if ('epoch' in question && question.epoch !== epoch) return answer(store, otherEpoch(epoch))
  switch (question.type) {
    case 'head':
      return answer(store, { type: 'head', epoch, position: standing.head })
    case 'pull': {
      const { after } = question
      if (after > standing.head) return answer(store, aheadOfServer(after, standing.head, epoch))
      const maxBytes = Math.min(question.maxBytes, limits.maxPullBytes)
      return work(store, request, { ...question, type: 'readPage', maxBytes })
    }
    case 'prefix':
      return confirm(store, request, { type: 'prefix', size: Math.min(question.size, standing.head) })
    case 'push': {
      const commits = question.forbidden?.at ?? question.commits
      return work(store, request, { type: 'admit', commits })
    }
    case 'erase':
      return work(store, request, { type: 'erase' })
    case 'erasures':
      return work(store, request, { type: 'listErasures', after: question.after })
    case 'hints': {
      if (store.isClosed) return answer(store, CLOSED)
      if (store.live >= limits.maxLiveClients) return answer(store, NO_ROOM)
      const [stream, effects] = openStream(question, limits, now)
      const opened = { ...store, live: store.live + 1 }
      return [
        { store: opened, exchange: stream },
        [{ type: 'answer', answer: { type: 'hints' } }, ...effects],
      ]
    }
    case 'other':
      return answer(store, { type: 'other' })
  }
}

/** The database has another log than the one that is open here. */
function leave(store: StoreState, request: Asking, epoch: string): Stepped {
  const next = replaced(store, epoch)
  const [state, effects] = answer(next, elsewhere(request, next.replacedBy!))
  return [state, [{ type: 'reopen' }, ...effects]]
}

const replaced = (store: StoreState, epoch: string): StoreState =>
  epoch === store.epoch ? store : { ...store, replacedBy: epoch }

/** Nothing was told yet. Who would have written hears of the other log: what it sent was meant for this one. */
function elsewhere({ question }: Asking, epoch: string): Answer {
  const isWrite = question.type === 'push' || question.type === 'erase'
  return isWrite && question.epoch !== epoch ? otherEpoch(epoch) : AGAIN
}

function confirm(store: StoreState, request: Asking, draft: Draft): Stepped {
  // Who pushes knows the root by what it pushed.
  const withRoot = draft.type === 'page' || draft.type === 'prefix'
  return work(store, { ...request, draft }, { type: 'confirm', size: sizeOf(draft), withRoot })
}

/** How much of the log it tells of. */
function sizeOf(draft: Draft): number | null {
  switch (draft.type) {
    case 'page':
      return draft.next
    case 'prefix':
      return draft.size
    case 'receipt':
      return draft.outcome.head
    default:
      return null
  }
}

function told(epoch: string, { question, draft }: Asking, { head, erasures }: LogStanding): Answer {
  switch (draft!.type) {
    case 'page':
      return { ...draft!, epoch, head, erasures }
    case 'prefix':
      return { ...draft!, epoch }
    case 'erased':
      return { ...draft!, epoch, count: erasures }
    case 'erasures':
      return { ...draft!, epoch, count: erasures }
    case 'receipt': {
      const { forbidden } = question as Extract<Question, { type: 'push' }>
      const { outcome } = draft!
      const refusal = outcome.refusal ?? (forbidden && refusalOf(forbidden))
      return { type: 'receipt', status: statusOf(refusal), receipt: { epoch, ...outcome, refusal } }
    }
  }
}

type Receipt = Extract<Answer, { type: 'receipt' }>

const refusalOf = ({ streamName }: ForbiddenCommit): Receipt['receipt']['refusal'] => ({
  reason: 'forbidden',
  detail: `this token may not append to stream "${streamName}"`,
})

function statusOf(refusal: Receipt['receipt']['refusal']): Receipt['status'] {
  switch (refusal?.reason) {
    case undefined:
      return 200
    case 'forbidden':
      return 403
    case 'invalid':
      return 422
    default:
      return 409
  }
}

const work = (store: StoreState, request: Asking, effect: Work): Stepped => [
  { store, exchange: { ...request, waitsFor: effect.type } },
  [effect],
]

const answer = (store: StoreState, answer: Answer): Stepped => [
  { store, exchange: OVER },
  [{ type: 'answer', answer }],
]

const AGAIN: Answer = { type: 'again' }
const FAILED: Answer = { type: 'failed' }

const refused = (
  status: Refused['status'],
  code: string,
  message: string,
  facts: Refused['facts'] = {},
): Refused => ({ type: 'refused', status, code, message, facts })

const CLOSED = refused(503, 'unavailable', 'The server is closing')
const NO_ROOM = refused(429, 'too-many-clients', 'No room for another live client')

const otherEpoch = (epoch: string): Refused =>
  refused(409, 'epoch-changed', 'The server has another log than the client thinks', { epoch })

const aheadOfServer = (after: number, head: number, epoch: string): Refused =>
  refused(409, 'ahead-of-server', 'The server does not reach that far', { after, head, epoch })
