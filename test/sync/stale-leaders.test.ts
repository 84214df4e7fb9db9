// A tab that led sync, stood still and comes back: what it has under way meets a log that another leader has moved on.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createMemoryDatabase } from '../../src/storage/memory/index.ts'
import { type Device, type Fault, nextTurn, SyncWorld } from './sync-world.ts'

vi.setConfig({ testTimeout: 60_000 })

let world: SyncWorld
let frozen: Device
let next: Device
let elsewhere: Device

beforeEach(async () => {
  world = new SyncWorld()
  const database = createMemoryDatabase()
  frozen = await world.openDevice(database)
  next = await world.openDevice(database)
  elsewhere = await world.openDevice()
  frozen.loop.start()
  elsewhere.loop.start()
  await frozen.until(({ phase }) => phase === 'idle')
  await elsewhere.until(({ phase }) => phase === 'idle')
})
afterEach(() => world.close())

/** The server takes the request, or answers it, and the tab hears of it when it thaws. */
function frost(): { fault: Fault; reached: Promise<void>; thaw: () => void } {
  let thaw = () => {}
  let reach = () => {}
  const thawed = new Promise<void>(resolve => {
    thaw = resolve
  })
  const reached = new Promise<void>(resolve => {
    reach = resolve
  })
  const fault: Fault = async deliver => {
    const response = await deliver()
    reach()
    await thawed
    return response
  }
  return { fault, reached, thaw }
}

/** The tab that waited leads, and takes in and sends all there is. */
async function takeOver(): Promise<void> {
  await next.log.catchUp()
  next.loop.start()
  await settled(next)
}

async function settled(device: Device): Promise<void> {
  device.loop.poke()
  await device.until(({ phase, pending }) => phase === 'idle' && pending === 0)
}

async function expectOnce(count: number): Promise<void> {
  await settled(elsewhere)
  for (const tab of [frozen, next]) {
    await tab.log.catchUp()
    expect(tab.log.pendingCount()).toBe(0)
    expect(await tab.confirmed()).toEqual(await elsewhere.confirmed())
    expect(await tab.log.verify({})).toMatchObject({ ok: true })
  }
  expect(await elsewhere.confirmed()).toHaveLength(count)
}

test('a page that it pulled before is passed by when another leader has taken more in', async () => {
  await elsewhere.append('a', ['one', 'two'])
  await settled(elsewhere)
  const { fault, reached, thaw } = frost()
  frozen.faults.push(fault)
  frozen.loop.poke()
  await reached
  await elsewhere.append('a', ['three'])
  await settled(elsewhere)
  await takeOver()
  await next.append('a', ['four'])
  await settled(next)
  const before = next.log.cursor().serverPosition
  thaw()
  await frozen.until(({ phase }) => phase === 'idle')
  await expectOnce(4)
  expect(next.log.cursor().serverPosition).toBe(before)
})

test('a push that the server took before is sent again by the next leader, and taken once', async () => {
  const { fault, reached, thaw } = frost()
  await frozen.append('a', ['one', 'two'])
  frozen.faults.push(fault)
  frozen.loop.poke()
  for (let i = 0; i < 20 && frozen.requests.at(-1) !== 'POST /v1/log'; i++) {
    world.clock.advance(100)
    await nextTurn()
  }
  await reached
  await takeOver()
  await elsewhere.append('a', ['three'])
  await settled(elsewhere)
  thaw()
  await frozen.until(({ phase }) => phase === 'idle')
  await settled(next)
  await expectOnce(3)
})

test('a push that the server has not seen yet, of commits that were rebased meanwhile, is refused and nothing doubled', async () => {
  let thaw = () => {}
  const thawed = new Promise<void>(resolve => {
    thaw = resolve
  })
  await frozen.append('a', ['mine'])
  frozen.faults.push(async deliver => {
    await thawed
    return deliver()
  })
  for (let i = 0; i < 20 && frozen.requests.at(-1) !== 'POST /v1/log'; i++) {
    world.clock.advance(100)
    await nextTurn()
  }
  expect(frozen.requests.at(-1)).toBe('POST /v1/log')
  await elsewhere.append('a', ['theirs'])
  await settled(elsewhere)
  await takeOver()
  thaw()
  await frozen.until(({ phase }) => phase === 'idle')
  await settled(next)
  await expectOnce(2)
})

test('two that both lead for long end with one log, nothing lost or doubled', async () => {
  await takeOver()
  for (let round = 0; round < 20; round++) {
    await Promise.all([
      frozen.append('a', [`frozen ${round}`]),
      next.append('a', [`next ${round}`]),
      elsewhere.append('a', [`elsewhere ${round}`]),
    ])
    frozen.loop.poke()
    next.loop.poke()
    elsewhere.loop.poke()
    await nextTurn()
  }
  await world.converge()
  for (const tab of [frozen, next]) await tab.log.catchUp()
  await expectOnce(60)
})
