// The demo's server: the built page and its sync API, on an embedded PostgreSQL unless DATABASE_URL names another.

import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import {
  bearerToken,
  createSyncServer,
  generatePrivateKey,
  importKeyPair,
  type KeyPair,
} from 'streamdingo/server'
import { type Listening, listen, openSigningKey } from 'streamdingo/server/node'
import { openPostgres } from 'streamdingo/storage/postgres'
import { BOARD_NAME } from './src/domain/board-name.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))

export type DemoServerOptions = Readonly<{
  port?: number
  /** A PostgreSQL server. Without one an embedded one is used. */
  connectionString?: string
  /** Folder of the embedded one; in memory where it is left out. */
  dataDir?: string
  /** Whether each request is written out. Default false. */
  isLogged?: boolean
}>

export async function startDemoServer(options: DemoServerOptions = {}): Promise<Listening> {
  const { port = 0, connectionString, dataDir, isLogged = false } = options
  const database = await openPostgres(connectionString ? { connectionString } : dataDir ? { dataDir } : {})
  const server = createSyncServer({
    openStorage: database.storage,
    authorize: request => boardOf(bearerToken(request)),
    signing: { name: 'demo.streamdingo.local', keyPair: await signingKey(dataDir) },
    checkStorage: database.ping,
    log: event => {
      // A board's name is its key here, so it is not for a log.
      if (isLogged) console.log(JSON.stringify({ ...event, storeId: null }))
    },
    onError: error => console.error(error),
  })
  const listening = await listen(server, { port, basePath: '/sync', staticRoot: `${HERE}dist` })
  return {
    url: listening.url,
    close: async () => {
      await listening.close()
      await database.close()
    },
  }
}

/** Kept where the database is, so that a device knows the server again; without a folder, of this run alone. */
async function signingKey(dataDir: string | undefined): Promise<KeyPair> {
  return dataDir === undefined
    ? importKeyPair(await generatePrivateKey())
    : openSigningKey(`${dataDir}-signing-key.pem`)
}

/**
 * Whoever knows a board's name may use it: right for a demo on one's own machine. A real `authorize` verifies a
 * signed token and takes the store from it.
 */
function boardOf(token: string | null) {
  return token && BOARD_NAME.test(token) ? { storeId: token, read: true, append: true, erase: true } : null
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dataDir = process.env['DEMO_DATA_DIR'] ?? `${HERE}.data`
  await mkdir(dataDir, { recursive: true })
  const connectionString = process.env['DATABASE_URL']
  const { url } = await startDemoServer({
    port: Number(process.env['PORT'] ?? 4747),
    ...(connectionString ? { connectionString } : { dataDir }),
    isLogged: process.env['DEMO_LOG'] === '1',
  })
  console.log(
    `\n  StreamDingo demo: ${url}\n  Open it in two windows, and switch one offline. Ctrl+C ends it.\n`,
  )
}
