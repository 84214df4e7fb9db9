// Servers under test, each a process or a socket of its own on this machine only.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { preview } from 'vite'

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export type RunningServer = Readonly<{ url: string; close: () => Promise<void> }>

export type DemoServer = RunningServer &
  Readonly<{
    /** SIGKILL: no answer that was under way is finished. */
    kill: () => Promise<void>
    /** As it is behind {@link kill}, at the same address. */
    startAgain: () => Promise<void>
  }>

/** The demo's server as `npm start` runs it, on a PGlite of its own unless a PostgreSQL database is named. */
export async function startDemoServer(databaseUrl = ''): Promise<DemoServer> {
  // Beside the database stand its lock and the server's key.
  const folder = await mkdtemp(join(tmpdir(), 'streamdingo-demo-'))
  let child: ChildProcess
  async function start(port: string): Promise<string> {
    child = spawn(process.execPath, ['--import', 'tsx', at('demo/server.ts')], {
      cwd: at('.'),
      env: {
        ...process.env,
        PORT: port,
        DEMO_DATA_DIR: join(folder, 'data'),
        TSX_TSCONFIG_PATH: at('demo/tsconfig.json'),
        DATABASE_URL: databaseUrl,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return urlFrom(child)
  }
  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }
  const url = await start('0')
  return {
    url,
    kill,
    startAgain: async () => void (await start(new URL(url).port)),
    close: async () => {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export type HarnessOptions = Readonly<{
  /** Reached under the harness's own origin, at `/sync`. */
  syncServer?: string
  /** Isolated from other origins, a page may ask how much memory it takes. */
  isIsolated?: boolean
}>

export async function serveHarness({
  syncServer,
  isIsolated = false,
}: HarnessOptions = {}): Promise<RunningServer> {
  const server = await preview({
    configFile: at('e2e/harness/vite.config.ts'),
    logLevel: 'warn',
    preview: {
      host: '127.0.0.1',
      port: 0,
      ...(isIsolated && { headers: ISOLATION }),
      ...(syncServer && { proxy: { '/sync': syncServer } }),
    },
  })
  const address = server.httpServer.address()
  if (typeof address !== 'object' || !address) throw new Error('The harness has no port')
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() }
}

const ISOLATION = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
}

/** The first address that it writes out. */
export function urlFrom(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stdout!.on('data', chunk => {
      output += String(chunk)
      const url = /http:\/\/\S+/.exec(output)?.[0]
      if (url) resolve(url)
    })
    child.once('exit', code =>
      reject(new Error(`The server ended with ${code} before it listened: ${output}`)),
    )
  })
}
