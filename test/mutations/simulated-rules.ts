// Rules of sync that the simulator must notice the absence of: of the client's state machine and its shell, of what the
// server admits, of taking up again what is pending, and of writing at all.

import type { Mutation } from './mutations.ts'

const SIMULATOR = ['test/simulation/first-histories.test.ts']
const MODEL = ['test/simulation/model-check.test.ts']

const of = (
  file: string,
  rule: string,
  [find, replace]: readonly [string, string],
  tests = SIMULATOR,
): Mutation => ({ file, rule, find, replace, tests })

const state = 'src/sync/sync-state.ts'
const server = 'src/server/server-state.ts'
const live = 'src/server/live-state.ts'
const admission = 'src/engine/admit-job.ts'
const page = 'src/engine/remote-job.ts'
const rebase = 'src/engine/rebase.ts'

export const SIMULATED_RULES: readonly Mutation[] = [
  of(state, 'one request at a time', [
    "if (state.request !== null || state.timer?.purpose === 'retry') return state",
    "if (state.timer?.purpose === 'retry') return state",
  ]),
  of(state, 'offline nothing is requested', ['|| !state.online || state.isHalted', '|| state.isHalted']),
  of(state, 'a pull comes before a push', [
    'input.standing, isPullDue: true }',
    'input.standing, isPullDue: false }',
  ]),
  of(state, 'a hint causes a pull', [
    'return isPullDue || hinted > standing.position ||',
    'return isPullDue ||',
  ]),
  of(state, 'behind a failure there is a wait', [
    "if (state.request !== null || state.timer?.purpose === 'retry') return state",
    'if (state.request !== null) return state',
  ]),
  of(state, 'what is pending is pushed', [
    "if (state.standing.pending > 0) return begin('push', reached)",
    "if (state.standing.pending < 0) return begin('push', reached)",
  ]),
  of(state, 'a push that was too large gets smaller', [
    'return { ...next, pushBytes: half, pushLimit: half }',
    'return next',
  ]),
  of(admission, 'a commit stands on the heads of its streams', [
    'if (streamVersion !== head.version + 1 || !equalBytes(previous, head.hash)) {',
    'if (false) {',
  ]),
  of(page, 'only the very same commit is confirmed', [
    'a.length === b.length && a.every((entry, i) => equalBytes(entry.hash, b[i]!.hash))',
    'a.length === b.length',
  ]),
  of(page, 'a page that another tab took in is not taken in again', [
    'if (page.epoch === cursor.epoch && page.after < cursor.serverPosition) return NOTHING',
    '',
  ]),
  of(page, 'what the server has already is not taken up again', [
    'const left = tail.filter(({ entries }) => !entries.some(({ eventId }) => ids.has(eventIdOf(eventId))))',
    'const left = tail.filter(({ entries }) => entries.length > 0 && ids)',
  ]),
  of(page, 'what is taken up again stands behind the server’s', ['  rewindTail(tail, draft)\n', '']),
  of(page, 'what was taken up again is superseded where it was', [
    'const from = tail[0]?.firstPosition ?? null',
    'const from = tail[0] ? null : null',
  ]),
  of(rebase, 'a command is decided again', ["if (note && 'command' in note) {", 'if (!note) {']),
  of(rebase, 'what would stand on no other base is rejected', [
    "if (onConflict === 'reject') throw",
    'if (false) throw',
  ]),
  of(page, 'a rejection is kept with what was rejected', [
    'for (const rejection of rejected) addRejection(draft, rejection)',
    '',
  ]),
  of('src/engine/writer.ts', 'nothing is written over what another tab wrote first', [
    "if (outcome.type === 'conflict') {",
    "if (outcome.type === 'conflict' && outcome.head < 0) {",
  ]),
  of(
    state,
    'in the model: offline nothing is requested',
    ['|| !state.online || state.isHalted', '|| state.isHalted'],
    MODEL,
  ),
  of(
    state,
    'in the model: what is pending is pushed',
    [
      "if (state.standing.pending > 0) return begin('push', reached)",
      "if (state.standing.pending < 0) return begin('push', reached)",
    ],
    MODEL,
  ),
  of(
    state,
    'in the model: a hint causes a pull',
    ['return isPullDue || hinted > standing.position ||', 'return isPullDue ||'],
    MODEL,
  ),
  of(
    server,
    'in the model: of a log that was put back in the middle of a request nothing is told',
    [
      'if (isReplaced(store, input.epoch)) return leave(store, request, input.epoch)\n      return answer(',
      'return answer(',
    ],
    MODEL,
  ),
  of(
    server,
    'in the model: a request is looked at by the log that the database holds',
    [
      'if (isReplaced(store, input.epoch)) return leave(store, request, input.epoch)\n      return takeLook(',
      'return takeLook(',
    ],
    MODEL,
  ),
  of(
    server,
    'in the model: there are no more streams than there is room for',
    ['if (store.live >= limits.maxLiveClients) return answer(store, NO_ROOM)', ''],
    MODEL,
  ),
  of(
    server,
    'in the model: a stream that is over is taken off the count',
    ['live: shared.live - 1', 'live: shared.live'],
    MODEL,
  ),
  of(
    live,
    'in the model: who does not read is sent nothing',
    ['if (!hasRoom || !isNews) return [stream, []]', 'if (!isNews) return [stream, []]'],
    MODEL,
  ),
  of(
    live,
    'in the model: a stream looks at the log again',
    ["[{ type: 'checkAccess' }, { type: 'look' }]", "[{ type: 'checkAccess' }]"],
    MODEL,
  ),
  of(
    live,
    'in the model: live clients are told of growth',
    ['return tell(stream, input.standing, store)', 'return [stream, []]'],
    MODEL,
  ),
]
