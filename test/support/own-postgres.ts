// A PostgreSQL server of a test's own, to be killed: from the binaries of this machine, where there are some.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

const run = promisify(execFile)

/** Debian keeps them out of the path. */
const DEBIAN = '/usr/lib/postgresql'

export type OwnPostgres = Readonly<{
  url: string
  /** SIGKILL to the server and all that it started, with no warning. */
  kill: () => Promise<void>
  /** As it is after {@link kill}: it recovers from its write-ahead log. */
  start: () => Promise<void>
  remove: () => Promise<void>
}>

/** Where `initdb` and `postgres` are; null for nowhere, or where nobody but root, as whom it does not run, could run it. */
export async function findPostgresBinaries(): Promise<string | null> {
  const debian = existsSync(DEBIAN)
    ? (await readdir(DEBIAN)).map(version => join(DEBIAN, version, 'bin'))
    : []
  const places = [...(process.env['PATH'] ?? '').split(':'), ...debian.sort().reverse()]
  const found = places.find(place => ['initdb', 'postgres'].every(name => existsSync(join(place, name))))
  return found && (await owner().catch(() => null)) ? found : null
}

/** PostgreSQL refuses to run as root. */
async function owner(): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async flag => Number((await run('id', [flag, 'postgres'])).stdout)),
  )
  return { uid: uid!, gid: gid! }
}

export async function createOwnPostgres(binaries: string): Promise<OwnPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'streamdingo-postgres-'))
  const as = await owner()
  if (as.uid !== undefined) await chown(folder, as.uid, as.gid!)
  const data = join(folder, 'data')
  await run(join(binaries, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], {
    ...as,
    cwd: folder,
  })
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let server: ChildProcess | null = null

  async function start(): Promise<void> {
    const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`]
    const args = ['-D', data, ...settings.flatMap(setting => ['-c', setting])]
    server = spawn(join(binaries, 'postgres'), args, { ...as, cwd: folder, stdio: 'ignore' })
    while (!(await answers(url))) {
      if (server.exitCode !== null) throw new Error(`PostgreSQL ended with ${server.exitCode}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  async function kill(): Promise<void> {
    if (!server) return
    const { pid } = server
    const gone = new Promise(resolve => server!.once('exit', resolve))
    // Stopped first, so that it starts nothing more.
    process.kill(pid!, 'SIGSTOP')
    const started = await childrenOf(pid!)
    for (const one of [...started, pid!]) process.kill(one, 'SIGKILL')
    await gone
    server = null
    while (started.some(isAlive)) await new Promise(resolve => setTimeout(resolve, 5))
  }

  return {
    url,
    start,
    kill,
    remove: async () => {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000 })
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const all = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const parents = await Promise.all(all.map(parentOf))
  return all.filter((_, i) => parents[i] === pid)
}

/** Null for a process that is gone. */
async function parentOf(pid: number): Promise<number | null> {
  try {
    // The name before it stands in parentheses, and may have any characters within.
    return Number(/\) \w (\d+)/.exec(await readFile(`/proc/${pid}/stat`, 'utf8'))![1])
  } catch {
    return null
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
