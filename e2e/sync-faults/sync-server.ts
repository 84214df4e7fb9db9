// A sync server in a process of its own, to be killed. Whoever names a store may use it, as with the harness.

import { bearerToken, createSyncServer } from 'streamdingo/server'
import { listen, openSigningKey } from 'streamdingo/server/node'
import { openPostgres } from 'streamdingo/storage/postgres'

const { PORT, SITE, CONNECTION, SCHEMA, DATA_DIR, KEY } = process.env as Record<string, string>

const database = await openPostgres(
  CONNECTION ? { connectionString: CONNECTION, schema: SCHEMA! } : { dataDir: DATA_DIR! },
)
const server = createSyncServer({
  openStorage: database.storage,
  authorize: request => {
    const storeId = bearerToken(request)
    return storeId ? { storeId, read: true, append: true, erase: true } : null
  },
  cors: { origins: [SITE!] },
  signing: { name: 'faults.streamdingo.local', keyPair: await openSigningKey(KEY!) },
  checkStorage: database.ping,
  onError: error => console.error(error),
})
const { url } = await listen(server, { port: Number(PORT) })
console.log(url)
