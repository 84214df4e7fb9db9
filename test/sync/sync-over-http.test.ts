// The loop with everything of the platform: its fetch, its clock, a socket in between.

import { afterEach, expect, test } from 'vitest'
import { listen } from '../../src/server/node.ts'
import { startHttpDevice } from './http-device.ts'
import { createServer } from './sync-world.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function serve() {
  const { url, close } = await listen(createServer({}), { basePath: '/sync' })
  ends.push(close)
  return { url: `${url}/sync`, close }
}

async function startDevice(url: string) {
  const device = await startHttpDevice(url)
  ends.push(device.stop)
  return device
}

test('what one device appends reaches another that only listens', async () => {
  const { url } = await serve()
  const [one, two] = [await startDevice(url), await startDevice(url)]
  await two.until(({ phase }) => phase === 'idle')
  await one.store.appendToStream('a', [{ type: 'Said', data: 'hello' }])
  await two.until(({ serverPosition }) => serverPosition === 1)
  expect((await two.store.readStream('a')).events).toMatchObject([
    { type: 'Said', data: 'hello', metadata: { status: 'confirmed' } },
  ])
  await one.until(({ pending }) => pending === 0)
})

test('a server that is gone leaves what is pending alone, and says why nothing happens', async () => {
  const { url, close } = await serve()
  const device = await startDevice(url)
  await device.until(({ phase }) => phase === 'idle')
  await close()
  await device.store.appendToStream('a', [{ type: 'Said', data: 'hello' }])
  const status = await device.until(({ phase }) => phase === 'waiting')
  expect(status).toMatchObject({ pending: 1, error: { code: 'sync-unreachable' } })
})
