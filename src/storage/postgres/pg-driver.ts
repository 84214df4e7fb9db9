// PostgreSQL over the network, by the package pg.

import type { Pool, PoolClient } from 'pg'
import type { Query, SqlDriver } from './sql-driver.ts'
import { missingPackage } from './storage-failure.ts'

export type PgOptions = Readonly<{ connectionString: string; poolSize?: number }>

const CONNECT_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 30_000

export async function connectPg({ connectionString, poolSize = 10 }: PgOptions): Promise<SqlDriver> {
  const { default: pg } = await import('pg').catch(cause => {
    throw missingPackage('pg', cause)
  })
  const pool = new pg.Pool({
    connectionString,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  })
  // Idle connections end when the server restarts; the pool makes new ones. Unheard, it would end the process.
  pool.on('error', () => {})
  const driver = new PgDriver(pool)
  try {
    await driver.query('SELECT 1')
    return driver
  } catch (error) {
    await pool.end()
    throw error
  }
}

class PgDriver implements SqlDriver {
  readonly isDurable = true
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  readonly query: Query = async (sql, parameters = []) => (await this.#pool.query(sql, [...parameters])).rows

  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    try {
      await client.query('BEGIN')
      const result = await work(
        async (sql, parameters = []) => (await client.query(sql, [...parameters])).rows,
      )
      await client.query('COMMIT')
      client.release()
      return result
    } catch (error) {
      await rollBack(client)
      throw error
    }
  }

  close(): Promise<void> {
    return this.#pool.end()
  }
}

/** A connection that cannot even roll back is thrown away. */
async function rollBack(client: PoolClient): Promise<void> {
  try {
    await client.query('ROLLBACK')
    client.release()
  } catch (error) {
    client.release(error instanceof Error ? error : true)
  }
}
