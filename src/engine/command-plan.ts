// Decides a command on a draft: folds the stream as the draft has it, asks the decider, links what it says.

import { StoreError } from '../log/errors.ts'
import type { Event, RecordedEvent, StreamVersion } from '../log/event.ts'
import { encodeEvents } from '../log/event-batch.ts'
import { derivedEventId } from '../log/event-id.ts'
import type { AnyDecider } from '../model/app.ts'
import { evolveState } from '../model/evolve.ts'
import { draftedOrder } from './amendments/drafted-order.ts'
import { checkCommitSize, checkStreamName, stampFor } from './append-job.ts'
import type { Draft } from './draft.ts'
import type { EventContents } from './encryption/event-contents.ts'
import type { LogIndex } from './log-index.ts'
import type { LogReader } from './reader.ts'
import type { TodaysEvents } from './todays-events.ts'

/** The state of a decider's stream at a version that the log has, leaving out what stands behind. */
export interface DeciderFolds {
  stateAt(decider: string, streamName: string, version: StreamVersion): Promise<unknown>
}

export type CommandParts = Readonly<{
  deciders: Readonly<Record<string, AnyDecider>>
  folds: DeciderFolds
  index: LogIndex
  reader: Pick<LogReader, 'readStream'>
  today: TodaysEvents
  contents: EventContents
  now: () => number
}>

export type CommandWish = Readonly<{ decider: string; id: string; command: unknown }>

type Folded = { state: unknown; version: StreamVersion }

/** What decided states a draft has seen, so that a run of commands folds each event once. */
const foldedOf = new WeakMap<Draft, Map<string, Folded>>()

/** @throws `StoreError` `unknown-decider`. */
export function deciderOf(deciders: CommandParts['deciders'], name: string): AnyDecider {
  const decider = Object.hasOwn(deciders, name) ? deciders[name] : undefined
  if (decider) return decider
  throw new StoreError('unknown-decider', `The app has no decider "${name}"`, { decider: name })
}

/** @throws `InvalidEvent` when the decider gives a stream name that cannot be. */
export function streamOf(wish: CommandWish, parts: CommandParts): string {
  const streamName = deciderOf(parts.deciders, wish.decider).streamName(wish.id)
  checkStreamName(streamName)
  return streamName
}

/**
 * Adds the events that the decider gives, as one commit that remembers its command. The ids come from
 * `commandId`, so that deciding again gives the same ones.
 *
 * @returns the state after the command
 * @throws `StoreError` `command-refused` with the decider's reason; `handler-failed`; `InvalidEvent`.
 */
export async function planCommand(
  wish: CommandWish,
  commandId: string,
  draft: Draft,
  parts: CommandParts,
): Promise<unknown> {
  const streamName = streamOf(wish, parts)
  const decider = deciderOf(parts.deciders, wish.decider)
  const state = await foldDraft(wish.decider, streamName, draft, parts)
  const decided = encodeEvents(withIds(decide(decider, wish, state), commandId))
  if (decided.count === 0) return state
  const { cipher } = parts.contents
  const batch = await cipher.encrypt(streamName, decided)
  checkCommitSize([batch])
  draft.link(streamName, batch, stampFor(batch, parts.now()))
  // Folded before it counts: a handler that throws on its own decider's event must not leave the event behind.
  const next = await foldDraft(wish.decider, streamName, draft, parts)
  draft.commit(cipher.encrypts ? await cipher.noteOf(wish, streamName, batch) : { command: wish })
  return next
}

/** The state of a stream behind everything the draft has of it. */
export async function foldDraft(
  decider: string,
  streamName: string,
  draft: Draft,
  parts: CommandParts,
): Promise<unknown> {
  const { version } = await draft.head(streamName)
  if (isOrderDrafted(streamName, draft, parts)) return foldDraftedOrder(decider, streamName, draft, parts)
  const seen = foldedOf.get(draft) ?? new Map<string, Folded>()
  foldedOf.set(draft, seen)
  const key = JSON.stringify([decider, streamName])
  const events = draft.eventsOf(streamName, (seen.get(key)?.version ?? 0) + 1)
  const base = version - events.length
  const from =
    seen.get(key)?.version === base
      ? seen.get(key)!.state
      : await parts.folds.stateAt(decider, streamName, base)
  const state = foldOn(decider, from, await parts.contents.eventsOf(events, 'pending'), parts)
  seen.set(key, { state, version })
  return state
}

/** The draft amends the stream, or takes back amendments of it. */
function isOrderDrafted(streamName: string, draft: Draft, { index }: CommandParts): boolean {
  const last = index.order.countingOf(streamName).at(-1)
  return (
    draft.amendmentsOf(streamName).length > 0 ||
    (last !== undefined && last.version >= draft.firstVersionOf(streamName))
  )
}

/** From the first event on: no state that was folded before is one of this order. */
async function foldDraftedOrder(
  decider: string,
  streamName: string,
  draft: Draft,
  parts: CommandParts,
): Promise<unknown> {
  const firstDrafted = draft.firstVersionOf(streamName)
  // Taken at once: while the rest is read, what the draft stands on may be written, and is not the draft's any more.
  const drafted = draft.eventsOf(streamName, firstDrafted)
  const recorded = new Map<StreamVersion, RecordedEvent>()
  const written = parts.reader.readStream(streamName, { to: firstDrafted - 1, order: 'recorded' }, 'refuse')
  for await (const events of written) {
    for (const event of events) recorded.set(event.metadata.streamVersion, event)
  }
  for (const event of await parts.contents.eventsOf(drafted, 'pending')) {
    if (event) recorded.set(event.metadata.streamVersion, event)
  }
  const order = draftedOrder(streamName, draft, parts.index)
  const counting: (RecordedEvent | null)[] = []
  for (let place = 1; place <= draft.knownHead(streamName).version; place++) {
    for (const version of order.at(place)) counting.push(recorded.get(version) ?? null)
  }
  return foldOn(decider, deciderOf(parts.deciders, decider).initialState(), counting, parts)
}

function foldOn(
  decider: string,
  from: unknown,
  events: readonly (RecordedEvent | null)[],
  { deciders, today }: CommandParts,
): unknown {
  const { evolve } = deciderOf(deciders, decider)
  let state = from
  for (const recorded of events) {
    const event = recorded && today.of(recorded)
    if (event) state = evolveState(evolve, state, event)
  }
  return state
}

function decide(decider: AnyDecider, wish: CommandWish, state: unknown): Event[] {
  try {
    return [decider.decide(wish.command as never, state)].flat() as Event[]
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const facts = { decider: wish.decider, id: wish.id, command: wish.command, reason }
    throw new StoreError('command-refused', reason, facts, { cause })
  }
}

/** The first event has the command's own id: finding it again tells that the command was carried out. */
function withIds(events: readonly Event[], commandId: string): Event[] {
  return events.map((event, i) => ({ ...event, id: i === 0 ? commandId : derivedEventId(commandId, i) }))
}
