// Changes stored bytes one at a time, at seeded places, and says what the log makes of each: through the real IndexedDB.

import type { App } from 'streamdingo'
import { createEventStore, type EventLog, openLog } from 'streamdingo/server'
import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { randomFrom } from './random-from.ts'

const STORE = 'corruption'
const EVENTS = 600

/** How often each thing came of a change. */
export type Outcomes = Readonly<{
  /** By what was changed and what was said of it, such as `block: verify hash-mismatch`. */
  counts: Readonly<Record<string, number>>
  /** Changes that were not noticed, named the wrong place, or changed what is read: where, and what came of it. */
  wrong: readonly string[]
}>

const app = {
  deciders: {
    tally: {
      streamName: () => 's0',
      initialState: () => ({ count: 0, sum: 0 }),
      evolve: (state: { count: number; sum: number }, { data }: { data: unknown }) => ({
        count: state.count + 1,
        sum: state.sum + (data as { n: number }).n,
      }),
      decide: () => [],
      snapshot: { every: 20 },
    },
  },
} satisfies App

/** The state of a stream, by its decider. */
async function look(log: EventLog): Promise<string> {
  const command = { type: 'Look', data: null }
  const { state } = await log.execute({ decider: 'tally', id: '', command, commandId: crypto.randomUUID() })
  return JSON.stringify(state)
}

type Target = Readonly<{
  store: 'blocks' | 'values'
  key: IDBValidKey
  bytes: Uint8Array
  first: number
  last: number
}>

export async function corrupt(seed: number, changes: number): Promise<Outcomes> {
  const name = `corruption-${seed}`
  const open = (): Promise<EventLog> => openLog({ storage: indexedDbStorage({ name }), storeId: STORE, app })
  const truth = await prepare(open)
  const database = await resultOf(indexedDB.open(name))
  const targets = await readTargets(database, truth)
  const random = randomFrom(seed)
  const counts: Record<string, number> = {}
  const wrong: string[] = []
  for (let n = 0; n < changes; n++) {
    const target = pick(targets, random)
    const at = Math.floor(random() * target.bytes.length)
    const bytes = target.bytes.slice()
    // A single bit, or a whole byte.
    bytes[at]! ^= random() < 0.5 ? 1 << Math.floor(random() * 8) : 1 + Math.floor(random() * 255)
    await write(database, target, bytes)
    const { outcome, isRight } = await judge(open, target, truth)
    const kind = target.store === 'blocks' ? 'block' : String(target.key).split('/')[0]
    counts[`${kind}: ${outcome}`] = (counts[`${kind}: ${outcome}`] ?? 0) + 1
    if (!isRight) wrong.push(`${target.store} ${target.key}, byte ${at} of ${bytes.length}: ${outcome}`)
    await restore(database, targets)
  }
  database.close()
  return { counts, wrong }
}

type Truth = Readonly<{ events: string; root: string; head: number; state: string; erased: string }>

/** Several blocks with erased events, a saved index, roots of tiles, a checkpoint, snapshots, a list of erasures. */
async function prepare(open: () => Promise<EventLog>): Promise<Truth> {
  const log = await open()
  const store = createEventStore(log)
  for (let n = 0; n < EVENTS; n += 60) {
    const events = Array.from({ length: 60 }, (_, i) => ({
      type: 'Said',
      data: { n: n + i, text: 'x'.repeat(40) },
    }))
    await store.appendToStream(`s${n % 7}`, events)
  }
  for (const position of [100, 101, 430]) {
    for await (const { metadata } of store.readAll({ from: position, to: position })) {
      await store.eraseEvent(metadata.eventId)
    }
  }
  // A command that decides nothing has the state folded, and snapshots of it kept.
  await look(log)
  await store.checkpoint()
  const truth = await readTruth(log)
  await log.close()
  return truth
}

async function readTruth(log: EventLog): Promise<Truth> {
  const events: string[] = []
  for await (const part of log.readAll()) {
    for (const { data, metadata } of part) events.push(`${metadata.hash} ${JSON.stringify(data)}`)
  }
  const head = log.head()
  const root = String(await log.proofs.treeRoot(head))
  const erased = JSON.stringify(log.erasures.list())
  return { events: events.join('\n'), root, head, state: await look(log), erased }
}

async function judge(
  open: () => Promise<EventLog>,
  target: Target,
  truth: Truth,
): Promise<{ outcome: string; isRight: boolean }> {
  let log: EventLog
  try {
    log = await open()
  } catch (error) {
    return failureOf('opening', error, target)
  }
  try {
    const report = await log.verify()
    if (report.ok) {
      // What is only kept beside the log may be damaged unseen, as long as nothing that is read is another thing.
      const isSame = JSON.stringify(await readTruth(log)) === JSON.stringify(truth)
      const isRight = target.store === 'values' && isSame
      return { outcome: 'made anew', isRight }
    }
    const isThere = report.at >= target.first && report.at <= target.last
    const read = await readTruth(log).then(
      ({ events }) => events === truth.events,
      error => error.code === 'log-damaged',
    )
    return { outcome: `verify ${report.problem}`, isRight: isThere && read }
  } catch (error) {
    return failureOf('verifying', error, target)
  } finally {
    await log.close()
  }
}

function failureOf(doing: string, error: unknown, { store, first, last }: Target) {
  const { code, facts } = error as { code?: string; facts?: { position?: number } }
  const position = facts?.position ?? 0
  const isForeseen = code === 'log-damaged' || code === 'unsupported-format'
  const isRight = store === 'blocks' && isForeseen && position >= first && position <= last
  return { outcome: `${doing} ${code ?? String(error)}`, isRight }
}

async function readTargets(database: IDBDatabase, truth: Truth): Promise<Target[]> {
  const transaction = database.transaction(['blocks', 'values'])
  const [blocks, values] = [transaction.objectStore('blocks'), transaction.objectStore('values')]
  const [stored, keys, kept] = await Promise.all([
    resultOf(blocks.getAll()),
    resultOf(values.getAllKeys()),
    resultOf(values.getAll()),
  ])
  return [
    ...stored.map(({ firstPosition, lastPosition, bytes }) => ({
      store: 'blocks' as const,
      key: lastPosition,
      bytes,
      first: firstPosition,
      last: lastPosition,
    })),
    ...keys.map((key, i) => ({ store: 'values' as const, key, bytes: kept[i], first: 1, last: truth.head })),
  ]
}

/** Each block or value as likely as any other, however large it is. */
const pick = (targets: readonly Target[], random: () => number): Target =>
  targets[Math.floor(random() * targets.length)]!

function write(database: IDBDatabase, target: Target, bytes: Uint8Array): Promise<void> {
  const { store, key, first, last } = target
  return inTransaction(database, ([blocks, values]) => {
    if (store === 'values') values.put(bytes, key)
    else blocks.put({ firstPosition: first, lastPosition: last, bytes })
  })
}

/** All of it: what was damaged may have been made anew, and more with it. */
function restore(database: IDBDatabase, targets: readonly Target[]): Promise<void> {
  return inTransaction(database, ([blocks, values]) => {
    values.clear()
    for (const { store, key, bytes, first, last } of targets) {
      if (store === 'values') values.put(bytes, key)
      else blocks.put({ firstPosition: first, lastPosition: last, bytes })
    }
  })
}

function inTransaction(
  database: IDBDatabase,
  work: (stores: readonly [IDBObjectStore, IDBObjectStore]) => void,
): Promise<void> {
  const transaction = database.transaction(['blocks', 'values'], 'readwrite')
  work([transaction.objectStore('blocks'), transaction.objectStore('values')])
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () => reject(transaction.error))
  })
}

export function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error))
  })
}
