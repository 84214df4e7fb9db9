// A device that writes in every way there is, by seed, and gives account of what it was told is kept.

import { isStoreError, type Rejection, type StoreClient } from 'streamdingo'
import type { HarnessApp } from './app.ts'
import type { Wrote } from './ledger-app.ts'
import { randomFrom } from './random-from.ts'

/** How a commit was written, which says what may become of it when it meets others. */
export type Way =
  | 'reappend'
  | 'reject'
  | 'merge'
  | 'command'
  | 'command that may be idle'
  | 'own'
  | 'many streams'

/** One commit that was acknowledged. */
export type LedgerLine = Readonly<{
  way: Way
  eventIds: readonly string[]
  n: number
  /** The seat or topic of a command. */
  subject: number | null
}>

/** An event as the log has it. */
export type Kept = Readonly<{
  eventId: string
  streamName: string
  hash: string
  status: string
  by: string
  n: number
  /** Of a seat or topic. */
  subject: number | null
}>

export type Writing = Readonly<{ who: string; events: number; seed: number; first?: number }>

/**
 * Writes until so many events were acknowledged. A command that was refused or idle at once is not counted, since
 * nothing was acknowledged. Of each commit it tells as soon as it is acknowledged.
 */
export async function writeLedger(
  store: StoreClient<HarnessApp>,
  { who, events, seed, first = 0 }: Writing,
  onAcknowledged: (line: LedgerLine) => void,
): Promise<void> {
  const random = randomFrom(seed)
  const upTo = (most: number): number => Math.floor(random() * most)
  let written = 0
  for (let n = first; written < events; n++) {
    const line = await writeOne(store, { who, n, most: events - written, upTo })
    if (line === null) continue
    written += line.eventIds.length
    onAcknowledged(line)
  }
}

type OneWriting = Readonly<{ who: string; n: number; most: number; upTo: (most: number) => number }>

async function writeOne(
  store: StoreClient<HarnessApp>,
  { who, n, most, upTo }: OneWriting,
): Promise<LedgerLine | null> {
  const way = WAYS[upTo(WAYS.length)]!
  const shared = `text-${upTo(2)}`
  const wrote = (count: number): (Wrote & { id: string })[] =>
    Array.from({ length: Math.min(count, most) }, () => ({
      type: 'Wrote',
      id: crypto.randomUUID(),
      data: { by: who, n },
    }))
  const lineOf = (events: readonly { id: string }[], subject: number | null = null): LedgerLine => ({
    way,
    eventIds: events.map(({ id }) => id),
    n,
    subject,
  })
  const commandId = crypto.randomUUID()
  const about = { by: who, n }
  switch (way) {
    case 'reappend':
    case 'reject':
    case 'merge': {
      const events = wrote(1 + upTo(3))
      const onConflict = way === 'merge' ? ({ merge: 'weave' } as const) : way
      await store.appendToStream(shared, events, { onConflict })
      return lineOf(events)
    }
    case 'own': {
      const events = wrote(1 + upTo(3))
      await store.appendToStream(`own-${who}`, events)
      return lineOf(events)
    }
    case 'many streams': {
      const events = wrote(3)
      const streams = [`own-${who}`, shared, `pair-${who}`]
      const appends = events.map((event, i) => ({ streamName: streams[i]!, events: [event] }))
      await store.appendToStreams(appends)
      return lineOf(events)
    }
    case 'command': {
      const seat = upTo(SEATS)
      const command = { type: 'TakeSeat', data: { seat, ...about } } as const
      const isDone = await done(store.execute('hall', 'a', command, { commandId }))
      return isDone ? lineOf([{ id: commandId }], seat) : null
    }
    case 'command that may be idle': {
      const topic = upTo(TOPICS)
      const command = { type: 'NameTopic', data: { topic, ...about } } as const
      const before = await store.readStream('agenda-a')
      const { nextExpectedStreamVersion } = await store.execute('agenda', 'a', command, { commandId })
      return nextExpectedStreamVersion > before.currentStreamVersion
        ? lineOf([{ id: commandId }], topic)
        : null
    }
  }
}

async function done(result: Promise<unknown>): Promise<boolean> {
  try {
    await result
    return true
  } catch (error) {
    if (isStoreError(error, 'command-refused')) return false
    throw error
  }
}

const [SEATS, TOPICS] = [400, 400]

const WAYS: readonly Way[] = [
  'reappend',
  'reject',
  'merge',
  'command',
  'command that may be idle',
  'own',
  'many streams',
]

/** All that the log has of it, in its order. */
export async function readLedger(store: StoreClient<HarnessApp>): Promise<Kept[]> {
  const kept: Kept[] = []
  for await (const { data, metadata } of store.readAll({ order: 'recorded' })) {
    const { eventId, streamName, hash, status } = metadata
    const { by, n, seat, topic } = data as { by: string; n: number; seat?: number; topic?: number }
    kept.push({ eventId, streamName, hash, status, by, n, subject: seat ?? topic ?? null })
  }
  return kept
}

/** What a device has at rest, to be compared with what another one has. */
export async function accountOf(store: StoreClient<HarnessApp>) {
  const kept = await readLedger(store)
  const stateHashes: Record<string, string> = {}
  for (const streamName of new Set(kept.map(one => one.streamName))) {
    stateHashes[streamName] = (await store.projection('account').get(streamName))!.stateHash
  }
  const rejections: readonly Rejection[] = await store.rejections()
  return {
    kept,
    stateHashes,
    rejections,
    verified: await store.verify(),
    status: store.sync.status().getSnapshot(),
  }
}
