// PostgreSQL inside the process, by the package @electric-sql/pglite: the same SQL, nothing to install.

import type { PGlite, PGliteOptions } from '@electric-sql/pglite'
import { lockDataDir } from './data-dir-lock.ts'
import type { Query, SqlDriver } from './sql-driver.ts'
import { missingPackage } from './storage-failure.ts'

export type PgliteOptions = Readonly<{
  /**
   * Folder of the data, for one process at a time. In memory, and gone with the process, where it is left out. What
   * was acknowledged survives the end of the process; PGlite does not flush to the disk, so a power cut may take the
   * last writes.
   */
  dataDir?: string
}>

export async function openPglite({ dataDir }: PgliteOptions): Promise<SqlDriver> {
  const { PGlite } = await import('@electric-sql/pglite').catch(cause => {
    throw missingPackage('@electric-sql/pglite', cause)
  })
  if (dataDir === undefined) {
    return new PgliteDriver({ database: await PGlite.create(HEX_OF_BYTEA), isDurable: false })
  }
  const unlock = await lockDataDir(dataDir)
  try {
    const database = await PGlite.create({ ...HEX_OF_BYTEA, dataDir })
    return new PgliteDriver({ database, isDurable: true, unlock })
  } catch (error) {
    await unlock()
    throw error
  }
}

/** The object identifier of the type, the same in every PostgreSQL. */
const BYTEA = 17

/** PGlite's own conversion goes byte by byte: two fifths of the time of an append. */
const HEX_OF_BYTEA: Pick<PGliteOptions, 'parsers' | 'serializers'> = {
  serializers: {
    [BYTEA]: ({ buffer, byteOffset, byteLength }: Uint8Array) =>
      `\\x${Buffer.from(buffer, byteOffset, byteLength).toString('hex')}`,
  },
  parsers: { [BYTEA]: hex => Buffer.from(hex.slice(2), 'hex') },
}

type PgliteDriverParts = Readonly<{
  database: PGlite
  isDurable: boolean
  /** Gives the data folder free. */
  unlock?: () => Promise<void>
}>

class PgliteDriver implements SqlDriver {
  readonly isDurable: boolean
  readonly #database: PGlite
  readonly #unlock: (() => Promise<void>) | undefined
  #closing: Promise<void> | undefined

  constructor({ database, isDurable, unlock }: PgliteDriverParts) {
    this.#database = database
    this.isDurable = isDurable
    this.#unlock = unlock
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
    this.#closing ??= this.#database.close().finally(this.#unlock)
    return this.#closing
  }
}
