// The sync server as a process that is killed and started again, on the same port and database.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasPostgres, POSTGRES_URL, runSql } from '../../test/support/postgres.ts'
import { urlFrom } from '../support/servers.ts'

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export type KillableServer = Readonly<{
  url: string
  /** SIGKILL: no answer that was under way is finished. */
  kill: () => Promise<void>
  /** As it is behind {@link kill}. */
  start: () => Promise<void>
  remove: () => Promise<void>
}>

/** On PostgreSQL where one answers, else on a PGlite that is kept on disk. @param site Origin of the pages that may call */
export async function startKillableServer(site: string): Promise<KillableServer> {
  const folder = await mkdtemp(join(tmpdir(), 'streamdingo-faults-'))
  const schema = `faults_${crypto.randomUUID().slice(0, 8)}`
  const isOnPostgres = await hasPostgres()
  let child: ChildProcess
  let port = '0'

  async function start(): Promise<void> {
    child = spawn(process.execPath, ['--import', 'tsx', at('e2e/sync-faults/sync-server.ts')], {
      cwd: at('.'),
      env: {
        ...process.env,
        PORT: port,
        SITE: site,
        CONNECTION: isOnPostgres ? POSTGRES_URL : '',
        SCHEMA: schema,
        DATA_DIR: join(folder, 'data'),
        KEY: join(folder, 'key.pem'),
        // Without paths to the sources: the server runs on the package as it is published.
        TSX_TSCONFIG_PATH: at('demo/tsconfig.json'),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    port = new URL(await urlFrom(child)).port
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    start,
    kill,
    remove: async () => {
      await kill()
      if (isOnPostgres) await runSql(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
