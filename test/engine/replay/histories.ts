// Random histories for folds to live through: events, amendments, erasures, and what sync makes of them.

import fc from 'fast-check'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { Amendment } from '../../../src/model/amendment.ts'
import type { ReadOrder } from '../../../src/model/event-store.ts'
import { changeList } from '../amendments/list-order.ts'
import { append, type Said, sync } from './replicas.ts'

export const STREAMS = ['s1', 's2']
export const TYPES = ['A', 'B', 'C'] as const

type AmendWish = Readonly<{ kind: Amendment['kind']; one: number; other: number; event: Said }>

type Change =
  | Readonly<{ append: readonly Said[] }>
  | Readonly<{ amend: readonly AmendWish[] }>
  /** Which of the events that there are. */
  | Readonly<{ erase: number }>

export type HistoryStep = Readonly<{ stream: string }> & Change

const event = fc.record({ type: fc.constantFrom(...TYPES), data: fc.integer({ min: 1, max: 9 }) })
const wish = fc.record({
  kind: fc.constantFrom<Amendment['kind']>('insert', 'replace', 'remove', 'move'),
  one: fc.nat(40),
  other: fc.nat(40),
  event,
})
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ append: fc.array(event, { minLength: 1, maxLength: 12 }) }),
  },
  { weight: 5, arbitrary: fc.record({ amend: fc.array(wish, { minLength: 1, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ erase: fc.nat(40) }) },
)

export const step: fc.Arbitrary<HistoryStep> = fc
  .tuple(fc.constantFrom(...STREAMS), change)
  .map(([stream, done]) => ({ stream, ...done }))

/** What the server comes to have meanwhile. */
export type Meeting = Readonly<{ race: HistoryStep | null }>

export const meeting: fc.Arbitrary<Meeting | null> = fc.option(
  fc.record({ race: fc.option(step, { nil: null }) }),
  { nil: null },
)

export async function meet(log: EventLog, server: EventLog, { race }: Meeting): Promise<void> {
  if (race) await takeStep(server, race)
  await sync(log, server)
}

/** False where there is nothing to amend or erase. */
export async function takeStep(log: EventLog, step: HistoryStep): Promise<boolean> {
  const { stream } = step
  if ('append' in step) await append(log, stream, ...step.append)
  else if ('erase' in step) return erase(log, stream, step.erase)
  else return amendBy(log, stream, step.amend)
  return true
}

async function erase(log: EventLog, stream: string, nth: number): Promise<boolean> {
  const ids = await idsIn(log, stream)
  if (ids.length === 0) return false
  await log.erasures.erase([ids[nth % ids.length]!])
  return true
}

/** Each change of one that counts behind those before it. */
async function amendBy(log: EventLog, stream: string, wishes: readonly AmendWish[]): Promise<boolean> {
  let ids = await idsIn(log, stream)
  const amendments: Amendment[] = []
  for (const { kind, one, other, event } of wishes) {
    const eventId = ids[one % (ids.length || 1)]
    const amendment = amendmentOf({ kind, event, eventId, after: ids[other % (ids.length + 1)] ?? null })
    if (!amendment) continue
    amendments.push(amendment)
    ids = ids.filter(id => !('eventId' in amendment) || id !== amendment.eventId)
  }
  if (amendments.length === 0) return false
  await createEventStore(log).amendStream(stream, amendments, { reason: 'for a test' })
  return true
}

function amendmentOf(
  wish: Pick<AmendWish, 'kind' | 'event'> & Readonly<{ eventId: string | undefined; after: string | null }>,
): Amendment | null {
  const { kind, event: said, eventId, after } = wish
  const event = { type: 'A', ...said }
  if (kind === 'insert') return { kind, after, event }
  if (eventId === undefined) return null
  if (kind === 'move') return eventId === after ? null : { kind, eventId, after }
  return kind === 'remove' ? { kind, eventId } : { kind, eventId, event }
}

export const idsIn = async (log: EventLog, stream: string): Promise<string[]> =>
  (await eventsIn(log, stream)).map(({ metadata }) => metadata.eventId)

/**
 * Ids in the order in which events count at a version of the stream, by what was recorded and what amendments say.
 * Nothing must have been erased.
 */
export async function orderBelieved(
  log: EventLog,
  stream: string,
  through = Infinity,
): Promise<readonly string[]> {
  const recorded = await eventsIn(log, stream, 'recorded')
  const list: string[] = []
  const recordThrough = (version: number) => {
    while (recorded[0] && recorded[0].metadata.streamVersion <= version)
      list.push(recorded.shift()!.metadata.eventId)
  }
  for (const { streamVersion, changes } of await log.amendments(stream)) {
    if (streamVersion > through) break
    recordThrough(streamVersion)
    for (const { eventId: item, ...change } of changes) changeList(list, { item, ...change })
  }
  recordThrough(through)
  return list
}

export async function eventsIn(
  log: EventLog,
  stream: string,
  order: ReadOrder = 'effective',
): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const part of log.readStream(stream, { order })) events.push(...part)
  return events
}
