// What a page learns of the room that its store has, from a browser that a test makes up.

import { expect, test } from 'vitest'
import { LOOK_MS, type RoomKeeper, StorageRoom } from '../../src/client/storage-room.ts'
import { StorageFailed, StoreError } from '../../src/log/errors.ts'

const MIB = 1024 * 1024

function browser({ usage = MIB, quota = 1_000 * MIB, persisted = false, persists = true } = {}) {
  const asked: string[] = []
  const facts = { usage, quota, persisted, persists }
  const keeper: RoomKeeper = {
    estimate: async () => {
      asked.push('estimate')
      return { usage: facts.usage, quota: facts.quota }
    },
    persisted: async () => facts.persisted,
    persist: async () => {
      asked.push('persist')
      facts.persisted = facts.persists
      return facts.persists
    },
  }
  return { keeper, asked, facts }
}

function roomIn(keeper: RoomKeeper | undefined, { asks = true } = {}) {
  const clock = { now: 0 }
  const room = new StorageRoom({ keeper, asks, now: () => clock.now })
  return { room, clock, status: () => room.status.getSnapshot() }
}

/** Until a status fits. */
function until(room: StorageRoom, fits: () => boolean): Promise<void> {
  return new Promise(resolve => {
    const look = () => fits() && resolve()
    room.status.subscribe(look)
    look()
  })
}

const noRoom = () => Promise.reject(new StorageFailed('quota', 'There is no room left'))

test('nothing is asked for when a store is opened: it is looked how much room there is', async () => {
  const { keeper, asked } = browser()
  const { room, status } = roomIn(keeper)
  await room.look()
  expect(asked).toEqual(['estimate'])
  expect(status()).toEqual({
    persisted: false,
    usage: MIB,
    quota: 1_000 * MIB,
    isLow: false,
    problem: null,
  })
})

test('the browser is asked to keep what is stored behind the first write, and once', async () => {
  const { keeper, asked } = browser()
  const { room, status } = roomIn(keeper)
  await room.look()
  for (let n = 0; n < 3; n++) await room.watch(Promise.resolve())
  await until(room, () => status().persisted === true)
  expect(asked.filter(one => one === 'persist')).toHaveLength(1)
  expect(status().problem).toBe(null)
})

test('what comes from a server, and a write that failed, are no moment to ask', async () => {
  const { keeper, asked } = browser()
  const { room } = roomIn(keeper)
  room.grew()
  await room.watch(Promise.reject(new StoreError('version-conflict', 'no'))).catch(() => {})
  await room.look()
  expect(asked).not.toContain('persist')
})

test('a browser that keeps it already is not asked, nor is one at all when that is switched off', async () => {
  const kept = browser({ persisted: true })
  const one = roomIn(kept.keeper)
  await one.room.watch(Promise.resolve())
  await until(one.room, () => one.status().persisted === true)
  const left = browser()
  const other = roomIn(left.keeper, { asks: false })
  await other.room.watch(Promise.resolve())
  await until(other.room, () => other.status().persisted === false)
  expect([...kept.asked, ...left.asked]).not.toContain('persist')
  expect(other.status().problem).toBe(null)
})

test('a browser that does not promise it is told', async () => {
  const { keeper } = browser({ persists: false })
  const { room, status } = roomIn(keeper)
  await room.watch(Promise.resolve())
  await until(room, () => status().problem === 'may-be-evicted')
  expect(status().persisted).toBe(false)
})

test('it is looked again while something is written, but not all the time', async () => {
  const { keeper, asked, facts } = browser()
  const { room, clock, status } = roomIn(keeper, { asks: false })
  await room.look()
  facts.usage = 5 * MIB
  clock.now = LOOK_MS - 1
  await room.watch(Promise.resolve())
  expect(asked).toEqual(['estimate'])
  clock.now = LOOK_MS
  await room.watch(Promise.resolve())
  await until(room, () => status().usage === 5 * MIB)
  expect(asked).toEqual(['estimate', 'estimate'])
})

test.each([
  ['a tenth of a small quota is left', 91 * MIB, 100 * MIB, true],
  ['more than that is left', 89 * MIB, 100 * MIB, false],
  ['of a large disk so much is left that it is not little', 9_900 * MIB, 10_000 * MIB, false],
  ['of a large disk little is left', 9_950 * MIB, 10_000 * MIB, true],
])('room is low before a write fails: %s', async (_title, usage, quota, isLow) => {
  const { room, status } = roomIn(browser({ usage, quota }).keeper)
  await room.look()
  expect(status()).toMatchObject({ isLow, problem: null })
})

test('a write that finds no room is told, and one that finds some again, too', async () => {
  const { room, status } = roomIn(browser({ persisted: true }).keeper)
  await expect(room.watch(noRoom())).rejects.toMatchObject({ code: 'storage-failed' })
  expect(status()).toMatchObject({ isLow: true, problem: 'full' })
  await room.watch(Promise.resolve())
  expect(status()).toMatchObject({ isLow: false, problem: null })
})

test('a browser that does not say is told as such, and its full disk, too', async () => {
  const { room, status } = roomIn(undefined)
  expect(status().problem).toBe('unknown')
  await room.look()
  await room.watch(Promise.resolve())
  expect(status()).toEqual({ persisted: null, usage: null, quota: null, isLow: false, problem: 'unknown' })
  await room.watch(noRoom()).catch(() => {})
  expect(status()).toMatchObject({ isLow: true, problem: 'full' })
})

test('a browser that refuses to answer keeps nobody from writing', async () => {
  const refuses = () => Promise.reject(new DOMException('no', 'SecurityError'))
  const { room, status } = roomIn({ estimate: refuses, persisted: refuses, persist: refuses })
  await room.look()
  await room.watch(Promise.resolve())
  expect(status()).toEqual({ persisted: null, usage: null, quota: null, isLow: false, problem: null })
})
