// Opens PostgreSQL, on a server or inside the process, for any number of stores.

import { checkName } from '../../log/event-batch.ts'
import { createSha256 } from '../../log/sha256/create-sha256.ts'
import type { LogStorage } from '../log-storage.ts'
import { migrate } from './migrate.ts'
import { connectPg, type PgOptions } from './pg-driver.ts'
import { openPglite, type PgliteOptions } from './pglite-driver.ts'
import { PostgresStorage } from './postgres-storage.ts'
import { storageFailureFrom } from './storage-failure.ts'

export type OpenPostgresOptions = (PgOptions | PgliteOptions) &
  Readonly<{
    /** Schema that holds the tables; made where it is missing. Default `public`. */
    schema?: string
  }>

/** One database for any number of stores. */
export type PostgresDatabase = Readonly<{
  /** @throws `InvalidEvent` for an id that is empty, over 1,024 bytes or not well-formed text. */
  storage: (storeId: string) => LogStorage
  /** Resolves when the database answers: for `checkStorage` of a server. @throws `StorageFailed` when it does not */
  ping: () => Promise<void>
  /** Ends the connections. Storages given before fail with `closed` from then on. Safe to call twice. */
  close: () => Promise<void>
}>

/**
 * With a `connectionString`, a PostgreSQL server from version 13 on (package pg); without, an embedded one (package
 * `@electric-sql/pglite`) in `dataDir` or in memory. Makes or migrates its tables.
 *
 * @throws `StorageFailed` `unavailable` when there is no server, the package is not installed, or the database is
 * not encoded in UTF8; `StorageFailed` `blocked` when somebody else uses `dataDir`; `StoreError`
 * `unsupported-format` when a newer version of this package wrote the tables.
 */
export async function openPostgres(options: OpenPostgresOptions = {}): Promise<PostgresDatabase> {
  const schema = `"${(options.schema ?? 'public').replaceAll('"', '""')}"`
  const inSchema = (statement: string): string => statement.replaceAll('$schema', () => schema)
  const hash = await createSha256()
  try {
    const driver = 'connectionString' in options ? await connectPg(options) : await openPglite(options)
    await migrate(driver, inSchema).catch(async error => {
      await driver.close()
      throw error
    })
    return {
      storage: storeId => {
        checkName(storeId, 'storeId')
        return new PostgresStorage({ storeId, driver, inSchema, hash })
      },
      async ping() {
        try {
          await driver.query('SELECT 1')
        } catch (error) {
          throw storageFailureFrom(error)
        }
      },
      close: () => driver.close(),
    }
  } catch (error) {
    throw storageFailureFrom(error)
  }
}
