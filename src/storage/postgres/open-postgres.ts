// Opens PostgreSQL, on a server or inside the process, and brings its schema up to date.

import { createSha256 } from '../../log/sha256.ts'
import type { LogStorage } from '../log-storage.ts'
import { connectPg, type PgOptions } from './pg-driver.ts'
import { openPglite, type PgliteOptions } from './pglite-driver.ts'
import { PostgresStorage } from './postgres-storage.ts'
import type { SqlDriver } from './sql-driver.ts'
import { CREATE_VERSIONS, MIGRATIONS } from './statements.ts'
import { storageFailureFrom } from './storage-failure.ts'

export type OpenPostgresOptions = (PgOptions | PgliteOptions) &
  Readonly<{
    /** Schema that holds the tables; made where it is missing. Default `public`. */
    schema?: string
  }>

/** One database for any number of stores. */
export type PostgresDatabase = Readonly<{
  storage: (storeId: string) => LogStorage
  /** Ends the connections. Storages given before fail from then on. */
  close: () => Promise<void>
}>

/**
 * With a `connectionString`, a PostgreSQL server (package pg); without, an embedded one (package
 * `@electric-sql/pglite`) in `dataDir` or in memory.
 *
 * @throws `StorageFailed` `unavailable` when there is no server, or the package is not installed.
 */
export async function openPostgres(options: OpenPostgresOptions = {}): Promise<PostgresDatabase> {
  const schema = `"${(options.schema ?? 'public').replaceAll('"', '""')}"`
  const inSchema = (statement: string): string => statement.replaceAll('$schema', schema)
  const hash = await createSha256()
  try {
    const driver = 'connectionString' in options ? await connectPg(options) : await openPglite(options)
    await migrate(driver, inSchema)
    return {
      storage: storeId => new PostgresStorage({ storeId, driver, inSchema, hash }),
      close: () => driver.close(),
    }
  } catch (error) {
    throw storageFailureFrom(error)
  }
}

/** Any number, the same in every process that migrates. */
const MIGRATION_LOCK = 7_236_518_301

async function migrate(driver: SqlDriver, inSchema: (statement: string) => string): Promise<void> {
  await driver.transaction(async query => {
    // Two servers that start at once: the second waits here and finds everything done.
    await query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`)
    await query(inSchema('CREATE SCHEMA IF NOT EXISTS $schema'))
    await query(inSchema(CREATE_VERSIONS))
    const [row] = await query<{ version: number }>(
      inSchema('SELECT coalesce(max(version), 0)::int AS version FROM $schema.streamdingo_migrations'),
    )
    for (let version = row!.version + 1; version <= MIGRATIONS.length; version++) {
      for (const statement of statementsOf(inSchema(MIGRATIONS[version - 1]!))) await query(statement)
      await query(inSchema('INSERT INTO $schema.streamdingo_migrations (version) VALUES ($1)'), [version])
    }
  })
}

/** A prepared statement is one statement; none of ours has a semicolon within. */
const statementsOf = (text: string): string[] => text.split(';').filter(statement => statement.trim() !== '')
