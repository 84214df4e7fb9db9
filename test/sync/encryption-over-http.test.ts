// Two devices that sync over a real socket, one of which has no key at first: nothing of what is said in clear reaches the
// server, its database, or any request.

import { afterEach, expect, test } from 'vitest'
import { createMemoryShelf, KeyRing } from '../../src/engine/encryption/key-ring.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { utf8 } from '../../src/log/bytes.ts'
import { listen } from '../../src/server/node.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import type { LoopStatus } from '../../src/sync/status-of.ts'
import { createSyncLoop } from '../../src/sync/sync-loop.ts'
import { placesOf } from '../support/stored-text.ts'
import { createServer, STORE, TOKEN } from './sync-world.ts'

const SECRET = 'the-name-of-somebody'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const contains = (bytes: Uint8Array, text: string): boolean =>
  Buffer.from(bytes).includes(Buffer.from(utf8(text)))

test('what is encrypted crosses as ciphertext, and is read where the key is, also when that comes later', async () => {
  const database = createMemoryDatabase()
  const server = createServer({}, database)
  const { url, close } = await listen(server, { basePath: '/sync' })
  ends.push(close)
  const bodies: Uint8Array[] = []

  async function start(raw: Uint8Array<ArrayBuffer> | null) {
    const ring = new KeyRing({ shelf: createMemoryShelf() })
    if (raw) await ring.add('k', raw)
    const log = await openLog({
      storage: memoryStorage(),
      storeId: STORE,
      encryption: { ring, keyIdFor: () => 'k' },
    })
    const looks: (() => void)[] = []
    const loop = createSyncLoop({
      log,
      url: `${url}/sync`,
      token: () => TOKEN,
      onStatus: () => {
        for (const look of looks.splice(0)) look()
      },
      fetch: async (target, init) => {
        const sent = init?.body
        if (sent instanceof Uint8Array) bodies.push(sent)
        else if (typeof sent === 'string') bodies.push(utf8(sent))
        return fetch(target, init)
      },
    })
    loop.start()
    ends.push(async () => {
      await loop.stop()
      await log.close()
    })
    const until = async (fits: (status: LoopStatus) => boolean): Promise<void> => {
      while (!fits(loop.status())) await new Promise<void>(resolve => looks.push(resolve))
    }
    return { log, store: createEventStore(log), until }
  }

  const raw = crypto.getRandomValues(new Uint8Array(32))
  const [one, two] = [await start(raw), await start(null)]
  await one.store.appendToStream('a', [
    { type: 'Said', data: { text: SECRET }, tags: [SECRET], metadata: { who: SECRET } },
  ])
  await one.until(({ pending, phase }) => pending === 0 && phase === 'idle')
  await two.until(({ serverPosition }) => serverPosition === 1)

  expect(bodies.length).toBeGreaterThan(0)
  expect(bodies.some(body => contains(body, '"encryption"'))).toBe(true)
  expect(bodies.some(body => contains(body, SECRET))).toBe(false)
  expect(database.blocks.length).toBeGreaterThan(0)
  expect(placesOf(SECRET, database)).toEqual([])

  expect((await two.store.readStream('a')).events).toEqual([])
  expect(await two.log.keys.list()).toEqual([{ keyId: 'k', state: 'missing' }])
  await expect(two.store.appendToStream('a', [{ type: 'Said', data: 1 }])).rejects.toMatchObject({
    code: 'key-missing',
  })
  await two.log.keys.add('k', raw)
  expect((await two.store.readStream('a')).events).toMatchObject([{ data: { text: SECRET }, tags: [SECRET] }])
  await two.store.appendToStream('a', [{ type: 'Said', data: { text: `${SECRET} too` } }])
  await one.until(({ serverPosition }) => serverPosition === 2)
  expect((await one.store.readStream('a')).events.map(({ data }) => data)).toEqual([
    { text: SECRET },
    { text: `${SECRET} too` },
  ])
  expect(placesOf(SECRET, database)).toEqual([])
})
