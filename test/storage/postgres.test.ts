import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import {
  type OpenPostgresOptions,
  openPostgres,
  type PostgresDatabase,
} from '../../src/storage/postgres/index.ts'
import { describeEventStore, describeLogStorage, fixtureBlock } from '../../src/testing/index.ts'

const POSTGRES_URL = process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test'
const SCHEMA = `streamdingo_test_${process.pid}`

async function answers(): Promise<boolean> {
  const client = new pg.Client({ connectionString: POSTGRES_URL, connectionTimeoutMillis: 2000 })
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}

const hasServer = await answers()

async function runSql(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: POSTGRES_URL })
  await client.connect()
  await client.query(sql)
  await client.end()
}

function describePostgres(name: string, options: OpenPostgresOptions): void {
  let database: PostgresDatabase
  let stores = 0
  beforeAll(async () => {
    database = await openPostgres(options)
  }, 60_000)
  afterAll(() => database.close())

  describeLogStorage(name, async () => {
    const storeId = `storage-${++stores}`
    return {
      open: async () => {
        const storage = database.storage(storeId)
        await storage.open()
        return storage
      },
      dispose: async () => {},
    }
  })

  describeEventStore(`event store in ${name}`, async () => {
    const storeId = `store-${++stores}`
    const open = async () => createEventStore(await openLog({ storage: database.storage(storeId), storeId }))
    let store = await open()
    return {
      store,
      reopen: async () => {
        await store.close()
        store = await open()
        return store
      },
      dispose: () => store.close(),
    }
  })

  describe(name, () => {
    test('keeps stores apart', async () => {
      const [one, two] = ['apart-1', 'apart-2'].map(storeId => database.storage(storeId))
      await one!.open()
      await two!.open()
      await one!.append(0, [await fixtureBlock()], { key: Uint8Array.of(1) })
      expect(await two!.head()).toBe(0)
      expect(await two!.list('')).toEqual([])
      expect(await two!.append(0, [await fixtureBlock()])).toEqual({ type: 'written' })
    })

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
}

describePostgres('PGlite', {})

test('PGlite keeps its data in a folder', async () => {
  const { mkdtemp, rm } = await import('node:fs/promises')
  const dataDir = await mkdtemp('/tmp/streamdingo-pglite-')
  const open = async () => {
    const database = await openPostgres({ dataDir })
    const storage = database.storage('s')
    await storage.open()
    return { database, storage }
  }
  const first = await open()
  await first.storage.append(0, [await fixtureBlock({ count: 3 })])
  await first.database.close()
  const second = await open()
  expect(await second.storage.head()).toBe(3)
  await second.database.close()
  await rm(dataDir, { recursive: true })
}, 60_000)

test('a server that is not there is unavailable', async () => {
  const options = { connectionString: 'postgres://postgres@127.0.0.1:1/none' }
  await expect(openPostgres(options)).rejects.toMatchObject({ facts: { problem: 'unavailable' } })
})

describe.skipIf(!hasServer)(
  `PostgreSQL (left out where none answers at ${POSTGRES_URL.replace(/:[^:@/]*@/, '@')})`,
  () => {
    const options = { connectionString: POSTGRES_URL, schema: SCHEMA }
    afterAll(() => runSql(`DROP SCHEMA IF EXISTS "${SCHEMA}" CASCADE`))

    describePostgres('PostgreSQL', options)

    test('two servers that start at once migrate once', async () => {
      const schema = `${SCHEMA}_twice`
      const databases = await Promise.all([1, 2, 3].map(() => openPostgres({ ...options, schema })))
      await databases[2]!.storage('s').open()
      await Promise.all(databases.map(database => database.close()))
      await runSql(`DROP SCHEMA "${schema}" CASCADE`)
    })

    test('a connection that is killed fails typed, and the next call goes on', async () => {
      const database = await openPostgres({ ...options, poolSize: 1 })
      const storage = database.storage('killed')
      await storage.open()
      await storage.append(0, [await fixtureBlock()])
      await runSql(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%${SCHEMA}%' AND pid <> pg_backend_pid()`,
      )
      const failures: unknown[] = []
      await expect.poll(() => storage.head().catch(error => failures.push(error) && null)).toBe(1)
      for (const failure of failures) expect(failure).toMatchObject({ code: 'storage-failed' })
      expect(await storage.append(1, [await fixtureBlock({ first: 2 })])).toEqual({ type: 'written' })
      await database.close()
    })

    test('a reader never sees a later commit before an earlier one that is delayed', async () => {
      const database = await openPostgres(options)
      const storage = database.storage('late')
      await storage.open()
      const client = new pg.Client({ connectionString: POSTGRES_URL })
      await client.connect()
      await client.query('BEGIN')
      await client.query(`SELECT head FROM "${SCHEMA}".streamdingo_heads WHERE store_id = 'late' FOR UPDATE`)
      const outcome = storage.append(0, [await fixtureBlock()])
      expect(await storage.read({ from: 1 })).toEqual([])
      await client.query(`UPDATE "${SCHEMA}".streamdingo_heads SET head = 1 WHERE store_id = 'late'`)
      await client.query('COMMIT')
      // The one that waited behind the delayed commit is judged on what that left.
      expect(await outcome).toEqual({ type: 'conflict', head: 1 })
      await client.end()
      await database.close()
    })
  },
)
