// The loop over real sockets that break, stall and crawl. Waits are a twentieth as long as they are for users.

import { expect, onTestFinished, test } from 'vitest'
import { listen } from '../../src/server/node.ts'
import { createMemoryDatabase } from '../../src/storage/memory/index.ts'
import { openFaultyProxy, type Wire, type WireFault } from '../support/faulty-proxy.ts'
import { hastyClock } from './hasty-clock.ts'
import { type HttpDevice, startHttpDevice } from './http-device.ts'
import { createServer } from './sync-world.ts'

const ALL = Number.POSITIVE_INFINITY

const FAULTS: readonly (readonly [string, WireFault])[] = [
  ['cut at the first byte', { up: 0, down: 0, end: 'cut' }],
  ['cut in the middle of what is sent', { up: 600, down: ALL, end: 'cut' }],
  ['cut before the answer', { up: ALL, down: 0, end: 'cut' }],
  ['cut in the middle of the answer', { up: ALL, down: 100, end: 'cut' }],
  ['half open: nothing arrives, and nobody says so', { up: 0, down: 0, end: 'silence' }],
  ['silent in the middle of what is sent', { up: 600, down: ALL, end: 'silence' }],
  ['silent before the answer', { up: ALL, down: 0, end: 'silence' }],
  ['silent in the middle of the answer', { up: ALL, down: 100, end: 'silence' }],
]

/** Two devices on one server: the first one's connections are the test's to break. */
async function startDevices() {
  const server = await listen(createServer({}, createMemoryDatabase()))
  const proxy = await openFaultyProxy(server.url)
  const devices = [
    await startHttpDevice(proxy.url, hastyClock),
    await startHttpDevice(server.url, hastyClock),
  ] as const
  onTestFinished(async () => {
    for (const { stop } of devices) await stop()
    await proxy.close()
    await server.close()
  })
  for (const { until } of devices) await until(({ phase }) => phase === 'idle')
  return { proxy, devices }
}

const say = ({ store }: HttpDevice, ...texts: readonly string[]) =>
  store.appendToStream(
    'a',
    texts.map(data => ({ type: 'Said', data })),
  )

async function saidOn({ store }: HttpDevice): Promise<unknown[][]> {
  return (await store.readStream('a')).events.map(({ data, metadata }) => [data, metadata.status])
}

const through = (position: number) => (status: { serverPosition: number; pending: number }) =>
  status.serverPosition === position && status.pending === 0

test.each(FAULTS)('%s: it is said, and all arrives once when it is over', async (_name, fault) => {
  const { proxy, devices } = await startDevices()
  const [near, far] = devices
  proxy.setWire(fault)
  await say(near, 'x'.repeat(2000), 'y')
  expect(await near.until(({ phase }) => phase === 'waiting')).toMatchObject({
    pending: 2,
    error: { code: 'sync-unreachable' },
  })
  await say(far, 'z')
  proxy.setWire('sound')
  for (const { until } of devices) await until(through(3))
  const texts = await saidOn(far)
  expect(texts.map(String).sort()).toEqual([`${'x'.repeat(2000)},confirmed`, 'y,confirmed', 'z,confirmed'])
  expect(await saidOn(near)).toEqual(texts)
  for (const { log } of devices) expect(await log.verify()).toMatchObject({ ok: true })
})

test('a device whose connection went silent while it only listened hears of what came', async () => {
  const { proxy, devices } = await startDevices()
  const [near, far] = devices
  proxy.setWire({ up: 0, down: 0, end: 'silence' })
  await say(far, 'one')
  await expect.poll(proxy.broken).toBe(1)
  proxy.setWire('sound')
  await near.until(through(1))
  expect(await saidOn(near)).toEqual([['one', 'confirmed']])
})

test('a slow wire is no fault', async () => {
  const { proxy, devices } = await startDevices()
  const [near, far] = devices
  proxy.setWire('slow')
  const problems: unknown[] = []
  const watched = near.until(({ error }) => {
    if (error) problems.push(error)
    return near.loop.status().phase === 'off'
  })
  await say(near, 'x'.repeat(5000))
  for (const { until } of devices) await until(through(1))
  expect(await saidOn(far)).toEqual([['x'.repeat(5000), 'confirmed']])
  await near.loop.stop()
  await watched
  expect(problems).toEqual([])
})

test('a wire that breaks all the time, now here, now there, loses nothing and doubles nothing', async () => {
  const { proxy, devices } = await startDevices()
  const texts: string[] = []
  const wires: readonly Wire[] = [...FAULTS.map(([, fault]) => fault), 'sound', 'slow']
  // Steps of three meet all ten, in another order than above.
  for (let i = 0; i < 30; i++) {
    proxy.setWire(wires[(i * 3) % wires.length]!)
    for (const [who, device] of devices.entries()) {
      texts.push(`${i} of ${who}`)
      await say(device, `${i} of ${who}`)
    }
    await new Promise(resolve => setTimeout(resolve, 40))
  }
  proxy.setWire('sound')
  for (const { until } of devices) await until(through(texts.length))
  const [near, far] = devices
  const said = await saidOn(near)
  expect(said.map(([text]) => text).sort()).toEqual(texts.sort())
  expect(await saidOn(far)).toEqual(said)
  for (const { log, loop } of devices) {
    expect(loop.status().rejected).toBe(0)
    expect(await log.verify()).toMatchObject({ ok: true })
  }
}, 30_000)
