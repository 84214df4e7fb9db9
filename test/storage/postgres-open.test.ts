import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { fixtureBlock } from '../../src/conformance/index.ts'
import { lockDataDir } from '../../src/storage/postgres/data-dir-lock.ts'
import { openPostgres } from '../../src/storage/postgres/index.ts'
import { hasPostgres, POSTGRES_NAME, POSTGRES_URL, runSql } from '../support/postgres.ts'

vi.setConfig({ testTimeout: 60_000 })

const hasServer = await hasPostgres()

const scratch = await mkdtemp(join(tmpdir(), 'streamdingo-postgres-'))
afterAll(() => rm(scratch, { recursive: true }))

describe('opening', () => {
  afterEach(() => {
    vi.doUnmock('pg')
    vi.doUnmock('@electric-sql/pglite')
  })

  test.each([
    ['pg', { connectionString: POSTGRES_URL }],
    ['@electric-sql/pglite', {}],
  ])('names the package %s when it is not installed', async (name, options) => {
    vi.doMock(name, () => {
      throw new Error('not installed')
    })
    const refused = { message: expect.stringContaining(` ${name} `), facts: { problem: 'unavailable' } }
    await expect(openPostgres(options)).rejects.toMatchObject(refused)
  })

  test('answers a ping until it is closed', async () => {
    const database = await openPostgres()
    await database.ping()
    await database.close()
    await expect(database.ping()).rejects.toMatchObject({ code: 'storage-failed' })
  })

  test('a server that is not there is unavailable', async () => {
    const options = { connectionString: 'postgres://postgres@127.0.0.1:1/none' }
    await expect(openPostgres(options)).rejects.toMatchObject({ facts: { problem: 'unavailable' } })
  })

  test('a closed database fails its storages as closed, and closing twice is safe', async () => {
    const database = await openPostgres()
    const storage = database.storage('s')
    await storage.open()
    expect(storage.capabilities.durable).toBe(false)
    await Promise.all([database.close(), database.close()])
    await database.close()
    const closed = { facts: { problem: 'closed' } }
    await expect(storage.head()).rejects.toMatchObject(closed)
    await expect(storage.append(0, [await fixtureBlock()])).rejects.toMatchObject(closed)
    await expect(database.storage('other').open()).rejects.toMatchObject(closed)
  })

  test('PGlite keeps its data in a folder, and nobody else gets in meanwhile', async () => {
    const dataDir = join(scratch, 'data')
    const first = await openPostgres({ dataDir })
    const storage = first.storage('s')
    await storage.open()
    expect(storage.capabilities.durable).toBe(true)
    await storage.append(0, [await fixtureBlock({ count: 3 })])
    await expect(openPostgres({ dataDir })).rejects.toMatchObject({ facts: { problem: 'blocked' } })
    await first.close()

    const second = await openPostgres({ dataDir })
    const again = second.storage('s')
    await again.open()
    expect(await again.head()).toBe(3)
    await second.close()
    expect(await readdir(scratch)).toEqual(['data'])
  })
})

describe('the lock of a data folder', () => {
  const dataDir = join(scratch, 'locked')
  const lockFile = `${dataDir}.lock`
  afterEach(() => rm(lockFile, { force: true }))

  test('is held by one at a time', async () => {
    const outcomes = await Promise.allSettled([lockDataDir(dataDir), lockDataDir(`${dataDir}/`)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') await outcome.value()
    await (await lockDataDir(dataDir))()
    await expect(readFile(lockFile)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('is respected while its process lives', async () => {
    await writeFile(lockFile, String(process.ppid))
    const blocked = { facts: { problem: 'blocked' }, message: expect.stringContaining(String(process.ppid)) }
    await expect(lockDataDir(dataDir)).rejects.toMatchObject(blocked)
    expect(await readFile(lockFile, 'utf8')).toBe(String(process.ppid))
  })

  test('is taken over from a process that has ended, and from a torn file', async () => {
    const { stdout: endedPid } = await promisify(execFile)(process.execPath, ['-p', 'process.pid'])
    for (const left of [endedPid, String(process.pid), '']) {
      await writeFile(lockFile, left)
      const unlock = await lockDataDir(dataDir)
      expect(await readFile(lockFile, 'utf8')).toBe(String(process.pid))
      await unlock()
    }
  })
})

describe.skipIf(!hasServer)(`migrating ${POSTGRES_NAME}`, () => {
  const schema = `streamdingo_open_${process.pid}`
  const options = { connectionString: POSTGRES_URL, schema }
  afterEach(() => runSql(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`))

  const asUser = (username: string, password: string): string =>
    Object.assign(new URL(POSTGRES_URL), { username, password }).href

  test('three servers that start at once migrate once', async () => {
    const databases = await Promise.all([1, 2, 3].map(() => openPostgres(options)))
    await Promise.all(databases.map((database, i) => database.storage(`s-${i}`).open()))
    await Promise.all(databases.map(database => database.close()))
    const versions = await runSql(`SELECT version FROM "${schema}".streamdingo_migrations`)
    expect(versions).toEqual([{ version: 1 }])
  })

  test('takes a schema name as a name', async () => {
    const odd = `${schema}"$&; x`
    await (await openPostgres({ ...options, schema: odd })).close()
    const quoted = `"${odd.replace('"', '""')}"`
    expect(await runSql(`SELECT version FROM ${quoted}.streamdingo_migrations`)).toEqual([{ version: 1 }])
    await runSql(`DROP SCHEMA ${quoted} CASCADE`)
  })

  test('a role that may only read and write rows can open what is migrated', async () => {
    const role = `streamdingo_role_${process.pid}`
    await (await openPostgres(options)).close()
    await runSql(
      `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`,
      `GRANT USAGE ON SCHEMA "${schema}" TO ${role}`,
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO ${role}`,
    )
    try {
      const database = await openPostgres({ ...options, connectionString: asUser(role, 'secret') })
      const storage = database.storage('s')
      await storage.open()
      expect(await storage.append(0, [await fixtureBlock()])).toEqual({ type: 'written' })
      await database.close()
    } finally {
      await runSql(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
    }
  })

  test('refuses tables that a newer version wrote', async () => {
    await (await openPostgres(options)).close()
    await runSql(`INSERT INTO "${schema}".streamdingo_migrations (version) VALUES (1000)`)
    const newer = { code: 'unsupported-format', facts: { version: 1000 } }
    await expect(openPostgres(options)).rejects.toMatchObject(newer)
  })

  test('refuses a database that cannot hold all of Unicode', async () => {
    const name = `streamdingo_latin_${process.pid}`
    await runSql(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`)
    try {
      const connectionString = Object.assign(new URL(POSTGRES_URL), { pathname: name }).href
      const refused = { message: expect.stringContaining('LATIN1'), facts: { problem: 'unavailable' } }
      await expect(openPostgres({ connectionString })).rejects.toMatchObject(refused)
    } finally {
      await runSql(`DROP DATABASE ${name} WITH (FORCE)`)
    }
  })
})
