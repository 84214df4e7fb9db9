// The database of the bench's sync server: a new one on the PostgreSQL that tests use, where one runs.

import { hasPostgres, POSTGRES_URL, runSql } from '../../test/support/postgres.ts'

export type BenchDatabase = Readonly<{
  /** For the note under the figures. */
  name: string
  /** Empty for the PGlite that the server has in its own process. */
  url: string
  drop: () => Promise<void>
}>

export async function openBenchDatabase(): Promise<BenchDatabase> {
  if (!(await hasPostgres())) return { name: 'PGlite', url: '', drop: async () => {} }
  const database = `streamdingo_bench_${process.pid}`
  await runSql(`CREATE DATABASE ${database} ENCODING 'UTF8' TEMPLATE template0`)
  const [version] = await runSql<{ server_version: string }>('SHOW server_version')
  const url = new URL(POSTGRES_URL)
  url.pathname = `/${database}`
  return {
    name: `PostgreSQL ${version!.server_version.split(' ')[0]}`,
    url: url.href,
    drop: async () => {
      await runSql(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`)
    },
  }
}
