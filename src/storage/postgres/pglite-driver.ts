// PostgreSQL inside the process, by the package @electric-sql/pglite: the same SQL, nothing to install.

import type { PGlite } from '@electric-sql/pglite'
import type { Query, SqlDriver } from './sql-driver.ts'
import { missingPackage } from './storage-failure.ts'

export type PgliteOptions = Readonly<{
  /**
   * Folder of the data. In memory, and gone with the process, where it is left out. One process at a time: PGlite
   * has no lock, and a second one damages the data. What was acknowledged survives the end of the process; PGlite
   * does not flush to the disk, so a power cut may take the last writes.
   */
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
  #closing: Promise<void> | undefined

  constructor(database: PGlite, isDurable: boolean) {
    this.#database = database
    this.isDurable = isDurable
  }

  get isClosed(): boolean {
    return this.#closing !== undefined
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

  close(): Promise<void> {
    this.#closing ??= this.#database.close()
    return this.#closing
  }
}
