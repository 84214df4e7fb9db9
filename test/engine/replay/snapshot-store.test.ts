import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { readKey } from '../../../src/engine/replay/snapshot-key.ts'
import {
  contentFromBytes,
  type FoldSnapshot,
  headerFromBytes,
  type SnapshotForm,
  type SnapshotOwner,
  sealSnapshot,
  snapshotToBytes,
} from '../../../src/engine/replay/snapshot-record.ts'
import { type SnapshotDrop, SnapshotStore } from '../../../src/engine/replay/snapshot-store.ts'
import { type SnapshotTerms, termsOf } from '../../../src/engine/replay/snapshot-terms.ts'
import {
  createStateSeal,
  generateSealKey,
  SEAL_BYTES,
  type StateSeal,
} from '../../../src/integrity/state-seal.ts'
import { StorageFailed } from '../../../src/log/errors.ts'
import { jsonCodec } from '../../../src/model/snapshot-codec.ts'
import type { KeyValues, LogStorage } from '../../../src/storage/log-storage.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { append, count, foldLogOf, openDevice, openServer, pull, sync } from './replicas.ts'

const OWNER: SnapshotOwner = { kind: 'projection', name: 'board', streamName: 'a' }
const ALL: SnapshotOwner = { kind: 'projection', name: 'board', streamName: null }
const { hash, today } = await openDevice()
const form: SnapshotForm = { hash, codec: jsonCodec }
const termsIn = (version: string): SnapshotTerms =>
  termsOf({ version, initialState: () => null, evolve: () => null }, { hash, today })
const terms = termsIn('1')
const seal = createStateSeal(await generateSealKey(), 'test')

async function openStore(log?: EventLog, database = createMemoryDatabase()) {
  const opened = log ?? (await openDevice(database))
  const drops: SnapshotDrop[] = []
  const puts: KeyValues[] = []
  const lists: string[] = []
  const problems = () => drops.map(({ problem }) => problem)
  const storage = {
    get: (key: string) => opened.storage.get(key),
    list: (prefix: string) => {
      lists.push(prefix)
      return opened.storage.list(prefix)
    },
    keys: (prefix: string, limit: number) => opened.storage.keys(prefix, limit),
    swap: (...args: Parameters<LogStorage['swap']>) => opened.storage.swap(...args),
    put: (values: KeyValues) => {
      puts.push(values)
      return opened.storage.put(values)
    },
  }
  const store = new SnapshotStore({
    log: foldLogOf(opened, { storage }),
    onSnapshotDropped: drop => drops.push(drop),
  })
  return { log: opened, database, store, drops, puts, lists, problems }
}

/** A snapshot on the event of a stream at a version. */
async function snapshotAt(log: EventLog, version: number, streamName = 'a'): Promise<FoldSnapshot> {
  for await (const [event] of log.readStream(streamName, { from: version, to: version })) {
    const { globalPosition, hash } = event!.metadata
    return {
      version,
      position: globalPosition,
      eventHash: hash,
      erasures: 0,
      amendedAt: 0,
      types: new Map([['Counted', globalPosition]]),
      state: { at: version },
      facts: null,
    }
  }
  throw new Error('no such event')
}

const snapshotKeys = (database: { values: ReadonlyMap<string, unknown> }) =>
  [...database.values.keys()].filter(key => key.startsWith('snapshot/')).sort()

/** As somebody writes it who knows the format, but has no key. */
const withDigest = (log: EventLog, text: Uint8Array): Uint8Array<ArrayBuffer> =>
  new Uint8Array([...log.hash.digest(text), ...new Uint8Array(SEAL_BYTES), ...text])

/** A log of 40 events in the stream a, with snapshots at 10, 20 and 30. */
async function openWithSnapshots(seal?: StateSeal) {
  const database = createMemoryDatabase()
  const opened = await openStore(await openDevice(database, seal), database)
  await count(opened.log, 'a', 1, 40)
  for (const version of [10, 20, 30]) {
    opened.store.save(OWNER, terms, await snapshotAt(opened.log, version))
  }
  await opened.store.flush()
  const [oldest, middle, newest] = snapshotKeys(opened.database)
  return { ...opened, oldest: oldest!, middle: middle!, newest: newest! }
}

const load = async (store: SnapshotStore, options = {}) =>
  (await store.load(OWNER, terms, options))?.version ?? null

describe('the newest snapshot', () => {
  test('is used, and none is dropped', async () => {
    const { store, problems } = await openWithSnapshots()
    expect(await store.load(OWNER, terms)).toMatchObject({ version: 30, state: { at: 30 } })
    expect(problems()).toEqual([])
  })

  test('at or before a version or a position is used', async () => {
    const { store } = await openWithSnapshots()
    expect(await load(store, { maxVersion: 29 })).toBe(20)
    expect(await load(store, { maxVersion: 30 })).toBe(30)
    expect(await load(store, { maxPosition: 10 })).toBe(10)
    expect(await load(store, { maxPosition: 9 })).toBe(null)
  })

  test('is found in the log as another handle of it sees it', async () => {
    const { database } = await openWithSnapshots()
    const { store } = await openStore(undefined, database)
    expect(await load(store)).toBe(30)
  })

  test('is looked up only for a document that may have one', async () => {
    const { log, store, database, lists } = await openStore()
    const others = Array.from({ length: 50 }, (_, n) => ({ ...OWNER, streamName: `other-${n}` }))
    for (const owner of others) expect(await store.load(owner, terms)).toBeNull()
    expect(lists).toEqual([])
    await count(log, 'a', 1, 10)
    store.save(OWNER, terms, await snapshotAt(log, 10))
    expect(await load(store)).toBe(10)
    expect(await load((await openStore(log, database)).store)).toBe(10)
  })

  test('is found where the projection has too many to know them all', async () => {
    const { log, store } = await openStore()
    await count(log, 'a', 1, 10)
    store.save(OWNER, terms, await snapshotAt(log, 10))
    await store.flush()
    const many = Array.from({ length: 25_001 }, (_, n) => [
      `snapshot/projection/board/_${n}/0/0`,
      new Uint8Array(),
    ])
    await log.storage.put(Object.fromEntries(many))
    expect(await load((await openStore(log)).store)).toBe(10)
  })

  test('is none where none was saved', async () => {
    const { store } = await openStore()
    expect(await load(store)).toBe(null)
  })
})

/** The same snapshot with some of it changed, and all hashes mended. */
async function forged(
  bytes: Uint8Array<ArrayBuffer>,
  { owner = OWNER, state }: { owner?: SnapshotOwner; state?: unknown },
): Promise<Uint8Array<ArrayBuffer>> {
  const header = headerFromBytes(bytes, form)
  if (typeof header === 'string') throw new Error(header)
  const content = await contentFromBytes(bytes, header, form)
  if (typeof content === 'string') throw new Error(content)
  const types = new Map(header.types.map(([type, last]) => [type, last]))
  const { version, position, eventHash, erasures, amendedAt } = header
  const place = { version, position, eventHash, erasures, amendedAt }
  const snapshot = { ...place, ...content, types, ...(state !== undefined && { state }) }
  return snapshotToBytes(owner, snapshot, terms.code, form)
}

describe('a snapshot that does not hold is dropped, reported, and the next older one is used:', () => {
  test('any byte of it changed', async () => {
    const { database, newest, log } = await openWithSnapshots()
    const bytes = database.values.get(newest)!
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice()
      changed[i]! ^= 1
      database.values.set(newest, changed)
      const { store, problems } = await openStore(log)
      expect(await load(store), `byte ${i}`).toBe(20)
      expect(problems(), `byte ${i}`).toEqual([i < 32 || i >= 64 ? 'damaged' : 'wrong-seal'])
    }
  })

  test('deleted for good', async () => {
    const { database, newest, middle, oldest, store } = await openWithSnapshots()
    database.values.set(newest, new Uint8Array([1, 2, 3]))
    await load(store)
    await store.flush()
    expect(snapshotKeys(database)).toEqual([oldest, middle])
  })

  test('cut short, empty, or something else with a right digest', async () => {
    const { database, newest, log } = await openWithSnapshots()
    const bytes = database.values.get(newest)!
    const text = new TextEncoder().encode('null')
    const other = withDigest(log, text)
    for (const changed of [bytes.slice(0, -1), bytes.slice(0, 20), new Uint8Array(), other]) {
      database.values.set(newest, changed)
      const { store, problems } = await openStore(log)
      expect(await load(store)).toBe(20)
      expect(problems()).toEqual(['damaged'])
    }
  })

  test('another state under the same hash', async () => {
    const { database, newest, log, store, problems } = await openWithSnapshots()
    const bytes = database.values.get(newest)!
    const text = new TextEncoder().encode(
      new TextDecoder('latin1').decode(bytes.subarray(64)).replace('"at":30', '"at":31'),
    )
    database.values.set(newest, withDigest(log, text))
    expect(await load(store)).toBe(20)
    expect(problems()).toEqual(['damaged'])
  })

  test('another state, all hashes mended, but without the seal of this device', async () => {
    const { database, newest, log } = await openWithSnapshots(seal)
    expect(await load((await openStore(log)).store)).toBe(30)
    const unsealed = await forged(database.values.get(newest)!, { state: { at: 31 } })
    const bySomebodyElse = unsealed.slice()
    await sealSnapshot(bySomebodyElse, createStateSeal(await generateSealKey(), 'test'))
    const withOldSeal = unsealed.slice()
    withOldSeal.set(database.values.get(newest)!.subarray(32, 64), 32)
    for (const [bytes, problem] of [
      [unsealed, 'unsealed'],
      [bySomebodyElse, 'wrong-seal'],
      [withOldSeal, 'wrong-seal'],
    ] as const) {
      database.values.set(newest, bytes)
      const { store, problems } = await openStore(log)
      expect(await load(store)).toBe(20)
      expect(problems()).toEqual([problem])
    }
  })

  test('sealed by a device that this one is not any more', async () => {
    const { database } = await openWithSnapshots(seal)
    const { store, problems } = await openStore(await openDevice(database))
    expect(await load(store)).toBe(null)
    expect(problems()).toEqual(['wrong-seal', 'wrong-seal', 'wrong-seal'])
  })

  test('transplanted from another stream, another projection, a decider, or all documents', async () => {
    const { database, newest, log } = await openWithSnapshots()
    await count(log, 'b', 1, 30)
    const bytes = database.values.get(newest)!
    const owners = [
      { ...OWNER, streamName: 'b' },
      { ...OWNER, name: 'other' },
      { ...OWNER, kind: 'decider' as const },
      ALL,
    ]
    for (const owner of owners) {
      database.values.set(newest, await forged(bytes, { owner }))
      const { store, problems } = await openStore(log)
      expect(await load(store)).toBe(20)
      expect(problems()).toEqual(['foreign'])
    }
  })

  test('put under the key of another version or position', async () => {
    const { database, middle, newest, log } = await openWithSnapshots()
    database.values.set(newest, database.values.get(middle)!)
    const { store, problems } = await openStore(log)
    expect(await load(store)).toBe(20)
    expect(problems()).toEqual(['foreign'])
  })

  test('on an event with another hash, at another place, or past the end of the log', async () => {
    const changes: ((good: FoldSnapshot, other: FoldSnapshot) => FoldSnapshot)[] = [
      (good, { eventHash }) => ({ ...good, eventHash }),
      good => ({ ...good, version: 34 }),
      good => ({ ...good, position: 36 }),
      good => ({ ...good, version: 99, position: 99 }),
    ]
    for (const change of changes) {
      const { log, store, problems } = await openWithSnapshots()
      const bad = change(await snapshotAt(log, 35), await snapshotAt(log, 34))
      store.save(OWNER, terms, bad)
      expect(await load(store)).toBe(30)
      expect(problems()).toEqual(['other-history'])
    }
  })

  test('of all documents, on an event with another hash', async () => {
    const { log, store, problems } = await openWithSnapshots()
    const good = await snapshotAt(log, 35)
    store.save(ALL, terms, good)
    store.save(ALL, terms, { ...(await snapshotAt(log, 38)), eventHash: good.eventHash })
    expect((await store.load(ALL, terms))?.version).toBe(35)
    expect(problems()).toEqual(['other-history'])
  })

  test('of a log that has gone another way', async () => {
    const { database } = await openWithSnapshots()
    const other = await openDevice()
    await count(other, 'a', 1, 40)
    for (const [key, bytes] of database.values) await other.storage.put({ [key]: bytes })
    const { store, problems } = await openStore(other)
    expect(await load(store)).toBe(null)
    expect(problems()).toEqual(['other-history', 'other-history', 'other-history'])
  })

  test('on an event that a rebase superseded', async () => {
    const [{ log, store, problems }, server] = [await openStore(), await openServer()]
    await count(log, 'a', 1, 10)
    await sync(log, server)
    await count(log, 'a', 11, 20)
    for (const version of [10, 20]) store.save(OWNER, terms, await snapshotAt(log, version))
    await append(server, 'a', { data: 'theirs' })
    await pull(log, server)
    expect(await load(store)).toBe(10)
    expect(problems()).toEqual(['superseded'])
  })
})

test('a snapshot that another tab made ahead of this one is used once the log has caught up', async () => {
  const { log, database } = await openStore()
  await count(log, 'a', 1, 10)
  const behind = await openStore(await openDevice(database))
  await count(log, 'a', 11, 20)
  const ahead = await openStore(log)
  ahead.store.save(OWNER, terms, await snapshotAt(log, 20))
  await ahead.store.flush()
  expect(behind.log.head()).toBe(10)
  expect(await load(behind.store)).toBe(20)
})

describe('writing', () => {
  test('puts all that waits into one write, that of many streams, too', async () => {
    const { log, store, puts } = await openStore()
    const names = ['a', 'b/c', 'ü', 'b%2Fc', '__proto__']
    for (const name of names) await count(log, name, 1, 10)
    for (const streamName of names) {
      store.save({ ...OWNER, streamName }, terms, await snapshotAt(log, 10, streamName))
    }
    await store.flush()
    expect(puts.map(values => Object.keys(values).length)).toEqual([names.length])
    for (const streamName of names) {
      expect(await store.load({ ...OWNER, streamName }, terms)).toMatchObject({
        position: (await snapshotAt(log, 10, streamName)).position,
      })
    }
  })

  test('happens by itself, soon', async () => {
    const { log, store, puts } = await openStore()
    await count(log, 'a', 1, 10)
    const written = new Promise<void>(resolve => {
      const push = puts.push.bind(puts)
      puts.push = (...values) => {
        resolve()
        return push(...values)
      }
    })
    store.save(OWNER, terms, await snapshotAt(log, 10))
    await written
  })

  test('keeps the newest three and some far back, and leaves out what newer ones replaced before it was written', async () => {
    const { log, database, store } = await openStore()
    await count(log, 'a', 1, 60)
    for (const version of [10, 20, 30, 40]) {
      store.save(OWNER, terms, await snapshotAt(log, version))
      await store.flush()
    }
    for (const version of [50, 60]) store.save(OWNER, terms, await snapshotAt(log, version))
    await store.flush()
    expect(snapshotKeys(database).map(key => readKey(key)!.version)).toEqual([10, 30, 40, 50, 60])
  })

  test('keeps one that no rebase can supersede', async () => {
    const [{ log, database, store }, server] = [await openStore(), await openServer()]
    await count(log, 'a', 1, 12)
    await sync(log, server)
    await count(log, 'a', 13, 60)
    const newestOnly = { ...terms, schedule: { ...terms.schedule, retention: { latest: 2, spaced: false } } }
    for (const version of [5, 10, 20, 30, 40, 50]) {
      store.save(OWNER, newestOnly, await snapshotAt(log, version))
    }
    await store.flush()
    expect(snapshotKeys(database).map(key => readKey(key)!.version)).toEqual([10, 40, 50])
  })

  test('that fails is reported, tried again only with the next one, and gives up no older one', async () => {
    const { log } = await openStore()
    await count(log, 'a', 1, 60)
    let isFull = false
    const storage = {
      get: (key: string) => log.storage.get(key),
      list: (prefix: string) => log.storage.list(prefix),
      keys: (prefix: string, limit: number) => log.storage.keys(prefix, limit),
      swap: (...args: Parameters<LogStorage['swap']>) => log.storage.swap(...args),
      put: async (values: KeyValues) => {
        if (isFull) throw new StorageFailed('quota', 'full')
        await log.storage.put(values)
      },
    }
    const drops: SnapshotDrop[] = []
    const store = new SnapshotStore({
      log: foldLogOf(log, { storage }),
      onSnapshotDropped: drop => drops.push(drop),
    })
    store.save(OWNER, terms, await snapshotAt(log, 10))
    await store.flush()
    isFull = true
    for (const version of [20, 30, 40, 50]) {
      store.save(OWNER, terms, await snapshotAt(log, version))
      await store.flush()
      expect(store.since(OWNER, terms, { version: 60, position: 60, msPerEvent: 1 }).events).toBe(
        60 - version,
      )
    }
    expect(drops).toMatchObject(
      [20, 30, 40, 50].map(position => ({
        position,
        problem: 'not-written',
        cause: { code: 'storage-failed' },
      })),
    )
    isFull = false
    expect(await load(store)).toBe(10)
  })

  test('refuses a state that JSON cannot carry, and writes the others', async () => {
    const { log, store, drops } = await openStore()
    await count(log, 'a', 1, 20)
    const bad = { ...(await snapshotAt(log, 20)), state: { when: new Map() } }
    store.save(OWNER, terms, await snapshotAt(log, 10))
    store.save(OWNER, terms, bad)
    await store.flush()
    expect(drops).toMatchObject([{ problem: 'not-written', cause: { facts: { path: 'state.when' } } }])
    expect(await load(store)).toBe(10)
  })

  test('of states that JSON cannot carry, however many, gives up no older one', async () => {
    const { log, store } = await openStore()
    await count(log, 'a', 1, 60)
    store.save(OWNER, terms, await snapshotAt(log, 10))
    for (const version of [20, 30, 40, 50]) {
      store.save(OWNER, terms, { ...(await snapshotAt(log, version)), state: undefined })
      await store.flush()
    }
    expect(await load(store)).toBe(10)
  })
})
