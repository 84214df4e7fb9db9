import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { describeEventStore, describeLogStorage, fixtureBlock } from '../../src/conformance/index.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { decodeBlock } from '../../src/log/block.ts'
import { BlockWriter } from '../../src/log/block-writer.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import {
  type OpenPostgresOptions,
  openPostgres,
  type PostgresDatabase,
} from '../../src/storage/postgres/index.ts'
import { hasPostgres, POSTGRES_NAME, POSTGRES_URL, runSql } from '../support/postgres.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 })

const hasServer = await hasPostgres()

function describePostgres(name: string, options: OpenPostgresOptions): void {
  let database: PostgresDatabase
  let stores = 0
  beforeAll(async () => {
    database = await openPostgres(options)
  })
  afterAll(() => database.close())

  const openStorage = async (storeId = `storage-${++stores}`) => {
    const storage = database.storage(storeId)
    await storage.open()
    return storage
  }

  describeLogStorage(name, async () => {
    const storeId = `storage-${++stores}`
    return { open: () => openStorage(storeId), dispose: async () => {} }
  })

  describeEventStore(`event store in ${name}`, () => {
    const storeId = `store-${++stores}`
    return async () => createEventStore(await openLog({ storage: database.storage(storeId), storeId }))
  })

  describe(`${name}: stores`, () => {
    test('keeps them apart', async () => {
      const [one, two] = [await openStorage(), await openStorage()]
      await one.append(0, [await fixtureBlock()], { key: Uint8Array.of(1) })
      expect(await two.head()).toBe(0)
      expect(await two.list('')).toEqual([])
      expect(await two.append(0, [await fixtureBlock()])).toEqual({ type: 'written' })
    })

    test('takes any well-formed name, and refuses one that PostgreSQL would take for another', async () => {
      const names = ["'; DROP TABLE", 'ü🎲/%$', '"', 'x'.repeat(1024)]
      for (const storeId of names) expect(await (await openStorage(storeId)).head()).toBe(0)
      for (const storeId of ['', '\0', '\ud800', 'x'.repeat(1025)]) {
        expect(() => database.storage(storeId)).toThrow(expect.objectContaining({ code: 'invalid-event' }))
      }
    })

    test('eight writers at once lose nothing', async () => {
      const logs = await Promise.all(
        Array.from({ length: 8 }, () =>
          openLog({ storage: database.storage('writers'), storeId: 'writers' }),
        ),
      )
      const stores = logs.map(createEventStore)
      await Promise.all(
        stores.flatMap((store, n) =>
          Array.from({ length: 10 }, (_, i) =>
            store.appendToStream('a', [{ type: 'Said', data: `${n}/${i}` }]),
          ),
        ),
      )
      await logs[0]!.catchUp()
      const { events } = await stores[0]!.readStream('a')
      expect(new Set(events.map(({ data }) => data)).size).toBe(80)
      expect(await stores[0]!.verify()).toMatchObject({ ok: true, events: 80 })
    })
  })

  describe(`${name}: entries`, () => {
    test('keeps events that jsonb cannot hold, byte by byte', async () => {
      const store = createEventStore(await openLog({ storage: database.storage('jsonb'), storeId: 'jsonb' }))
      const payloads = ['\u0000', { text: '\\u0000', hex: '1e123' }, 1e300, '\\', 'ü🎲']
      await store.appendToStream(
        'a',
        payloads.map(data => ({ type: 'Odd', data })),
      )
      expect((await store.readStream('a')).events.map(({ data }) => data)).toEqual(payloads)
      expect(await store.verify()).toMatchObject({ ok: true, events: 5 })
    })

    test('keeps a commit whole that begins in one block and ends in the next', async () => {
      const storage = await openStorage()
      const hash = await createSha256()
      const source = decodeBlock((await fixtureBlock({ count: 3 })).bytes, 1)
      const begun = new BlockWriter(hash, 1)
      begun.add(source.entry(0))
      const ended = new BlockWriter(hash, 2)
      ended.add(source.entry(1))
      ended.endCommit({ onConflict: 'reject' })
      ended.add(source.entry(2))
      ended.endCommit(null)
      await storage.append(0, [...(await begun.finish()), ...(await ended.finish())])
      const [block] = await storage.read({ from: 1 })
      expect(decodeBlock(block!.bytes, 1).commits).toEqual([
        { lastIndex: 1, note: { onConflict: 'reject' } },
        { lastIndex: 2, note: null },
      ])
    })

    test('reads a log of many small events in pages, none left out', async () => {
      const storage = await openStorage()
      const blocks = await Promise.all(
        Array.from({ length: 15 }, (_, i) => fixtureBlock({ first: i * 300 + 1, count: 300 })),
      )
      await storage.append(0, blocks)
      let next = 1
      for (const { firstPosition, lastPosition } of await storage.read({ from: 1 })) {
        expect(firstPosition).toBe(next)
        next = lastPosition + 1
      }
      expect(next).toBe(4501)
    })

    test('reads a log of large events in pages, none left out', async () => {
      const storage = await openStorage()
      const blocks = await Promise.all(
        Array.from({ length: 12 }, (_, i) => fixtureBlock({ first: i + 1, size: 900_000 })),
      )
      await storage.append(0, blocks)
      const read = await storage.read({ from: 2 })
      expect(read.map(({ firstPosition }) => firstPosition)).toEqual(
        Array.from({ length: 11 }, (_, i) => i + 2),
      )
      expect(await storage.read({ from: 1, maxBytes: 2_000_000 })).toHaveLength(3)
    })
  })

  describe(`${name}: keys`, () => {
    test('takes any well-formed text without U+0000, however long', async () => {
      const storage = await openStorage()
      const long = Array.from(crypto.getRandomValues(new Uint8Array(4000)), byte => (byte % 64) + 48)
      const keys = ['', 'NULL', '{a,b}', '"', '\\', "'", ' ', '%_', 'ü🎲', String.fromCharCode(...long)]
      await storage.put(Object.fromEntries(keys.map((key, i) => [key, Uint8Array.of(i)])))
      for (const [i, key] of keys.entries()) {
        expect(await storage.get(key)).toEqual(Uint8Array.of(i))
        expect(await storage.list(key)).toContainEqual([key, Uint8Array.of(i)])
      }
      await storage.put(Object.fromEntries(keys.map(key => [key, null])))
      expect(await storage.list('')).toEqual([])
    })

    test('refuses what PostgreSQL would refuse or change, and then writes nothing', async () => {
      const storage = await openStorage()
      for (const key of ['a\0b', '\ud800', 'a\udfff']) {
        const refused = { code: 'invalid-argument' }
        const values = { fine: Uint8Array.of(1), [key]: Uint8Array.of(2) }
        await expect(storage.put(values)).rejects.toMatchObject(refused)
        await expect(storage.append(0, [await fixtureBlock()], values)).rejects.toMatchObject(refused)
        await expect(storage.get(key)).rejects.toMatchObject(refused)
        await expect(storage.list(key)).rejects.toMatchObject(refused)
      }
      expect(await storage.list('')).toEqual([])
      expect(await storage.head()).toBe(0)
    })

    test('lists in order of UTF-16 units, which is not that of code points', async () => {
      const storage = await openStorage()
      await storage.put({ '\uffee': new Uint8Array(), '🎲': new Uint8Array(), B: new Uint8Array() })
      expect((await storage.list('')).map(([key]) => key)).toEqual(['B', '🎲', '\uffee'])
    })
  })
}

describePostgres('PGlite', {})

describe.skipIf(!hasServer)(POSTGRES_NAME, () => {
  const schema = `streamdingo_test_${process.pid}`
  afterAll(() => runSql(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`))

  describePostgres('PostgreSQL', { connectionString: POSTGRES_URL, schema })
})
