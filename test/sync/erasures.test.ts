// What is erased on one device is erased on the server and on all others, whatever the network does on the way.

import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { createMemoryDatabase, type MemoryDatabase } from '../../src/storage/memory/index.ts'
import { placesOf } from '../support/stored-text.ts'
import { type Device, FAULTS, SyncWorld } from './sync-world.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

const worlds: SyncWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

type Replica = Readonly<{ device: Device; database: MemoryDatabase }>

function createWorld(): SyncWorld {
  const world = new SyncWorld()
  worlds.push(world)
  return world
}

async function start(world: SyncWorld): Promise<Replica> {
  const database = createMemoryDatabase()
  const device = await world.openDevice(database)
  device.loop.start()
  return { device, database }
}

/** Ids of all events that a device has. */
async function idsOf({ log }: Device): Promise<string[]> {
  const ids: string[] = []
  for await (const { metadata } of createEventStore(log).readAll()) ids.push(metadata.eventId)
  return ids
}

test('a device that is online hears at once of what another one erased', async () => {
  const world = createWorld()
  const [one, two] = [await start(world), await start(world)]
  await one.device.append('a', ['kept', 'a-secret'])
  await world.converge()
  const [, id] = await idsOf(one.device)
  await one.device.log.erasures.erase([id!], { reason: 'asked for' })
  await world.run(() => two.device.log.erasures.count === 1)
  await world.converge()
  for (const database of [one.database, two.database, world.database]) {
    expect(placesOf('a-secret', database)).toEqual([])
  }
  const listed = [{ eventIds: [id], reason: 'asked for' }]
  for (const { log } of world.devices) {
    expect(log.erasures.list()).toMatchObject(listed)
    expect(await log.verify()).toMatchObject({ ok: true })
  }
  expect(await two.device.confirmed()).toEqual(await one.device.confirmed())
  expect(await two.device.confirmed()).toHaveLength(1)
})

test('what was pending when it was erased goes to the server without its content', async () => {
  const world = createWorld()
  const one = await start(world)
  await world.converge()
  one.device.loop.setOnline(false)
  await one.device.append('a', ['a-secret', 'kept'])
  const [id] = await idsOf(one.device)
  await one.device.log.erasures.erase([id!])
  expect(one.device.loop.status()).toMatchObject({ pending: 2, unsentErasures: 1 })
  one.device.loop.setOnline(true)
  await world.settle()
  const two = await start(world)
  await world.settle()
  for (const database of [one.database, two.database, world.database]) {
    expect(placesOf('a-secret', database)).toEqual([])
  }
  expect(await two.device.confirmed()).toHaveLength(1)
  expect(two.device.log.erasures.list()).toMatchObject([{ eventIds: [id] }])
  for (const { log } of world.devices) expect(await log.verify()).toMatchObject({ ok: true, events: 2 })
})

test('a server that does not let this device erase is shown, and all else goes on', async () => {
  const world = createWorld()
  const one = await start(world)
  await one.device.append('a', ['a-secret'])
  await world.converge()
  const refuse = () =>
    Response.json({ code: 'forbidden', message: 'This token may not erase' }, { status: 403 })
  one.device.faults.push(refuse)
  const [id] = await idsOf(one.device)
  await one.device.log.erasures.erase([id!])
  await world.run(() => one.device.loop.status().error !== null)
  await one.device.append('a', ['more'])
  await world.converge()
  expect(one.device.loop.status()).toMatchObject({
    phase: 'idle',
    pending: 0,
    unsentErasures: 1,
    error: { code: 'sync-refused', facts: { status: 403 } },
  })
  expect(placesOf('a-secret', one.database)).toEqual([])
  expect(placesOf('a-secret', world.database)).not.toEqual([])
  one.device.loop.poke()
  await world.settle()
  expect(one.device.loop.status()).toMatchObject({ unsentErasures: 0, error: null })
  expect(placesOf('a-secret', world.database)).toEqual([])
})

test('in any order of appends, erasures, faults and devices, nothing that was erased is left anywhere', async () => {
  const step = fc.record({
    kind: fc.constantFrom('append', 'append', 'erase', 'offline', 'online', 'fault', 'wait'),
    device: fc.nat(2),
    pick: fc.nat(50),
    fault: fc.constantFrom(FAULTS.lostRequest, FAULTS.lostAnswer, FAULTS.failing, FAULTS.portal),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async steps => {
      const world = new SyncWorld()
      try {
        const replicas = [await start(world), await start(world), await start(world)]
        const textOf = new Map<string, string>()
        const erased: string[] = []
        for (const [n, { kind, device: i, pick, fault }] of steps.entries()) {
          const { device } = replicas[i]!
          if (kind === 'append') {
            const id = crypto.randomUUID()
            textOf.set(id, `secret-${n}-of-${i}.`)
            const events = [{ type: 'Said', id, data: textOf.get(id) }]
            await createEventStore(device.log).appendToStream(`s-${pick % 3}`, events)
          }
          if (kind === 'erase') {
            const ids = await idsOf(device)
            const id = ids[pick % Math.max(1, ids.length)]
            if (!id) continue
            await device.log.erasures.erase([id])
            erased.push(id)
          }
          if (kind === 'offline' || kind === 'online') device.loop.setOnline(kind === 'online')
          if (kind === 'fault') device.faults.push(fault)
          if (kind === 'wait') {
            for (let turn = 0; turn < pick; turn++) await new Promise(resolve => setImmediate(resolve))
            world.clock.advance(pick * 100)
          }
        }
        for (const { device } of replicas) {
          device.faults.length = 0
          device.loop.setOnline(true)
          device.loop.poke()
        }
        await world.settle()
        const everywhere = [world.database, ...replicas.map(({ database }) => database)]
        for (const id of erased) {
          for (const database of everywhere) expect(placesOf(textOf.get(id)!, database)).toEqual([])
        }
        const [first, ...others] = await Promise.all(replicas.map(({ device }) => device.confirmed()))
        for (const other of others) expect(other).toEqual(first)
        expect(first).toHaveLength(textOf.size - new Set(erased).size)
        for (const { device } of replicas) expect(await device.log.verify()).toMatchObject({ ok: true })
      } finally {
        await world.close()
      }
    }),
    { numRuns: 60 },
  )
})
