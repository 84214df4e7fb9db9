// The PostgreSQL server that tests use where there is one, and ways to look at it and to disturb it.

import pg from 'pg'

export const POSTGRES_URL = process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test'

/** For the name of a suite that needs the server: without a password. */
export const POSTGRES_NAME = `PostgreSQL (left out where none answers at ${POSTGRES_URL.replace(/:[^:@/]*@/, '@')})`

export async function hasPostgres(): Promise<boolean> {
  const client = new pg.Client({ connectionString: POSTGRES_URL, connectionTimeoutMillis: 2000 })
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}

/** Runs statements on a connection of their own. */
export async function runSql<Row extends object>(...statements: readonly string[]): Promise<Row[]> {
  const client = new pg.Client({ connectionString: POSTGRES_URL })
  await client.connect()
  try {
    let rows: Row[] = []
    for (const statement of statements) rows = (await client.query<Row>(statement)).rows
    return rows
  } finally {
    await client.end()
  }
}

/** Process ids of the sessions that work on a schema and wait for somebody's lock. */
export async function waitingSessions(schema: string): Promise<number[]> {
  const rows = await runSql<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%"${schema}"%'`,
  )
  return rows.map(({ pid }) => pid)
}

/** Runs `work` while somebody else holds the head of a store, as a commit that is under way does. */
export async function whileHeadIsHeld(schema: string, storeId: string, work: () => Promise<void>) {
  const client = new pg.Client({ connectionString: POSTGRES_URL })
  await client.connect()
  try {
    await client.query('BEGIN')
    await client.query(`SELECT FROM "${schema}".streamdingo_heads WHERE store_id = $1 FOR UPDATE`, [storeId])
    await work()
  } finally {
    await client.end()
  }
}
