// Carries out the writes of one message of the page: all handed over together, so that they go into one write of the
// log, and each answered by itself.

import type { AppendRequest, EventLog, ExecuteRequest } from '../src/engine/event-log.ts'
import { partOfBatch } from '../src/log/event-batch.ts'
import type { AppendResult } from '../src/model/event-store.ts'
import { packResults } from '../src/protocol/packed-results.ts'
import { wireErrorOf } from '../src/protocol/wire-error.ts'
import type {
  AppendCall,
  ExecuteAnswer,
  ExecuteCall,
  PageApi,
  Reply,
  WriteAnswers,
  WriteCall,
  WriteMessage,
} from '../src/protocol/worker-api.ts'
import { replyOf } from './reply.ts'

export async function carryOutWrites(
  { calls, batch }: WriteMessage,
  log: EventLog,
  onAccepted: PageApi['accepted'],
): Promise<WriteAnswers> {
  let next = 0
  const appendRequest = (call: AppendCall): AppendRequest => {
    const appends = call.appends.map(({ count, ...append }) => {
      next += count
      return { ...append, batch: partOfBatch(batch, next - count, count) }
    })
    return appendRequestOf(call, appends, onAccepted)
  }
  const outcomes: Promise<readonly Outcome[]>[] = []
  for (const group of appendsTogether(calls)) {
    outcomes.push(isAppends(group) ? appendAll(group.map(appendRequest), log) : execute(group[0], log))
  }
  return answersOf((await Promise.all(outcomes)).flat())
}

type Outcome = Reply<ExecuteAnswer> | Reply<readonly AppendResult[]>

/** Appends that follow one another stand together, each command alone. */
function appendsTogether(calls: readonly WriteCall[]): (AppendCall[] | [ExecuteCall])[] {
  const groups: (AppendCall[] | [ExecuteCall])[] = []
  for (const call of calls) {
    const last = groups.at(-1)
    if (call.type === 'execute') groups.push([call])
    else if (last && isAppends(last)) last.push(call)
    else groups.push([call])
  }
  return groups
}

const isAppends = (group: AppendCall[] | [ExecuteCall]): group is AppendCall[] => group[0]!.type === 'append'

async function appendAll(requests: readonly AppendRequest[], log: EventLog): Promise<Outcome[]> {
  try {
    const outcomes = await log.appendMany(requests)
    return outcomes.map(outcome =>
      outcome.status === 'fulfilled'
        ? { ok: true, value: outcome.value }
        : { ok: false, error: wireErrorOf(outcome.reason) },
    )
  } catch (reason) {
    const error = wireErrorOf(reason)
    return requests.map(() => ({ ok: false, error }))
  }
}

async function execute(call: ExecuteCall, log: EventLog): Promise<Outcome[]> {
  return [await replyOf(() => log.execute(executeRequestOf(call)))]
}

function answersOf(outcomes: readonly Outcome[]): WriteAnswers {
  const results: AppendResult[] = []
  const answers = outcomes.map(reply => {
    if (!reply.ok || !isResults(reply.value)) return reply as Reply<ExecuteAnswer>
    for (const result of reply.value) results.push(result)
    return reply.value.length
  })
  return { answers, results: packResults(results) }
}

const isResults = (value: readonly AppendResult[] | ExecuteAnswer): value is readonly AppendResult[] =>
  Array.isArray(value)

function appendRequestOf(
  { onConflict, acceptId }: AppendCall,
  appends: AppendRequest['appends'],
  onAccepted: PageApi['accepted'],
): AppendRequest {
  return {
    appends,
    ...(onConflict && { onConflict }),
    // Who is not there to hear of it will hear how it ended.
    ...(acceptId && { onAccepted: results => void onAccepted(acceptId, results).catch(() => {}) }),
  }
}

function executeRequestOf({ type: _, command, ...call }: ExecuteCall): ExecuteRequest {
  return { ...call, command: JSON.parse(command) }
}
