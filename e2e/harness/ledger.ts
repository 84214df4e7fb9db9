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

export type Told = Readonly<{
  /** Before it is written, and waited for: of those that were not acknowledged nobody knows. */
  attempted?: (line: LedgerLine) => unknown
  acknowledged: (line: LedgerLine) => void
}>

/**
 * Writes until so many events were acknowledged. A command that was refused or idle at once is not counted, since
 * nothing was acknowledged.
 */
export async function writeLedger(
  store: StoreClient<HarnessApp>,
  { who, events, seed, first = 0 }: Writing,
  { attempted, acknowledged }: Told,
): Promise<void> {
  const random = randomFrom(seed)
  let written = 0
  for (let n = first; written < events; n++) {
    const { line, write } = nextCommit(store, { who, n, most: events - written, random })
    await attempted?.(line)
    if (!(await write())) continue
    written += line.eventIds.length
    acknowledged(line)
  }
}

type Choice = Readonly<{ who: string; n: number; most: number; random: () => number }>

/** `write` gives false when nothing was to be written. */
type NextCommit = Readonly<{ line: LedgerLine; write: () => Promise<boolean> }>

function nextCommit(store: StoreClient<HarnessApp>, { who, n, most, random }: Choice): NextCommit {
  const upTo = (end: number): number => Math.floor(random() * end)
  const way = WAYS[upTo(WAYS.length)]!
  const shared = `text-${upTo(2)}`
  const count = Math.min(way === 'many streams' ? 3 : 1 + upTo(3), most)
  const events = Array.from({ length: count }, (): Wrote & { id: string } => ({
    type: 'Wrote',
    id: crypto.randomUUID(),
    data: { by: who, n },
  }))
  const subject = upTo(SUBJECTS)
  const command = { way, eventIds: [events[0]!.id], n, subject }
  const append = { way, eventIds: events.map(({ id }) => id), n, subject: null }
  const about = { by: who, n }
  switch (way) {
    case 'command': {
      const wish = { type: 'TakeSeat', data: { seat: subject, ...about } } as const
      const take = () => store.execute('hall', 'a', wish, { commandId: events[0]!.id })
      return { line: command, write: () => isDone(take()) }
    }
    case 'command that may be idle': {
      const wish = { type: 'NameTopic', data: { topic: subject, ...about } } as const
      const write = async (): Promise<boolean> => {
        await store.execute('agenda', 'a', wish, { commandId: events[0]!.id })
        // Null for an id that the log never had: another one was first, and heard of.
        return (await store.sync.progressOf(command.eventIds))[0] !== null
      }
      return { line: command, write }
    }
    case 'own':
      return { line: append, write: () => isDone(store.appendToStream(`own-${who}`, events)) }
    case 'many streams': {
      const streams = [`own-${who}`, shared, `pair-${who}`]
      const appends = events.map((event, i) => ({ streamName: streams[i]!, events: [event] }))
      return { line: append, write: () => isDone(store.appendToStreams(appends)) }
    }
    default: {
      const onConflict = way === 'merge' ? ({ merge: 'weave' } as const) : way
      return { line: append, write: () => isDone(store.appendToStream(shared, events, { onConflict })) }
    }
  }
}

/** False for a command that was refused. */
async function isDone(result: Promise<unknown>): Promise<boolean> {
  try {
    await result
    return true
  } catch (error) {
    if (isStoreError(error, 'command-refused')) return false
    throw error
  }
}

/** As many seats, and topics: few enough that two devices want the same now and then. */
const SUBJECTS = 400

const WAYS: readonly Way[] = [
  'reappend',
  'reject',
  'merge',
  'command',
  'command that may be idle',
  'own',
  'many streams',
]

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

/** All that the log has of it, in its order. */
async function readLedger(store: StoreClient<HarnessApp>): Promise<Kept[]> {
  const kept: Kept[] = []
  for await (const { data, metadata } of store.readAll({ order: 'recorded' })) {
    const { eventId, streamName, hash, status } = metadata
    const { by, n, seat, topic } = data as { by: string; n: number; seat?: number; topic?: number }
    kept.push({ eventId, streamName, hash, status, by, n, subject: seat ?? topic ?? null })
  }
  return kept
}
