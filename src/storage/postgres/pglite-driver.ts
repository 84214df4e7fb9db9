// PostgreSQL inside the process, by the package @electric-sql/pglite: the same SQL, nothing to install.

import type { PGlite } from '@electric-sql/pglite'
import type { Query, SqlDriver } from './sql-driver.ts'
import { missingPackage } from './storage-failure.ts'

export type PgliteOptions = Readonly<{
  /** Folder of the data. In memory, and gone with the process, where it is left out. */
  dataDir?: string
}>

export async function openPglite({ dataDir }: PgliteOptions): Promise<SqlDriver> {
  const { PGlite } = await import('@electric-sql/pglite').catch(cause => {
    throw missingPackage('@electric-sql/pglite', cause)
  })
  const database = await PGlite.create(dataDir === undefined ? {} : { dataDir })
  return new PgliteDriver(database, dataDir !== undefined)
}

class PgliteDriver implements SqlDriver {
  readonly isDurable: boolean
  readonly #database: PGlite

  constructor(database: PGlite, isDurable: boolean) {
    this.#database = database
    this.isDurable = isDurable
  }

  readonly query: Query = async <Row>(sql: string, parameters: readonly unknown[] = []) =>
    (await this.#database.query<Row>(sql, [...parameters])).rows

  transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.#database.transaction(transaction =>
      work(
        async <Row>(sql: string, parameters: readonly unknown[] = []) =>
          (await transaction.query<Row>(sql, [...parameters])).rows,
      ),
    )
  }

  async close(): Promise<void> {
    if (!this.#database.closed) await this.#database.close()
  }
}
