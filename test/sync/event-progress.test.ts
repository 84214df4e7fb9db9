import { beforeEach, expect, test, vi } from 'vitest'
import { whenConfirmed } from '../../src/engine/event-progress.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { createMemoryDatabase } from '../../src/storage/memory/index.ts'
import { amend, createWorld, read, say, start } from './amended-devices.ts'
import { type Device, FAULTS, type SyncWorld } from './sync-world.ts'

let world: SyncWorld
let one: Device
let other: Device

beforeEach(async () => {
  world = createWorld()
  one = await start(world)
  other = await start(world)
  await world.converge()
})

const progress = (device: Device, ids: readonly string[]) => device.log.progressOf(ids, device.pushed)

async function otherSays(streamName: string, text: string): Promise<void> {
  await say(other, streamName, text)
  await world.run(() => other.loop.status().pending === 0)
}

/** Its push is answered, and places the events behind others of which it has not heard. */
async function pushBehindOthers(): Promise<void> {
  one.faults.push(
    deliver => deliver(),
    async deliver => {
      await say(other, 'b', 'first')
      other.loop.poke()
      await other.until(({ pending }) => pending === 0)
      return deliver()
    },
    FAULTS.lostRequest,
  )
  one.loop.setOnline(true)
  await one.until(({ phase }) => phase === 'waiting')
}

test('an event is persisted, then pushed when a push was answered, then confirmed', async () => {
  one.loop.setOnline(false)
  const ids = await say(one, 'a', 'A', 'B')
  expect(await progress(one, ids)).toEqual(['persisted', 'persisted'])
  await pushBehindOthers()
  expect(await progress(one, ids)).toEqual(['pushed', 'pushed'])
  const later = await say(one, 'a', 'C')
  expect(await progress(one, later)).toEqual(['persisted'])
  await world.converge()
  expect(await progress(one, [...ids, ...later])).toEqual(['confirmed', 'confirmed', 'confirmed'])
  expect(await progress(other, ids)).toEqual(['confirmed', 'confirmed'])
})

test('a push that was lost claims nothing, and neither does the mark of a push to another log', async () => {
  one.loop.setOnline(false)
  const ids = await say(one, 'a', 'A')
  one.faults.push(deliver => deliver(), FAULTS.lostAnswer)
  one.loop.setOnline(true)
  await one.until(({ phase }) => phase === 'waiting')
  expect(await progress(one, ids)).toEqual(['persisted'])
  expect(await one.log.progressOf(ids, { epoch: 'another', through: 99 })).toEqual(['persisted'])
})

test('what a rebase takes up again at another position is asked for by the same id', async () => {
  one.loop.setOnline(false)
  const ids = await say(one, 'a', 'A')
  await otherSays('a', 'first')
  one.faults.push(deliver => deliver(), FAULTS.lostRequest)
  one.loop.setOnline(true)
  await one.until(({ phase }) => phase === 'waiting')
  expect((await read(one.log)).at(-1)!.metadata).toMatchObject({ eventId: ids[0], streamVersion: 2 })
  expect(await progress(one, ids)).toEqual(['persisted'])
  await world.converge()
  expect(await progress(one, ids)).toEqual(['confirmed'])
})

test('what was rejected is so until that is acknowledged, an amendment, too; then it is dropped', async () => {
  const [first] = await say(one, 'a', 'A')
  await world.converge()
  one.loop.setOnline(false)
  const amendmentId = newEventId()
  await one.append('a', ['B'], 'reject')
  const pending = (await read(one.log)).at(-1)!.metadata.eventId
  await amend(one, [{ kind: 'remove', eventId: first! }], { amendmentId, onConflict: 'reject' })
  const ids = [pending, amendmentId, newEventId()]
  expect(await progress(one, ids)).toEqual(['persisted', 'persisted', null])
  await otherSays('a', 'first')
  one.loop.setOnline(true)
  await world.converge()
  expect(await progress(one, ids)).toEqual(['rejected', 'rejected', null])
  for (const { id } of await one.log.rejections()) await one.log.acknowledgeRejection(id)
  expect(await progress(one, ids)).toEqual(['dropped', 'dropped', null])
})

test('thousands are asked for at once, and no block is read', async () => {
  const ids = await say(one, 'a', ...Array.from({ length: 5_000 }, (_, i) => `text ${i}`))
  await world.converge()
  const list = vi.spyOn(one.log.storage, 'list')
  expect(new Set(await progress(one, ids))).toEqual(new Set(['confirmed']))
  expect(list).not.toHaveBeenCalled()
})

test('upper-case ids are the same ids', async () => {
  const ids = await say(one, 'a', 'A')
  expect(await progress(one, [ids[0]!.toUpperCase()])).toEqual(['persisted'])
})

test('who waits is told when all are confirmed, and nothing is held when it is given up', async () => {
  one.loop.setOnline(false)
  const ids = [...(await say(one, 'a', 'A')), ...(await say(one, 'b', 'B'))]
  const done = vi.fn()
  const waiting = whenConfirmed(ids, one.log, new AbortController().signal).then(done)
  const givenUp = new AbortController()
  const other = whenConfirmed(ids, one.log, givenUp.signal)
  givenUp.abort()
  await other
  expect(done).not.toHaveBeenCalled()
  one.loop.setOnline(true)
  await world.converge()
  await waiting
})

test('a command that is decided again waits since it was wished', async () => {
  const database = createMemoryDatabase()
  const device = await start(world, database)
  await world.converge()
  device.loop.setOnline(false)
  const wishedAt = world.clock.now()
  await device.fill(2)
  world.clock.advance(60_000)
  await other.fill(3)
  await world.run(() => other.loop.status().pending === 0)
  device.faults.push(deliver => deliver(), FAULTS.lostRequest)
  device.loop.setOnline(true)
  await device.until(({ phase }) => phase === 'waiting')
  expect(await device.log.oldestPendingAt()).toBe(wishedAt)
  expect((await read(device.log, 'tank-1')).map(({ metadata }) => metadata.recordedAt)).toEqual([
    expect.any(Number),
    wishedAt,
  ])
  await world.converge()
  expect(await device.log.oldestPendingAt()).toBeNull()
})

test('the oldest pending event is the one that has not been confirmed, behind those that have', async () => {
  one.loop.setOnline(false)
  await say(one, 'a', 'A')
  const first = await one.log.oldestPendingAt()
  expect(first).toBe(world.clock.now())
  world.clock.advance(5_000)
  await say(one, 'a', 'B')
  expect(await one.log.oldestPendingAt()).toBe(first)
  const [commit] = await one.log.pendingCommits(1)
  const { epoch, serverPosition } = one.log.cursor()
  await one.log.applyRemote({
    epoch,
    after: serverPosition,
    commits: [commit!.entries],
    next: serverPosition + 1,
  })
  expect(await one.log.oldestPendingAt()).toBe(first! + 5_000)
})
