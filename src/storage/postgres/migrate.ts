// Brings the tables up to date. Any number of servers may start at once.

import { StorageFailed, StoreError } from '../../log/errors.ts'
import {
  ADD_MIGRATION,
  CREATE_MIGRATIONS_TABLE,
  CREATE_SCHEMA,
  HAS_SCHEMA,
  HAS_TABLE,
  MIGRATIONS,
  MIGRATIONS_TABLE,
  READ_MIGRATED,
} from './schema.ts'
import type { Query, SqlDriver } from './sql-driver.ts'

/** Any number, the same in every process that migrates. */
const MIGRATION_LOCK = 7_236_518_301

/** @throws `StoreError` `unsupported-format` when a newer version of this package was here before. */
export async function migrate(driver: SqlDriver, inSchema: (statement: string) => string): Promise<void> {
  await refuseOtherEncodings(driver.query)
  // Asked first without a word of DDL, so that a role that may only read and write rows can open the database.
  if ((await versionOf(driver.query, inSchema)) === MIGRATIONS.length) return
  await driver.transaction(async query => {
    // Two servers that start at once: the second waits here and finds everything done.
    await query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`)
    // Not IF NOT EXISTS: that asks for the right to make schemas even where there is nothing to make.
    if (!(await has(query, HAS_SCHEMA, inSchema('$schema')))) await query(inSchema(CREATE_SCHEMA))
    await query(inSchema(CREATE_MIGRATIONS_TABLE))
    const version = await versionOf(query, inSchema)
    for (let next = version + 1; next <= MIGRATIONS.length; next++) {
      for (const statement of statementsOf(MIGRATIONS[next - 1]!)) await query(inSchema(statement))
      await query(inSchema(ADD_MIGRATION), [next])
    }
  })
}

/** In other encodings PostgreSQL refuses most of Unicode, and would do so at the first event that has it. */
async function refuseOtherEncodings(query: Query): Promise<void> {
  const [row] = await query<{ encoding: string }>("SELECT current_setting('server_encoding') AS encoding")
  const { encoding } = row!
  if (encoding === 'UTF8') return
  throw new StorageFailed('unavailable', `The database is encoded in ${encoding}; one in UTF8 is needed`)
}

async function versionOf(query: Query, inSchema: (statement: string) => string): Promise<number> {
  if (!(await has(query, HAS_TABLE, inSchema(MIGRATIONS_TABLE)))) return 0
  const [row] = await query<{ version: number }>(inSchema(READ_MIGRATED))
  const { version } = row!
  if (version <= MIGRATIONS.length) return version
  throw new StoreError('unsupported-format', `The tables have version ${version}, which is not known here`, {
    version,
    newestKnown: MIGRATIONS.length,
  })
}

async function has(query: Query, question: string, quotedName: string): Promise<boolean> {
  const [row] = await query<{ has: boolean }>(question, [quotedName])
  return row!.has
}

/** A prepared statement is one statement; none of ours has a semicolon within. */
const statementsOf = (text: string): string[] => text.split(';').filter(statement => statement.trim() !== '')
