// Either side restored from a backup in the middle of it: nothing acknowledged is lost, nothing doubled, all meet.

import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { createMemoryDatabase, type MemoryDatabase } from '../../src/storage/memory/index.ts'
import { copyOf, type Device, SyncWorld } from './sync-world.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const worlds: SyncWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

function createWorld(): SyncWorld {
  const world = new SyncWorld()
  worlds.push(world)
  return world
}

/** Of one that signs nothing. */
async function createUnsigned(): Promise<SyncWorld> {
  const world = createWorld()
  await world.restart(null)
  return world
}

async function startDevices(world: SyncWorld, count: number): Promise<Device[]> {
  const devices = await Promise.all(Array.from({ length: count }, () => world.openDevice()))
  for (const { loop } of devices) loop.start()
  return devices
}

const say = async (device: Device, streamName: string, ...texts: string[]): Promise<void> => {
  for (const text of texts) await device.append(streamName, [text])
}

async function wordsOf({ log }: Device): Promise<unknown[]> {
  const words: unknown[] = []
  for await (const part of log.readAll()) for (const { data } of part) words.push(data)
  return words
}

/** Resolves when the device has told the server all that it has, once it knows that it has more. */
async function sentAgain(world: SyncWorld, device: Device): Promise<void> {
  await world.run(() => device.log.pendingCount() > 0)
  await whenIdle(world, device)
}

const whenIdle = (world: SyncWorld, { loop }: Device): Promise<void> =>
  world.run(() => loop.status().phase === 'idle' && loop.status().pending === 0)

async function expectEqual(devices: readonly Device[]): Promise<void> {
  const first = await devices[0]!.confirmed()
  for (const device of devices) {
    expect(await device.confirmed()).toEqual(first)
    expect(device.log.pendingCount()).toBe(0)
    expect(device.loop.status().error).toBeNull()
    expect(await device.log.verify()).toMatchObject({ ok: true })
  }
}

function goOffline(...devices: Device[]): void {
  for (const { loop } of devices) loop.setOnline(false)
}

function goOnline(...devices: Device[]): void {
  for (const { loop } of devices) loop.setOnline(true)
}

describe('a server restored from a backup, with a new epoch', () => {
  test('gets again what it has lost, from whoever comes first, as it was to the byte', async () => {
    const world = createWorld()
    const [one, two] = (await startDevices(world, 2)) as [Device, Device]
    await say(one, 'a', 'kept')
    await world.converge()
    const backup = world.backUp()
    await say(one, 'a', 'lost 1')
    await world.converge()
    await say(two, 'a', 'lost 2')
    await say(two, 'b', 'lost 3')
    await world.converge()
    const before = await one.confirmed()
    goOffline(two)
    await world.restore(backup)
    one.loop.poke()
    await sentAgain(world, one)
    expect(await one.confirmed()).toEqual(before)
    goOnline(two)
    await world.converge()
    await expectEqual([one, two])
    expect(await two.confirmed()).toEqual(before)
  })

  test('is asked once how it begins, where it was only cut back', async () => {
    const world = createWorld()
    const [device] = (await startDevices(world, 1)) as [Device]
    await say(device, 'a', '1', '2', '3')
    await world.converge()
    const backup = world.backUp()
    await say(device, 'a', '4', '5')
    await world.converge()
    await world.restore(backup)
    device.requests.length = 0
    device.loop.poke()
    await sentAgain(world, device)
    expect(device.requests.filter(request => request === 'GET /v1/prefix')).toHaveLength(1)
  })

  test('is told how much waits meanwhile, and what is pending in a fold says so', async () => {
    const world = createWorld()
    const [device] = (await startDevices(world, 1)) as [Device]
    await say(device, 'a', '1')
    await world.converge()
    const backup = world.backUp()
    await say(device, 'a', '2', '3')
    await world.converge()
    const changes: (number | null)[] = []
    device.log.onChange(({ unconfirmedFrom }) => changes.push(unconfirmedFrom))
    await world.restore(backup)
    device.loop.poke()
    const { pending } = await device.until(status => status.pending > 0)
    expect(pending).toBe(2)
    expect(changes).toEqual([expect.any(Number)])
    await world.converge()
    expect(await wordsOf(device)).toEqual(['1', '2', '3'])
  })

  test('reset to an empty log: all of it is sent again', async () => {
    const world = createWorld()
    const devices = await startDevices(world, 2)
    await say(devices[0]!, 'a', '1', '2')
    await say(devices[1]!, 'b', '3')
    await world.converge()
    const before = await devices[0]!.confirmed()
    await world.replaceServer()
    for (const { loop } of devices) loop.poke()
    await world.converge()
    await expectEqual(devices)
    expect(await devices[0]!.confirmed()).toEqual(before)
  })

  test('has other events by then: what was confirmed comes behind them, by whichever device, and once', async () => {
    const world = createWorld()
    const devices = (await startDevices(world, 3)) as [Device, Device, Device]
    await say(devices[0], 'a', 'kept')
    await world.converge()
    const backup = world.backUp()
    await say(devices[0], 'a', 'lost 1')
    await world.converge()
    await say(devices[1], 'a', 'lost 2')
    await say(devices[1], 'b', 'lost 3')
    await world.converge()
    goOffline(...devices)
    await world.restore(backup)
    const other = await world.openDevice()
    await say(other, 'a', 'meanwhile')
    other.loop.start()
    await other.until(({ phase, serverPosition }) => phase === 'idle' && serverPosition === 2)
    goOnline(...devices)
    await world.converge()
    await expectEqual([...devices, other])
    expect(await wordsOf(other)).toEqual(['kept', 'meanwhile', 'lost 1', 'lost 2', 'lost 3'])
    for (const { rejected } of devices) expect(rejected).toEqual([])
  })

  test('what a command did and others have seen is not decided again; what nobody saw is', async () => {
    const world = createWorld()
    const [one, two] = (await startDevices(world, 2)) as [Device, Device]
    const backup = world.backUp()
    await one.fill(6)
    await world.converge()
    goOffline(one, two)
    await one.fill(3)
    await world.restore(backup)
    const other = await world.openDevice()
    await other.fill(5)
    other.loop.start()
    await other.until(({ phase, serverPosition }) => phase === 'idle' && serverPosition === 1)
    goOnline(one)
    await whenIdle(world, one)
    goOnline(two)
    await world.converge()
    await expectEqual([one, two, other])
    expect(await wordsOf(two)).toEqual([{ by: 5 }, { by: 6 }])
    expect(one.rejected).toMatchObject([
      { command: { command: { data: { by: 3 } } }, reason: { code: 'command-refused' } },
    ])
    expect(two.rejected).toEqual([])
  })

  test('is told again of what was erased since the backup', async () => {
    const world = createWorld()
    const devices = (await startDevices(world, 2)) as [Device, Device]
    await say(devices[0], 'a', 'kept', 'private')
    await world.converge()
    const backup = world.backUp()
    const events = (await createEventStore(devices[0].log).readStream('a')).events
    await devices[0].log.erasures.erase([events[1]!.metadata.eventId])
    devices[0].loop.poke()
    await world.settle()
    await world.restore(backup)
    for (const { loop } of devices) loop.poke()
    await world.settle()
    const late = await world.openDevice()
    late.loop.start()
    await world.settle()
    expect(await wordsOf(late)).toEqual(['kept'])
  })

  test('restored twice, the second time before all had met again', async () => {
    const world = createWorld()
    const devices = (await startDevices(world, 2)) as [Device, Device]
    await say(devices[0], 'a', '1')
    await world.converge()
    const backup = world.backUp()
    await say(devices[0], 'a', '2')
    await say(devices[1], 'b', '3')
    await world.converge()
    goOffline(devices[1])
    await world.restore(backup)
    await say(devices[0], 'b', '4')
    devices[0].loop.poke()
    await sentAgain(world, devices[0])
    await world.restore(backup)
    await say(devices[1], 'b', '5')
    goOnline(devices[1])
    await world.converge()
    devices[0].loop.poke()
    await world.converge()
    await expectEqual(devices)
    expect((await wordsOf(devices[0])).toSorted()).toEqual(['1', '2', '3', '4', '5'])
  })
})

describe('a server that went back and does not say so', () => {
  test('is held to what it signed: sync stops, with the checkpoint that shows it', async () => {
    const world = createWorld()
    const [device] = (await startDevices(world, 1)) as [Device]
    await say(device, 'a', '1')
    await world.converge()
    const backup = world.backUp()
    await say(device, 'a', '2')
    await world.converge()
    await world.restore(backup, { isTold: false })
    device.loop.poke()
    const { error, pending } = await device.until(({ phase }) => phase === 'stopped')
    expect(error).toMatchObject({
      code: 'server-inconsistent',
      facts: { head: 1, before: expect.stringContaining('\n2\n') },
    })
    expect(pending).toBe(0)
    await world.server.rotateEpoch('shared')
    device.loop.poke()
    await world.converge()
    expect(await wordsOf(device)).toEqual(['1', '2'])
    await expectEqual([device])
  })

  test('gets what it has lost where it signs nothing', async () => {
    const world = await createUnsigned()
    const devices = (await startDevices(world, 2)) as [Device, Device]
    await say(devices[0], 'a', '1')
    await world.converge()
    const backup = world.backUp()
    await say(devices[0], 'a', '2')
    await world.converge()
    const before = await devices[0].confirmed()
    world.database = copyOf(backup)
    await world.restart(null)
    for (const { loop } of devices) loop.poke()
    await world.converge()
    await expectEqual(devices)
    expect(await devices[0].confirmed()).toEqual(before)
  })

  test('is found out, too, where it went another way and further than before', async () => {
    const world = await createUnsigned()
    const devices = (await startDevices(world, 2)) as [Device, Device]
    await say(devices[0], 'a', '1')
    await world.converge()
    const backup = world.backUp()
    await say(devices[0], 'a', '2')
    await world.converge()
    goOffline(...devices)
    world.database = copyOf(backup)
    await world.restart(null)
    const other = await world.openDevice()
    await say(other, 'z', '3', '4', '5')
    other.loop.start()
    await other.until(({ phase, serverPosition }) => phase === 'idle' && serverPosition === 4)
    goOnline(...devices)
    await world.converge()
    await expectEqual([...devices, other])
    expect((await wordsOf(other)).toSorted()).toEqual(['1', '2', '3', '4', '5'])
  })
})

describe('a device whose profile is an older one', () => {
  test('restored: gets again from the server what it had, and nothing is doubled', async () => {
    const world = createWorld()
    const database = createMemoryDatabase()
    const device = await world.openDevice(database)
    await say(device, 'a', 'sent')
    await say(device, 'b', 'pending in the backup')
    const profile = copyOf(database)
    device.loop.start()
    await world.converge()
    await say(device, 'a', 'after the backup')
    await world.converge()
    const before = await device.confirmed()
    const again = await world.openDevice(profile)
    await say(again, 'b', 'after the restore')
    again.loop.start()
    await world.converge()
    await expectEqual([device, again])
    expect((await again.confirmed()).slice(0, 3)).toEqual(before)
    expect(await wordsOf(again)).toEqual([
      'sent',
      'pending in the backup',
      'after the backup',
      'after the restore',
    ])
  })

  test('cloned with what is pending: both push it, on heads that differ, and it is there once', async () => {
    const world = createWorld()
    const database = createMemoryDatabase()
    const one = await world.openDevice(database)
    await say(one, 'a', 'of both')
    await one.fill(4)
    const two = await world.openDevice(copyOf(database))
    const other = await world.openDevice()
    await say(other, 'a', 'first')
    other.loop.start()
    await world.run(() => other.loop.status().serverPosition === 1)
    await say(one, 'a', 'of one')
    await say(two, 'a', 'of two')
    for (const { loop } of [one, two]) loop.start()
    await world.converge()
    await expectEqual([one, two, other])
    const words = (await wordsOf(other)).map(said => JSON.stringify(said))
    expect(words.toSorted()).toEqual(['"first"', '"of both"', '"of one"', '"of two"', '{"by":4}'])
    for (const { rejected } of [one, two]) expect(rejected).toEqual([])
  })
})

test('whatever is restored in the middle, all meet, nothing acknowledged is lost and nothing doubled', async () => {
  const step = fc.record({
    device: fc.nat(2),
    action: fc.constantFrom(
      'append',
      'append',
      'append',
      'fill',
      'sync',
      'sync',
      'back up',
      'restore',
      'keep profile',
      'clone',
    ),
    stream: fc.constantFrom('a', 'b'),
  })
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(step, { maxLength: 25 }), async (isSigning, steps) => {
      const world = new SyncWorld()
      if (!isSigning) await world.restart(null)
      const databases = [0, 1, 2].map(() => createMemoryDatabase())
      const devices = await Promise.all(databases.map(database => world.openDevice(database)))
      for (const { loop } of devices) loop.setOnline(false)
      for (const { loop } of devices) loop.start()
      let backup = world.backUp()
      let profile: MemoryDatabase | null = null
      const said: string[] = []
      try {
        for (const { device: n, action, stream } of steps) {
          const device = devices[n]!
          if (action === 'append') {
            said.push(String(said.length))
            await device.append(stream, [said.at(-1)!])
          } else if (action === 'fill') await device.fill(3).catch(() => {})
          else if (action === 'sync') {
            device.loop.setOnline(true)
            await whenIdle(world, device)
            device.loop.setOnline(false)
          } else if (action === 'back up') backup = world.backUp()
          else if (action === 'restore') {
            world.database = copyOf(backup)
            await world.restart(isSigning ? undefined : null)
            if (isSigning) await world.server.rotateEpoch('shared')
          } else if (action === 'keep profile') profile = copyOf(databases[n]!)
          else if (profile && devices.length < 5) {
            const clone = await world.openDevice(copyOf(profile))
            clone.loop.setOnline(false)
            clone.loop.start()
            devices.push(clone)
          }
        }
        for (let round = 0; round < 2; round++) {
          for (const { loop } of devices) loop.setOnline(true)
          for (const { loop } of devices) loop.poke()
          await world.converge()
        }
        await expectEqual(devices)
        const recorded = await wordsOf(devices[0]!)
        expect(recorded.filter(one => typeof one === 'string').toSorted()).toEqual(said.toSorted())
      } finally {
        await world.close()
      }
    }),
    { numRuns: 40 },
  )
})
