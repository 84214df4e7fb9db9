// A worker at the other end of a MessageChannel, whose answers a test makes up.

import * as Comlink from 'comlink'
import type { AppendResult } from '../../src/model/event-store.ts'
import type { SyncStatus } from '../../src/model/sync-status.ts'
import { packResults } from '../../src/protocol/packed-results.ts'
import {
  type ExecuteAnswer,
  type PageApi,
  type PageValues,
  type Reply,
  WORKER_PROTOCOL,
  type WorkerApi,
  type WriteAnswers,
  type WriteCall,
  type WriteMessage,
} from '../../src/protocol/worker-api.ts'

export const RESTING: SyncStatus = {
  phase: 'off',
  pending: 0,
  oldestPendingAt: null,
  rejected: 0,
  serverPosition: 0,
  unsentErasures: 0,
  lastContactAt: null,
  retryAt: null,
  error: null,
}

export const ok = <T>(value: T): Reply<T> => ({ ok: true, value })
export const never = <T>(): Promise<T> => new Promise(() => {})

export type FakeWorker = Readonly<{
  /** The page's end. */
  port: MessagePort
  /** Calls in order of arrival. */
  calls: readonly string[]
  /** Resolves when a method was called so many times in all. */
  called: (method: keyof WorkerApi, times?: number) => Promise<void>
  /** The page that connected. */
  page: () => PageApi
  values: () => PageValues
  /** The worker is gone without a word. */
  die: () => void
}>

export function fakeWorker(
  answers: Partial<WorkerApi> = {},
  { protocol = WORKER_PROTOCOL } = {},
): FakeWorker {
  const { port1, port2 } = new MessageChannel()
  const calls: string[] = []
  const waiters: (() => void)[] = []
  let page: PageApi | undefined
  let values: PageValues | undefined
  const api: Partial<WorkerApi> = {
    connect: async (given, connected) => {
      values = given
      page = connected
      return ok({
        lifeLock: null,
        syncStatus: RESTING,
        integrityStatus: { checkpoint: null, witnessed: null, verdicts: [] },
      })
    },
    ping: async () => ok(undefined),
    close: async () => {
      page = undefined
      return ok(undefined)
    },
    write: async message => answersTo(message),
    unsubscribe: async () => ok(undefined),
    unwatchView: async () => ok(undefined),
    watchView: async () => ok(undefined),
    ...answers,
  }
  const counted = Object.fromEntries(
    Object.entries(api).map(([method, answer]) => [
      method,
      (...args: never[]) => {
        calls.push(method)
        for (const waiter of waiters) waiter()
        return (answer as (...args: never[]) => unknown)(...args)
      },
    ]),
  )
  port2.addEventListener('message', event => {
    if (event.data?.streamdingo === 'hello') port2.postMessage({ streamdingo: 'ready', protocol })
  })
  Comlink.expose(counted, port2)
  return {
    port: port1,
    calls,
    called: (method, times = 1) =>
      new Promise(resolve => {
        const look = () => {
          if (calls.filter(call => call === method).length >= times) resolve()
        }
        waiters.push(look)
        look()
      }),
    page: () => page!,
    values: () => values!,
    die: () => port2.close(),
  }
}

type Outcome = Reply<readonly AppendResult[]> | Reply<ExecuteAnswer>

/** The answers to a message, one call after the other. */
export function answersTo(
  { calls }: WriteMessage,
  outcomeOf: (call: WriteCall, i: number) => Outcome = written,
): Reply<WriteAnswers> {
  const results: AppendResult[] = []
  const answers = calls.map((call, i) => {
    const outcome = outcomeOf(call, i)
    if (!outcome.ok || !('length' in outcome.value)) return outcome as Reply<ExecuteAnswer>
    results.push(...outcome.value)
    return outcome.value.length
  })
  return ok({ answers, results: packResults(results) })
}

export const RESULT: AppendResult = {
  nextExpectedStreamVersion: 1,
  lastEventGlobalPosition: 1,
  createdNewStream: true,
  idempotent: false,
  headHash: '0'.repeat(64) as never,
}

/** The outcome of a write that the log took. */
export function written(call: WriteCall): Outcome {
  return call.type === 'append'
    ? ok(call.appends.map(() => RESULT))
    : ok({ ...RESULT, state: JSON.parse(call.command) })
}
