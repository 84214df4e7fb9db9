import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { fixtureBlock } from '../../src/conformance/index.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { openPostgres, type PostgresDatabase } from '../../src/storage/postgres/index.ts'
import { migrate } from '../../src/storage/postgres/migrate.ts'
import { openPglite } from '../../src/storage/postgres/pglite-driver.ts'
import { PostgresStorage } from '../../src/storage/postgres/postgres-storage.ts'
import type { SqlDriver } from '../../src/storage/postgres/sql-driver.ts'
import { READ_ENTRIES } from '../../src/storage/postgres/statements.ts'
import { storageFailureFrom } from '../../src/storage/postgres/storage-failure.ts'
import { openCommitProxy } from '../support/commit-proxy.ts'
import {
  hasPostgres,
  POSTGRES_NAME,
  POSTGRES_URL,
  runSql,
  waitingSessions,
  whileHeadIsHeld,
} from '../support/postgres.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 })

const hasServer = await hasPostgres()
/** For polls of what another process does, on a machine that may be busy. */
const SOON = { timeout: 10_000 }

describe('what PostgreSQL throws', () => {
  const thrown = (code: string, message = 'no') => Object.assign(new Error(message), { code })

  test.each([
    ['quota', thrown('53100')],
    ['quota', thrown('ENOSPC')],
    ['timeout', thrown('57014')],
    ['timeout', new Error('Query read timeout')],
    ['unavailable', thrown('ECONNREFUSED', '')],
    ['unavailable', thrown('57P01')],
    ['unavailable', thrown('08006')],
    ['unavailable', thrown('53300')],
    ['unavailable', new Error('Connection terminated unexpectedly')],
    ['unavailable', new Error('timeout exceeded when trying to connect')],
    ['unavailable', new Error('Client has encountered a connection error and is not queryable')],
    ['failed', thrown('42P01')],
    ['failed', 'a text'],
  ])('becomes %s, with the cause', (problem, error) => {
    expect(storageFailureFrom(error)).toMatchObject({
      code: 'storage-failed',
      facts: { problem },
      cause: error,
    })
  })
})

describe('the embedded driver', () => {
  let driver: SqlDriver
  const inSchema = (statement: string): string => statement.replaceAll('$schema', 'public')
  beforeAll(async () => {
    driver = await openPglite({})
    await migrate(driver, inSchema)
  })
  afterAll(() => driver.close())

  const openOn = async (storeId: string, overrides: Partial<SqlDriver>) => {
    const wrapped: SqlDriver = {
      isDurable: false,
      isClosed: false,
      query: driver.query,
      transaction: work => driver.transaction(work),
      close: () => driver.close(),
      ...overrides,
    }
    const storage = new PostgresStorage({ storeId, driver: wrapped, inSchema, hash: await createSha256() })
    await storage.open()
    return storage
  }

  /** A storage whose first transactions fail. */
  const openFlaky = (storeId: string, failures: number, code: string) => {
    let left = failures
    return openOn(storeId, {
      transaction: work =>
        left-- > 0 ? Promise.reject(Object.assign(new Error('no'), { code })) : driver.transaction(work),
    })
  }

  test.each(['40001', '40P01'])(
    'takes a transaction up again after %s, and gives up in the end',
    async code => {
      const patient = await openFlaky(`patient-${code}`, 4, code)
      expect(await patient.append(0, [await fixtureBlock()])).toEqual({ type: 'written' })
      const hopeless = await openFlaky(`hopeless-${code}`, 5, code)
      await expect(hopeless.append(0, [await fixtureBlock()])).rejects.toMatchObject({
        facts: { problem: 'failed' },
      })
      expect(await hopeless.head()).toBe(0)
    },
  )

  test('does not take up again what failed for another reason', async () => {
    const storage = await openFlaky('full', 1, '53100')
    await expect(storage.put({ key: Uint8Array.of(1) })).rejects.toMatchObject({
      facts: { problem: 'quota' },
    })
    expect(await storage.get('key')).toBeUndefined()
  })

  test('takes hardly more from the database than the bytes that a read asks for', async () => {
    const rowCounts: number[] = []
    const storage = await openOn('large', {
      query: async (sql, parameters) => {
        const rows = await driver.query<never>(sql, parameters)
        rowCounts.push(rows.length)
        return rows
      },
    })
    const first = (i: number) => fixtureBlock({ first: i, size: 900_000 })
    await storage.append(0, await Promise.all([1, 2, 3, 4, 5, 6].map(first)))
    rowCounts.length = 0
    expect(await storage.read({ from: 1, maxBytes: 1 })).toHaveLength(1)
    expect(await storage.read({ from: 1, maxBytes: 1_000_000 })).toHaveLength(2)
    expect(rowCounts).toEqual([1, 2])
  })

  test('reads a page through the index, without sorting the rest of the log', async () => {
    const plan = await driver.transaction(async query => {
      await query('SET LOCAL enable_seqscan = off')
      await query('SET LOCAL enable_bitmapscan = off')
      return query(`EXPLAIN ${inSchema(READ_ENTRIES)}`, ['s', 1, 1000, 10, 1000])
    })
    expect(JSON.stringify(plan)).toContain('Index Scan using streamdingo_entries_pkey')
    expect(JSON.stringify(plan)).not.toContain('Sort')
  })
})

describe.skipIf(!hasServer)(`the connection to ${POSTGRES_NAME}`, () => {
  const schema = `streamdingo_failures_${process.pid}`
  const options = { connectionString: POSTGRES_URL, schema, poolSize: 1 }
  let database: PostgresDatabase
  let stores = 0
  let storeId: string
  beforeAll(async () => {
    database = await openPostgres(options)
  })
  afterAll(async () => {
    await database.close()
    await runSql(`DROP SCHEMA "${schema}" CASCADE`)
  })
  beforeEach(() => {
    storeId = `store-${++stores}`
  })

  const openStorage = async (from = database) => {
    const storage = from.storage(storeId)
    await storage.open()
    return storage
  }

  test('when it is killed while idle, a call fails typed at most, and the next one goes on', async () => {
    const storage = await openStorage()
    await storage.append(0, [await fixtureBlock()])
    await runSql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%"${schema}"%' AND pid <> pg_backend_pid()`,
    )
    const failures: unknown[] = []
    await expect.poll(() => storage.head().catch(error => failures.push(error) && null), SOON).toBe(1)
    for (const failure of failures) expect(failure).toMatchObject({ facts: { problem: 'unavailable' } })
    expect(await storage.append(1, [await fixtureBlock({ first: 2 })])).toEqual({ type: 'written' })
  })

  test('when it is killed within a transaction, the append fails typed, and the next one goes on', async () => {
    const storage = await openStorage()
    await whileHeadIsHeld(schema, storeId, async () => {
      const outcome = expect(storage.append(0, [await fixtureBlock()])).rejects.toMatchObject({
        facts: { problem: 'unavailable' },
      })
      await expect.poll(() => waitingSessions(schema), SOON).toHaveLength(1)
      await runSql(`SELECT pg_terminate_backend(${(await waitingSessions(schema))[0]})`)
      await outcome
    })
    expect(await storage.head()).toBe(0)
    expect(await storage.append(0, [await fixtureBlock()])).toEqual({ type: 'written' })
  })

  test('when it breaks before a commit arrives, the append fails, and nothing is written', async () => {
    const proxy = await openCommitProxy(POSTGRES_URL)
    const shaky = await openPostgres({ ...options, connectionString: proxy.url })
    const storage = await openStorage(shaky)
    proxy.setFate(() => 'request-lost')
    const values = { key: Uint8Array.of(1) }
    await expect(storage.append(0, [await fixtureBlock()], values)).rejects.toMatchObject({
      facts: { problem: 'unavailable' },
    })
    proxy.setFate(() => 'arrives')
    expect(await storage.head()).toBe(0)
    expect(await storage.get('key')).toBeUndefined()
    expect(await storage.append(0, [await fixtureBlock()])).toEqual({ type: 'written' })
    await shaky.close()
    await proxy.close()
  })

  test('when it breaks before the answer to a commit, the append is found to be written', async () => {
    const proxy = await openCommitProxy(POSTGRES_URL)
    const shaky = await openPostgres({ ...options, connectionString: proxy.url })
    const storage = await openStorage(shaky)
    proxy.setFate(() => 'answer-lost')
    expect(await storage.append(0, [await fixtureBlock({ count: 2 })])).toEqual({ type: 'written' })
    expect(await storage.append(0, [await fixtureBlock()])).toEqual({ type: 'conflict', head: 2 })
    await storage.put({ key: Uint8Array.of(1) })
    expect(await storage.get('key')).toEqual(Uint8Array.of(1))
    expect(await storage.head()).toBe(2)
    await shaky.close()
    await proxy.close()
  })

  test('when a commit is delayed, a reader never skips it, and a writer behind it loses', async () => {
    const proxy = await openCommitProxy(POSTGRES_URL)
    const slow = await openPostgres({ ...options, connectionString: proxy.url })
    const [early, late] = [await openStorage(slow), await openStorage()]
    const readers = await openPostgres(options)
    const reader = await openStorage(readers)

    let arrive: (fate: 'arrives') => void = () => {}
    const isHeld = new Promise<void>(resolve =>
      proxy.setFate(() => {
        resolve()
        return new Promise(decide => {
          arrive = decide
        })
      }),
    )
    const first = early.append(0, [await fixtureBlock()])
    await isHeld
    const second = late.append(0, [await fixtureBlock()])
    await expect.poll(() => waitingSessions(schema), SOON).toHaveLength(1)
    expect(await reader.head()).toBe(0)
    expect(await reader.read({ from: 1 })).toEqual([])
    arrive('arrives')
    proxy.setFate(() => 'arrives')

    expect(await first).toEqual({ type: 'written' })
    expect(await second).toEqual({ type: 'conflict', head: 1 })
    expect(await late.append(1, [await fixtureBlock({ first: 2 })])).toEqual({ type: 'written' })
    const [block] = await reader.read({ from: 1 })
    expect(block).toMatchObject({ firstPosition: 1, lastPosition: 2 })
    for (const opened of [slow, readers]) await opened.close()
    await proxy.close()
  })
})
