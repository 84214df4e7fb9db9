import { describe, expect, test } from 'vitest'
import { compactLog } from '../../../src/engine/compaction.ts'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { openLog } from '../../../src/engine/open-log.ts'
import { restoreLog } from '../../../src/engine/recovery/restore.ts'
import { createProjector, type Projector } from '../../../src/engine/replay/projector.ts'
import { verifyConsistency, verifyInclusion } from '../../../src/integrity/index.ts'
import { decodeBlock, sealedParts } from '../../../src/log/block.ts'
import { hexOf } from '../../../src/log/bytes.ts'
import { KIND_ERASED } from '../../../src/log/entry.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import { newEventId } from '../../../src/log/event-id.ts'
import { createSha256 } from '../../../src/log/sha256/create-sha256.ts'
import type { App } from '../../../src/model/app.ts'
import type { LogStorage } from '../../../src/storage/log-storage.ts'
import {
  createMemoryDatabase,
  type MemoryDatabase,
  memoryStorage,
} from '../../../src/storage/memory/index.ts'
import { placesOf } from '../../support/stored-text.ts'
import { wrapStorage } from '../../support/wrap-storage.ts'

const SECRET = 'the-name-of-somebody'
const storeId = 's'

const words = (state: readonly string[] | null, event: RecordedEvent): readonly string[] => [
  ...(state ?? []),
  (event.data as { text: string }).text,
]
const app = {
  deciders: {
    note: {
      streamName: (id: string) => `note-${id}`,
      initialState: () => [] as readonly string[],
      evolve: words,
      decide: (command: { type: 'Say'; data: { text: string } }) => ({ type: 'Said', data: command.data }),
    },
  },
  projections: {
    notes: {
      canHandle: ['Said'],
      initialState: () => null,
      evolve: words,
      snapshot: { every: 2 },
    },
    board: {
      canHandle: ['Said'],
      getDocumentId: () => 'all',
      initialState: () => null,
      evolve: words,
      snapshot: { every: 2 },
    },
  },
} as unknown as App

const openDevice = (
  database = createMemoryDatabase(),
  storage = memoryStorage({ database }),
): Promise<EventLog> => openLog({ storage, storeId, app })
const openServer = (database = createMemoryDatabase()): Promise<EventLog> =>
  openLog({ storage: memoryStorage({ database }), storeId, isAuthority: true })

/** Appends each text as an event of its own commit; returns their ids. */
async function say(log: EventLog, streamName: string, texts: readonly string[], metadata?: object) {
  const ids: string[] = []
  for (const text of texts) {
    const id = newEventId()
    ids.push(id)
    await createEventStore(log).appendToStream(streamName, [
      { type: 'Said', id, data: { text }, ...(metadata && { metadata }) },
    ])
  }
  return ids
}

const textsIn = async (log: EventLog, streamName: string): Promise<string[]> => {
  const { events } = await createEventStore(log).readStream(streamName)
  return events.map(({ data }) => (data as { text: string }).text)
}

async function exchange(device: EventLog, server: EventLog, epoch = 'e'): Promise<void> {
  for (const step of ['pull', 'push', 'pull']) {
    if (step === 'push') {
      const commits = (await device.pendingCommits(Infinity)).map(({ entries }) => entries)
      await server.admit(commits)
      await server.erasures.admitted(commits.flat())
      continue
    }
    const after = device.cursor().serverPosition
    const { commits, next } = await server.readCommits(after, Infinity)
    await device.applyRemote({ epoch, after, commits, next })
  }
}

describe('an erased event', () => {
  test('is gone from all that is stored, and every proof of before and after holds', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const [, id, , last] = await say(log, 'a', ['one', SECRET, 'three', 'four'])
    const before = await log.proofs.proveInclusion(id!)
    const heads = await log.streamHead('a')
    expect(placesOf(SECRET, database)).not.toEqual([])

    const erasure = await log.erasures.erase([id!], { reason: 'asked for' })
    expect(erasure).toMatchObject({ eventIds: [id], reason: 'asked for' })
    expect(placesOf(SECRET, database)).toEqual([])
    expect(log.erasures.list()).toEqual([erasure])

    expect(await log.streamHead('a')).toEqual(heads)
    await verifyInclusion(await log.proofs.proveInclusion(id!, before.treeSize))
    expect((await log.proofs.proveInclusion(last!, before.treeSize)).rootHash).toBe(before.rootHash)
    await verifyConsistency(await log.proofs.proveConsistency(before.treeSize))
    expect(await log.verify()).toMatchObject({ ok: true, events: 4 })
    await log.close()

    const again = await openDevice(database)
    expect(again.erasures.list()).toEqual([erasure])
    expect(await again.verify()).toMatchObject({ ok: true })
    await again.close()
  })

  test('is left out of reads, counted or not, in either direction, and versions stay', async () => {
    const log = await openDevice()
    const ids = await say(log, 'a', ['1', '2', '3', '4', '5', '6'])
    await log.erasures.erase([ids[1]!, ids[2]!, ids[5]!])
    const store = createEventStore(log)
    expect(await textsIn(log, 'a')).toEqual(['1', '4', '5'])
    const read = async (options: object) => {
      const { events, currentStreamVersion } = await store.readStream('a', options)
      expect(currentStreamVersion).toBe(6)
      return events.map(({ metadata }) => metadata.streamVersion)
    }
    expect(await read({ maxCount: 2 })).toEqual([1, 4])
    expect(await read({ maxCount: 2, direction: 'backwards' })).toEqual([5, 4])
    expect(await read({ from: 2, to: 3 })).toEqual([])
    expect(await read({ maxCount: 0 })).toEqual([])
    const all: number[] = []
    for await (const event of store.readAll({ maxCount: 3 })) all.push(event.metadata.streamVersion)
    expect(all).toEqual([1, 4, 5])
    expect(
      (await store.appendToStream('a', [{ type: 'Said', data: { text: '7' } }])).nextExpectedStreamVersion,
    ).toBe(7)
    await log.close()
  })

  test('is left out of states, in memory and in snapshots', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const projector = createProjector({ log, app, audit: { every: 1 } })
    const ids = await say(log, 'a', ['1', SECRET, '3', '4'])
    await say(log, 'b', ['5', '6'])
    const states = async (of: Projector) => [
      (await of.latest('notes', 'a'))?.state,
      (await of.latest('notes', 'b'))?.state,
      (await of.latest('board', 'all'))?.state,
    ]
    expect(await states(projector)).toEqual([
      ['1', SECRET, '3', '4'],
      ['5', '6'],
      ['1', SECRET, '3', '4', '5', '6'],
    ])
    let told = 0
    projector.watch('notes', 'a', () => told++, new AbortController().signal)
    await new Promise(resolve => setTimeout(resolve, 400))
    const snapshots = () => [...database.values.keys()].filter(key => key.startsWith('snapshot/'))
    expect(snapshots().some(key => key.includes('/a/'))).toBe(true)

    await log.erasures.erase([ids[1]!])
    expect(placesOf(SECRET, database)).toEqual([])
    expect(snapshots().filter(key => !key.includes('/b/'))).toEqual([])
    expect(snapshots()).not.toEqual([])
    expect(told).toBeGreaterThan(0)
    const without = [
      ['1', '3', '4'],
      ['5', '6'],
      ['1', '3', '4', '5', '6'],
    ]
    expect(await states(projector)).toEqual(without)
    await projector.close()
    expect(placesOf(SECRET, database)).toEqual([])
    expect(snapshots().some(key => key.includes('/a/'))).toBe(true)
    const afterwards = createProjector({ log, app })
    expect(await states(afterwards)).toEqual(without)
    await afterwards.close()
    await log.close()
  })

  test('whose handler failed no longer holds its document back', async () => {
    const failing = {
      ...app,
      projections: {
        notes: {
          canHandle: ['Said'],
          initialState: () => null,
          evolve: (state: string[] | null, event: RecordedEvent) => {
            if ((event.data as { text: string }).text === SECRET) throw new Error('cannot')
            return words(state, event)
          },
        },
      },
    } as unknown as App
    const log = await openDevice()
    const projector = createProjector({ log, app: failing })
    const ids = await say(log, 'a', ['1', SECRET, '3'])
    expect((await projector.latest('notes', 'a'))?.state).toEqual(['1'])
    await log.erasures.erase([ids[1]!])
    expect((await projector.latest('notes', 'a'))?.state).toEqual(['1', '3'])
    await projector.close()
    await log.close()
  })

  test('of a command takes the command with it, and is appended as it is when sync rebases it', async () => {
    const database = createMemoryDatabase()
    const [device, other, server] = [await openDevice(database), await openDevice(), await openServer()]
    await exchange(device, server)
    const commandId = newEventId()
    await device.execute({
      decider: 'note',
      id: '1',
      command: { type: 'Say', data: { text: SECRET } },
      commandId,
    })
    await device.execute({
      decider: 'note',
      id: '1',
      command: { type: 'Say', data: { text: 'kept' } },
      commandId: newEventId(),
    })
    await device.erasures.erase([commandId])
    expect(placesOf(SECRET, database)).toEqual([])
    await exchange(other, server)
    await say(other, 'note-1', ['first'])
    await exchange(other, server)
    await exchange(device, server)
    expect(await device.rejections()).toEqual([])
    expect(await textsIn(device, 'note-1')).toEqual(['first', 'kept'])
    expect(device.streamVersion('note-1')).toBe(3)
    expect(await device.verify()).toMatchObject({ ok: true })
    const again = await device.execute({
      decider: 'note',
      id: '1',
      command: { type: 'Say', data: { text: SECRET } },
      commandId,
    })
    expect(again).toMatchObject({ idempotent: true, state: ['first', 'kept'] })
    for (const log of [device, other, server]) await log.close()
  })

  test('is erased wherever it stands: superseded, rebased, and in a rejection that quotes it', async () => {
    const database = createMemoryDatabase()
    const [device, other, server] = [await openDevice(database), await openDevice(), await openServer()]
    await exchange(device, server)
    await exchange(other, server)
    const [rebased] = await say(device, 'a', [`${SECRET}-1`])
    const rejected = newEventId()
    await createEventStore(device).appendToStream(
      'a',
      [{ type: 'Said', id: rejected, data: { text: `${SECRET}-2` } }],
      {
        onConflict: 'reject',
      },
    )
    await say(other, 'a', ['first'])
    await exchange(other, server)
    await exchange(device, server)
    expect(await device.rejections()).toHaveLength(1)
    expect(placesOf(SECRET, database).length).toBeGreaterThan(2)
    await device.erasures.erase([rebased!, rejected])
    expect(placesOf(SECRET, database)).toEqual([])
    expect(await device.rejections()).toMatchObject([
      { id: rejected, command: null, events: [{ data: null }] },
    ])
    expect(await device.verify()).toMatchObject({ ok: true })
    for (const log of [device, other, server]) await log.close()
  })

  test('in a commit that goes over several blocks takes the command out of the block that ends it', async () => {
    const database = createMemoryDatabase()
    const long = {
      deciders: {
        flood: {
          streamName: () => 'flood',
          initialState: () => 0,
          evolve: (count: number) => count + 1,
          decide: (command: { data: { text: string } }) =>
            Array.from({ length: 4 }, (_, i) => ({
              type: 'Said',
              data: { text: `${command.data.text}${i}`.padEnd(30_000) },
            })),
        },
      },
    } as unknown as App
    const log = await openLog({ storage: memoryStorage({ database }), storeId, app: long })
    const commandId = newEventId()
    await log.execute({
      decider: 'flood',
      id: '',
      command: { type: 'Say', data: { text: SECRET } },
      commandId,
    })
    const { events } = await createEventStore(log).readStream('flood')
    await log.erasures.erase(events.map(({ metadata }) => metadata.eventId))
    expect(placesOf(SECRET, database)).toEqual([])
    expect(await log.verify()).toMatchObject({ ok: true })
    await log.close()
  })
})

describe('erasing', () => {
  test('by subject takes every event whose metadata says so, and no other', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await say(log, 'a', [`${SECRET}-1`, `${SECRET}-2`], { customer: 'c-1' })
    await say(log, 'b', ['other'], { customer: 'c-2', note: 'c-1' })
    await say(log, 'b', [`${SECRET}-3`], { customer: 'c-1' })
    const { eventIds } = await log.erasures.eraseSubject('customer', 'c-1')
    expect(eventIds).toHaveLength(3)
    expect(placesOf(SECRET, database)).toEqual([])
    expect(placesOf('"customer":"c-1"', database)).toEqual([])
    expect(await textsIn(log, 'b')).toEqual(['other'])
    expect((await log.erasures.eraseSubject('customer', 'nobody')).eventIds).toEqual([])
    expect(log.erasures.list()).toHaveLength(1)
    await log.close()
  })

  test('twice is once, and of what was never there an error', async () => {
    const log = await openDevice()
    const [id] = await say(log, 'a', [SECRET])
    await log.erasures.erase([id!])
    await log.erasures.erase([id!.toUpperCase()])
    expect(log.erasures.list()).toHaveLength(1)
    for (const unknown of [newEventId(), 'no id']) {
      await expect(log.erasures.erase([unknown])).rejects.toMatchObject({ code: 'unknown-event' })
    }
    expect(
      await createEventStore(log).appendToStream('a', [{ type: 'Said', id: id!, data: { text: SECRET } }]),
    ).toMatchObject({
      idempotent: true,
    })
    await log.close()
  })

  test('is seen by another tab at once when it reads on', async () => {
    const database = createMemoryDatabase()
    const [log, tab] = [await openDevice(database), await openDevice(database)]
    const ids = await say(log, 'a', ['1', SECRET])
    await tab.catchUp()
    expect(await textsIn(tab, 'a')).toEqual(['1', SECRET])
    const changes: (number | null)[] = []
    tab.onChange(({ erasedFrom }) => changes.push(erasedFrom))
    await log.erasures.erase([ids[1]!])
    await tab.catchUp()
    expect(changes).toEqual([2])
    expect(await textsIn(tab, 'a')).toEqual(['1'])
    for (const one of [log, tab]) await one.close()
  })

  test('is not undone by a compaction that had read the blocks before', async () => {
    const database = createMemoryDatabase()
    const storage = memoryStorage({ database })
    await storage.open()
    const log = await openDevice(database)
    const ids = await say(log, 'a', [...Array.from({ length: 20 }, (_, i) => `${i}`), SECRET])
    const hash = await createSha256()
    let erased = false
    const slow = wrapStorage(storage, {
      replace: async (...args) => {
        if (!erased) await log.erasures.erase([ids.at(-1)!])
        erased = true
        return storage.replace!(...args)
      },
    })
    const parts = {
      storage: slow as LogStorage & Required<Pick<LogStorage, 'replace'>>,
      hash,
      onMerged() {},
      onDamaged() {},
    }
    await compactLog(parts, new AbortController().signal)
    expect(erased).toBe(true)
    expect(placesOf(SECRET, database)).toEqual([])
    await compactLog(parts, new AbortController().signal)
    expect(placesOf(SECRET, database)).toEqual([])
    expect(await log.verify()).toMatchObject({ ok: true })
    await log.close()
  })

  test('goes on after a crash at any call of the storage, or has not begun', async () => {
    let isReached = true
    for (let crashAt = 1; isReached; crashAt++) {
      const database = createMemoryDatabase()
      const setUp = await openDevice(database)
      const ids = await say(setUp, 'a', ['1', SECRET, '3'])
      const projector = createProjector({ log: setUp, app })
      await projector.latest('notes', 'a')
      await projector.close()
      await setUp.close()
      expect(placesOf(SECRET, database).some(place => String(place).startsWith('snapshot/'))).toBe(true)
      const storage = memoryStorage({ database })
      let calls = 0
      const crashing = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
        return async (...args: A): Promise<R> => {
          if (++calls >= crashAt) throw new Error('crashed')
          return call(...args)
        }
      }
      const wrapped = wrapStorage(storage, {
        append: crashing(storage.append.bind(storage)),
        replace: crashing(storage.replace!.bind(storage)),
        put: crashing(storage.put.bind(storage)),
      })
      const log = await openDevice(database, wrapped)
      calls = 0
      const outcome = await log.erasures.erase([ids[1]!]).catch((error: Error) => error.message)
      isReached = outcome === 'crashed'
      const hasBegun = [...database.values.keys()].some(key => key.startsWith('erasure/begun/'))
      await log.close().catch(() => {})

      const again = await openDevice(database)
      await again.erasures.resume()
      expect(await again.verify()).toMatchObject({ ok: true })
      if (hasBegun || !isReached) {
        expect(placesOf(SECRET, database)).toEqual([])
        expect(again.erasures.list()).toHaveLength(1)
        expect(await again.erasures.areSettled()).toBe(true)
      }
      await again.close()
    }
  })
})

describe('other replicas', () => {
  test('take over what the server lists, and what comes erased is listed by itself', async () => {
    const [a, b] = [createMemoryDatabase(), createMemoryDatabase()]
    const [device, other, server] = [await openDevice(a), await openDevice(b), await openServer()]
    await exchange(device, server)
    const ids = await say(device, 'a', ['1', SECRET])
    await exchange(device, server)
    await exchange(other, server)
    expect(placesOf(SECRET, b)).not.toEqual([])
    const erasure = await server.erasures.erase([ids[1]!], { reason: 'asked' })
    for (const log of [device, other]) await log.erasures.take(erasure)
    expect([...placesOf(SECRET, a), ...placesOf(SECRET, b)]).toEqual([])

    const late = await openDevice()
    await exchange(late, server)
    expect(late.erasures.list()).toMatchObject([{ eventIds: [ids[1]] }])
    expect(await textsIn(late, 'a')).toEqual(['1'])
    for (const log of [device, other, late, server]) {
      expect(await log.verify()).toMatchObject({ ok: true, events: 2 })
      await log.close()
    }
  })

  test('listed before it came, an event is erased on arrival, here and on the server', async () => {
    const [onServer, onDevice] = [createMemoryDatabase(), createMemoryDatabase()]
    const [device, other, server] = [
      await openDevice(),
      await openDevice(onDevice),
      await openServer(onServer),
    ]
    await exchange(device, server)
    const [id] = await say(device, 'a', [SECRET])
    const erasure = { eventIds: [id!], reason: null, erasedAt: 1 }
    await other.erasures.take(erasure)
    await exchange(device, server)
    expect(placesOf(SECRET, onServer)).not.toEqual([])
    await exchange(other, server)
    expect(placesOf(SECRET, onDevice)).toEqual([])
    expect(await other.verify()).toMatchObject({ ok: true })

    const [second] = await say(device, 'a', [`${SECRET}-2`])
    await server.erasures.take({ ...erasure, eventIds: [id!, second!] })
    await exchange(device, server)
    expect(placesOf(SECRET, onServer)).toEqual([])
    expect(await server.verify()).toMatchObject({ ok: true })
    for (const log of [device, other, server]) await log.close()
  })

  test('of two servers on one database, one hears of what the other erased', async () => {
    const database = createMemoryDatabase()
    const [one, two, device] = [await openServer(database), await openServer(database), await openDevice()]
    await exchange(device, one)
    const [id] = await say(device, 'a', [SECRET])
    await exchange(device, one)
    await two.catchUp()
    expect(await textsIn(two, 'a')).toEqual([SECRET])
    await one.erasures.erase([id!])
    await two.erasures.refresh()
    expect(await textsIn(two, 'a')).toEqual([])
    expect(two.erasures.list()).toEqual(one.erasures.list())
    for (const log of [one, two, device]) await log.close()
  })

  test('begun anew, a device still knows what was erased, and gets none of it from a server that was not told', async () => {
    const database = createMemoryDatabase()
    const [device, server] = [await openDevice(database), await openServer()]
    await exchange(device, server)
    const ids = await say(device, 'a', ['1', SECRET])
    await exchange(device, server)
    await device.erasures.erase([ids[1]!])
    await say(device, 'a', ['pending'])
    await device.close()
    const storage = memoryStorage({ database })
    await storage.open()
    await restoreLog(storage, { storeId, hash: await createSha256() })
    const again = await openDevice(database)
    await exchange(again, server)
    expect(placesOf(SECRET, database)).toEqual([])
    expect(await textsIn(again, 'a')).toEqual(['1', 'pending'])
    expect(again.erasures.list()).toMatchObject([{ eventIds: [ids[1]] }])
    expect(await again.verify()).toMatchObject({ ok: true })
    for (const log of [again, server]) await log.close()
  })
})

test('a damaged list keeps no log from being begun anew', async () => {
  const database = createMemoryDatabase()
  const log = await openDevice(database)
  const [first, second] = await say(log, 'a', ['1', '2', '3'])
  for (const id of [first!, second!]) await log.erasures.erase([id])
  await log.close()
  const key = [...database.values.keys()].filter(one => one.startsWith('erasure/listed/')).at(-1)!
  database.values.get(key)![10]! ^= 1
  const storage = memoryStorage({ database })
  await storage.open()
  await restoreLog(storage, { storeId, hash: await createSha256() })
  const again = await openDevice(database)
  // The record of the second one is lost, but not that it was erased: it has no content any more.
  expect(again.erasures.list()).toMatchObject([{ eventIds: [first] }, { eventIds: [second] }])
  expect(await again.verify()).toMatchObject({ ok: true })
  expect(await textsIn(again, 'a')).toEqual(['3'])
  await again.close()
})

describe('verify', () => {
  /** Changes a stored block as somebody does who knows the format: the digest fits what it says. */
  async function forge(database: MemoryDatabase, position: number, change: (bytes: Uint8Array) => void) {
    const i = database.blocks.findIndex(({ lastPosition }) => lastPosition >= position)
    const stored = database.blocks[i]!
    change(stored.bytes)
    const { content, digest } = sealedParts(stored.bytes)
    digest.set(await (await createSha256()).digestLarge(content))
  }

  test('finds an event that lost its content and that no record names', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const ids = await say(log, 'a', ['1', SECRET, '3'])
    await log.erasures.erase([ids[1]!])
    await log.close()
    // The record names another one now: as if somebody had erased by hand.
    for (const key of [...database.values.keys()].filter(key => key.startsWith('erasure/')))
      database.values.delete(key)
    const record = database.blocks.at(-1)!
    database.blocks.pop()
    for (const key of [...database.values.keys()].filter(key => !key.startsWith('erasure/')))
      database.values.delete(key)
    const again = await openDevice(database)
    expect(record.firstPosition).toBe(4)
    expect(await again.verify()).toMatchObject({
      ok: false,
      problem: 'erasure-mismatch',
      at: 2,
      eventId: ids[1],
    })
    await again.close()
  })

  test('finds an erased event that has its content again', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const ids = await say(log, 'a', ['1', SECRET, '3'])
    const before = database.blocks[1]!
    await log.erasures.erase([ids[1]!])
    database.blocks[1] = before
    expect(await log.verify()).toMatchObject({
      ok: false,
      problem: 'erasure-mismatch',
      at: 2,
      eventId: ids[1],
    })
    await log.close()
  })

  test('finds every byte of an erased event that is not as erasing leaves it', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const ids = await say(log, 'a', ['1', SECRET, '3'])
    await log.erasures.erase([ids[1]!])
    const { bytes } = database.blocks[1]!
    const block = decodeBlock(bytes, 2)
    expect([...block.kinds]).toEqual([KIND_ERASED])
    expect(hexOf(block.salts)).toBe('0'.repeat(32))
    const offsets = [
      block.salts,
      block.payloads.bytes.subarray(2, -2),
      block.metadata.bytes.subarray(1, -1),
    ].flatMap(part => Array.from(part, (_, i) => part.byteOffset - bytes.byteOffset + i))
    for (const at of offsets) {
      const was = bytes[at]!
      await forge(database, 2, forged => {
        forged[at] = was ^ 1
      })
      expect(await log.verify(), `byte ${at}`).toMatchObject({ ok: false, at: 2 })
      await forge(database, 2, forged => {
        forged[at] = was
      })
    }
    expect(await log.verify()).toMatchObject({ ok: true })
    await log.close()
  })
})
