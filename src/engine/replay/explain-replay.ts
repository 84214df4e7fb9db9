// Says what a replay would do, without doing it.

import type { ReplayExplanation } from '../../model/replay-report.ts'
import { causeOf, type ReplayParts, todayOf } from './replay.ts'
import { earlyEnds } from './replay-plan.ts'

export async function explainReplay(
  parts: Omit<ReplayParts, 'found' | 'factsBehind'>,
): Promise<ReplayExplanation> {
  const { owner, terms, snapshots, target: total } = parts
  const found = await snapshots.find(owner, terms)
  const mayStopAt = earlyEnds(found.ahead, todayOf(parts)).map(({ at }) => at.version)
  const explained = { ...causeOf({ owner, terms, found }), total, mayStopAt }
  return { ...explained, text: inWords(explained) }
}

type Explained = Omit<ReplayExplanation, 'text'>

function inWords(explained: Explained): string {
  return [what(explained), why(explained), end(explained), weakness(explained)].filter(Boolean).join(' ')
}

function what({ kind, name, streamName, from, total }: Explained): string {
  const whose = `${kind} ${name}, ${streamName === null ? 'all streams' : `stream ${streamName}`}`
  if (total === from) return `${whose}: nothing is folded, the newest snapshot holds all ${total} events.`
  const begin = from === 0 ? 'from the first one' : `behind the snapshot at ${from}`
  return `${whose}: ${total - from} of ${total} events are folded, ${begin}.`
}

function why({ reason, changedTypes }: Explained): string {
  switch (reason) {
    case 'no-snapshot':
      return 'There is no snapshot.'
    case 'tail':
      return ''
    case 'handler-changed':
      return changedTypes === null
        ? 'Newer snapshots are of other code in what counts for every event: the version, the categories, the initial state, to which document an event belongs, or a rebuild that was asked for.'
        : `Newer snapshots have events before them whose handlers changed: ${changedTypes.join(', ')}.`
    case 'history-changed':
      return 'Events in newer snapshots were superseded or erased.'
    case 'history-amended':
      return 'History in newer snapshots was amended.'
    case 'snapshot-damaged':
      return 'Newer snapshots were not what was written.'
  }
}

function end({ reason, mayStopAt }: Explained): string {
  if (reason !== 'handler-changed' && reason !== 'history-amended') return ''
  if (mayStopAt.length === 0)
    return 'It goes on to the end: what changed comes too late for old snapshots to hold again.'
  return `It ends early at ${mayStopAt.join(' or ')}, if the state is then what it was.`
}

function weakness({ isWeak }: Explained): string {
  return isWeak
    ? 'Without the build plugin, a changed helper of a handler is not seen: raise the version.'
    : ''
}
