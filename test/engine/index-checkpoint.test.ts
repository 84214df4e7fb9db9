import { afterEach, describe, expect, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { SEGMENT_POSITIONS } from '../../src/engine/index-checkpoint.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import type { Amendment } from '../../src/model/amendment.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { count, openDevice, openServer, pull, sync } from './replay/replicas.ts'

const COUNT = SEGMENT_POSITIONS * 2 + 1_000
const BATCH = 2_000
const SEGMENT = 'index/streams/0000000001'
const IDS = 'index/ids/0000000001'

const logs: EventLog[] = []
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close()
})

const batchFrom = (first: number) =>
  encodeEvents(Array.from({ length: BATCH }, (_, i) => ({ type: 'Counted', data: first + i })))

/** A closed log of three segments, and the batch that each stream got. */
async function fill() {
  const database = createMemoryDatabase()
  const log = await openLog({ storage: memoryStorage({ database }), storeId: 's' })
  const batches = []
  for (let first = 0; first < COUNT; first += BATCH) {
    const batch = batchFrom(first)
    batches.push(batch)
    await log.append({ appends: [{ streamName: `s-${first}`, expectedStreamVersion: 0, batch }] })
  }
  const head = log.head()
  await log.close()
  return { database, batches, head }
}

/** Opens again, and tells how many blocks were read for it. */
async function reopen(storage: LogStorage, storeId = 's') {
  let blocks = 0
  const read: LogStorage['read'] = async range => {
    const stored = await storage.read(range)
    blocks += stored.length
    return stored
  }
  const log = await openLog({ storage: wrapStorage(storage, { read }), storeId })
  logs.push(log)
  return { log, blocks }
}

async function expectWhole({ log }: { log: EventLog }, { batches, head }: Awaited<ReturnType<typeof fill>>) {
  expect(log.head()).toBe(head)
  for (const [i, batch] of batches.entries()) {
    const streamName = `s-${i * BATCH}`
    expect(log.streamVersion(streamName)).toBe(BATCH)
    const [again] = await log.append({ appends: [{ streamName, expectedStreamVersion: 0, batch }] })
    expect(again).toMatchObject({ idempotent: true, nextExpectedStreamVersion: BATCH })
  }
  expect(log.head()).toBe(head)
}

describe('opening from the saved index', () => {
  test('reads no more of the log than its end, and knows every stream and id', async () => {
    const filled = await fill()
    const opened = await reopen(memoryStorage({ database: filled.database }))
    expect(opened.blocks).toBeLessThan(5)
    await expectWhole(opened, filled)
  })

  test('knows what is pending: all of it on a device that never synced, nothing at the authority', async () => {
    const { database } = await fill()
    for (const [isAuthority, pending] of [
      [false, COUNT - (COUNT % BATCH) + BATCH],
      [true, 0],
    ] as const) {
      const log = await openLog({ storage: memoryStorage({ database }), storeId: 's', isAuthority })
      expect(log.pendingCount()).toBe(pending)
      await log.close()
    }
  })

  test('streams go on behind what was restored, each in its own place', async () => {
    const { database, batches, head } = await fill()
    const { log } = await reopen(memoryStorage({ database }))
    const streams = batches.map((_, i) => `s-${i * BATCH}`)
    for (const streamName of [...streams, ...streams]) {
      const batch = encodeEvents([{ type: 'Counted', data: streamName }])
      await log.append({ appends: [{ streamName, expectedStreamVersion: 'STREAM_EXISTS', batch }] })
    }
    for (const [i, streamName] of streams.entries()) {
      const positions: number[] = []
      for await (const part of log.readStream(streamName)) {
        positions.push(...part.map(({ metadata }) => metadata.globalPosition))
      }
      const restored = Array.from({ length: BATCH }, (_, n) => i * BATCH + n + 1)
      expect(positions).toEqual([...restored, head + i + 1, head + streams.length + i + 1])
    }
  })

  test('a damaged segment is passed by: the log is read instead', async () => {
    const filled = await fill()
    const storage = memoryStorage({ database: filled.database })
    const bytes = (await openedStorage(storage).get(SEGMENT))!
    bytes[100]! ^= 1
    await storage.put({ [SEGMENT]: bytes })
    const opened = await reopen(storage)
    expect(opened.blocks).toBeGreaterThan(20)
    await expectWhole(opened, filled)
  })

  test('a missing segment, too', async () => {
    const filled = await fill()
    const storage = memoryStorage({ database: filled.database })
    await openedStorage(storage).put({ [SEGMENT]: null })
    await expectWhole(await reopen(storage), filled)
  })

  test('ids that are damaged or missing are read from the log, and nothing else is', async () => {
    for (const damage of [(bytes: Uint8Array<ArrayBuffer>) => bytes.fill(7, 100, 101), () => null]) {
      const filled = await fill()
      const storage = memoryStorage({ database: filled.database })
      const bytes = (await openedStorage(storage).get(IDS))!
      await storage.put({ [IDS]: damage(bytes) })
      const opened = await reopen(storage)
      expect(opened.blocks).toBeLessThan(5)
      await expectWhole(opened, filled)
    }
  })

  test('ids are not read before a view, and a write waits for them', async () => {
    const filled = await fill()
    const storage = memoryStorage({ database: filled.database })
    let isReadable = false
    const get: LogStorage['get'] = async key => {
      if (key === IDS && !isReadable) throw new Error('not now')
      return storage.get(key)
    }
    const errors: Error[] = []
    const log = await openLog({
      storage: wrapStorage(storage, { get }),
      storeId: 's',
      onBackgroundError: error => errors.push(error),
    })
    logs.push(log)
    expect(log.streamVersion('s-0')).toBe(BATCH)
    const batch = filled.batches[0]!
    const append = () => log.append({ appends: [{ streamName: 's-0', expectedStreamVersion: 0, batch }] })
    await expect(append()).rejects.toThrow('not now')
    isReadable = true
    expect(await append()).toMatchObject([{ idempotent: true }])
  })

  test('what was saved of another log is not taken for this one', async () => {
    const [filled, other] = [await fill(), await fill()]
    const storage = openedStorage(memoryStorage({ database: filled.database }))
    for (const [key, value] of await openedStorage(memoryStorage({ database: other.database })).list(
      'index/',
    )) {
      await storage.put({ [key]: value })
    }
    await expectWhole(await reopen(storage), filled)
  })

  test('a commit behind what was saved is read from the log', async () => {
    const filled = await fill()
    const storage = memoryStorage({ database: filled.database })
    const saved = await openedStorage(storage).list('index/')
    const log = await openLog({ storage, storeId: 's' })
    const batch = batchFrom(COUNT)
    await log.append({ appends: [{ streamName: 'late', expectedStreamVersion: 0, batch }] })
    await log.close()
    await openedStorage(storage).put(Object.fromEntries(saved))
    const { log: reopened } = await reopen(storage)
    expect(reopened.head()).toBe(filled.head + BATCH)
    expect(reopened.streamVersion('late')).toBe(BATCH)
  })
})

test('where amended events stand is known without the log, and the same as what the log says', async () => {
  const database = createMemoryDatabase()
  const [log, server] = [await openDevice(database), await openServer()]
  const amend = (on: EventLog, amendment: Amendment) =>
    createEventStore(on).amendStream('a', [amendment], { reason: 'for a test' })
  const read = async (from: EventLog) =>
    (await createEventStore(from).readStream('a')).events.map(({ data }) => data)
  await count(log, 'a', 1, 4)
  await sync(log, server)
  const [one, two, three, four] = (await createEventStore(log).readStream('a')).events.map(
    ({ metadata }) => metadata.eventId,
  )
  await amend(log, { kind: 'move', eventId: four!, after: one! })
  await amend(log, { kind: 'remove', eventId: two! })
  // Takes back both; the second cannot be made again.
  await amend(server, { kind: 'remove', eventId: two! })
  await pull(log, server)
  const { records } = log.order
  expect(records.map(({ supersededAt }) => supersededAt !== null)).toEqual([true, true, false, false])
  expect(await read(log)).toEqual([1, 4, 3])
  await log.close()

  const storage = openedStorage(memoryStorage({ database }))
  const saved = await storage.list('index/')
  expect(saved.length).toBeGreaterThan(2)
  const nothing = saved.map(([key]) => [key, null] as const)
  for (const values of [saved, nothing]) {
    await openedStorage(storage).put(Object.fromEntries(values))
    const { log: again } = await reopen(storage, 'shared')
    expect(again.order.records).toEqual(records)
    expect(await read(again)).toEqual([1, 4, 3])
    expect(await again.amendments('a')).toMatchObject([{ status: 'confirmed' }, { status: 'pending' }])
    await again.close()
  }
  const { log: last } = await reopen(storage, 'shared')
  await amend(last, { kind: 'move', eventId: three!, after: null })
  expect(await read(last)).toEqual([3, 1, 4])
})

function openedStorage(storage: LogStorage): LogStorage {
  void storage.open()
  return storage
}
