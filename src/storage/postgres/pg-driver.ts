// PostgreSQL over the network, by the package pg.

import type { Pool, PoolClient, QueryResult } from 'pg'
import { StorageFailed } from '../../log/errors.ts'
import type { Query, SqlDriver } from './sql-driver.ts'
import { READ_TRANSACTION_STATUS } from './statements.ts'
import { missingPackage } from './storage-failure.ts'

export type PgOptions = Readonly<{
  /** Such as `postgres://user:password@host:5432/database`. */
  connectionString: string
  /** Connections at most, for all stores together. Default 10. */
  poolSize?: number
}>

/** How long a new connection, or a free one of the pool, is waited for. */
const CONNECT_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 30_000
/** Longer than the server's own limit: this one is for a server that does not answer at all. */
const ANSWER_TIMEOUT_MS = 35_000
/** A transaction holds the head of a store; a process that froze in one must not hold it for ever. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000

/** Waits before the server is asked what became of a transaction: at once, and for some three seconds more. */
const STATUS_DELAYS_MS = [0, 50, 100, 200, 400, 800, 1600]

export async function connectPg({ connectionString, poolSize = 10 }: PgOptions): Promise<SqlDriver> {
  const { default: pg } = await import('pg').catch(cause => {
    throw missingPackage('pg', cause)
  })
  const pool = new pg.Pool({
    connectionString,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
    fallback_application_name: 'streamdingo',
  })
  // A connection that breaks says so as an event, too, and unheard that ends the process. The pool listens for as
  // long as it is idle, and in use the call that fails tells enough; the pool makes new ones.
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', () => {}))
  const driver = new PgDriver(pool)
  try {
    await driver.query('SELECT 1')
    return driver
  } catch (error) {
    await driver.close()
    throw error
  }
}

class PgDriver implements SqlDriver {
  readonly isDurable = true
  readonly #pool: Pool
  #closing: Promise<void> | undefined

  constructor(pool: Pool) {
    this.#pool = pool
  }

  get isClosed(): boolean {
    return this.#closing !== undefined
  }

  readonly query: Query = async (sql, parameters = []) => (await this.#pool.query(sql, [...parameters])).rows

  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    const { result, transactionId } = await runInTransaction(client, work).catch(async error => {
      await rollBack(client, error)
      throw error
    })
    try {
      await client.query('COMMIT')
      client.release()
    } catch (error) {
      client.release(true)
      if (isRefusal(error) || !(await this.#wasCommitted(transactionId))) throw error
    }
    return result
  }

  close(): Promise<void> {
    this.#closing ??= this.#pool.end()
    return this.#closing
  }

  /** On another connection; on the server the broken one may take a moment to end. */
  async #wasCommitted(transactionId: string): Promise<boolean> {
    let cause: unknown
    for (const delayMs of STATUS_DELAYS_MS) {
      await new Promise(resolve => setTimeout(resolve, delayMs))
      try {
        const [row] = await this.query<{ status: string | null }>(READ_TRANSACTION_STATUS, [transactionId])
        if (row!.status !== 'in progress') return row!.status === 'committed'
      } catch (error) {
        cause = error
      }
    }
    const message = 'The connection broke during a commit, and whether that was written cannot be found out'
    throw new StorageFailed('unavailable', message, { cause })
  }
}

async function runInTransaction<T>(
  client: PoolClient,
  work: (query: Query) => Promise<T>,
): Promise<{ result: T; transactionId: string }> {
  // Two statements in one message give two results, which the types of pg do not tell. Read committed, whatever the
  // database's default: who loses a race reads the new head in the same transaction.
  const [, begun] = (await client.query(
    'BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_current_xact_id()::text AS id',
  )) as unknown as QueryResult<{ id: string }>[]
  const result = await work(async (sql, parameters = []) => (await client.query(sql, [...parameters])).rows)
  return { result, transactionId: begun!.rows[0]!.id }
}

/** Only the server's own no leaves a connection to go on with. Any other is thrown away, and rolls back by that. */
async function rollBack(client: PoolClient, error: unknown): Promise<void> {
  if (!isRefusal(error)) return client.release(true)
  try {
    await client.query('ROLLBACK')
    client.release()
  } catch {
    client.release(true)
  }
}

/** The server said no and lives on. A broken connection or a server that ends leaves the outcome open. */
const isRefusal = (error: unknown): boolean => (error as { severity?: unknown } | null)?.severity === 'ERROR'
