import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { IdleUpkeepOptions } from '../../src/engine/idle-upkeep.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { StorageFailed } from '../../src/log/errors.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { count } from './replay/replicas.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

type Replace = NonNullable<LogStorage['replace']>

type Opening = Pick<IdleUpkeepOptions, 'runAlone'> & {
  storageOn?: (memory: LogStorage) => LogStorage
}

/** A log of 20 single appends, just made. `rounds` counts how often merging began. */
async function openBusy({ storageOn = memory => memory, runAlone = work => work() }: Opening = {}) {
  const database = createMemoryDatabase()
  const storage = storageOn(memoryStorage({ database }))
  const rounds = vi.fn(runAlone)
  const errors: Error[] = []
  const log = await openLog({
    storage,
    storeId: 'shared',
    compaction: { idleMs: 100, runAlone: rounds },
    onBackgroundError: error => errors.push(error),
  })
  for (let n = 1; n <= 20; n++) await count(log, 'a', n, n)
  return { log, database, rounds, errors, blocks: () => database.blocks.length }
}

/** Lets time pass, and what it sets going come to its end. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  // Digests of WebCrypto come from another thread, which no fake timer waits for.
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
}

test('blocks are merged once nothing was appended for a while, and not before', async () => {
  const { log, rounds, blocks } = await openBusy()
  await pass(99)
  await count(log, 'a', 21, 21)
  await pass(99)
  expect(rounds).not.toHaveBeenCalled()
  expect(blocks()).toBe(21)
  await pass(1)
  expect(rounds).toHaveBeenCalledTimes(1)
  await vi.waitFor(() => expect(blocks()).toBe(1))
  await log.close()
})

test('what another tab appends counts as well', async () => {
  const { log, database, rounds } = await openBusy()
  const other = await openLog({ storage: memoryStorage({ database }), storeId: 'shared' })
  await pass(99)
  await count(other, 'a', 21, 21)
  await log.catchUp()
  await pass(99)
  expect(rounds).not.toHaveBeenCalled()
  await pass(1)
  expect(rounds).toHaveBeenCalledTimes(1)
  await log.close()
})

test('a log that is opened is looked at, too', async () => {
  const { log, database, rounds, blocks } = await openBusy()
  await log.close()
  await pass(1000)
  expect(rounds).not.toHaveBeenCalled()
  const again = await openLog({
    storage: memoryStorage({ database }),
    storeId: 'shared',
    compaction: { idleMs: 100 },
  })
  await pass(100)
  await vi.waitFor(() => expect(blocks()).toBe(1))
  await again.close()
})

test('without the option, and on a storage that has no blocks to merge, nothing is done', async () => {
  const database = createMemoryDatabase()
  const plain = await openLog({ storage: memoryStorage({ database }), storeId: 'shared' })
  for (let n = 1; n <= 20; n++) await count(plain, 'a', n, n)
  await pass(60_000)
  expect(database.blocks).toHaveLength(20)
  const rows = await openBusy({
    storageOn: memory => {
      const { replace: _, ...storage } = wrapStorage(memory, {})
      return storage
    },
  })
  await pass(60_000)
  expect(rows.rounds).not.toHaveBeenCalled()
})

test('whether it is done now is asked of the one who knows the other tabs', async () => {
  const runAlone = vi.fn(async () => {})
  const { log, blocks } = await openBusy({ runAlone })
  await pass(100)
  expect(runAlone).toHaveBeenCalledTimes(1)
  expect(blocks()).toBe(20)
  await count(log, 'a', 21, 21)
  await pass(100)
  expect(runAlone).toHaveBeenCalledTimes(2)
  await log.close()
})

test('an append ends a round before its next write, and the next round takes it in', async () => {
  let isDue = false
  const replace = vi.fn<Replace>()
  const { log, rounds, blocks } = await openBusy({
    storageOn: memory => {
      const read: LogStorage['read'] = async range => {
        const found = await memory.read(range)
        if (isDue) {
          isDue = false
          await count(log, 'a', 21, 21)
        }
        return found
      }
      replace.mockImplementation((...args) => memory.replace!(...args))
      return wrapStorage(memory, { read, replace })
    },
  })
  isDue = true
  await pass(100)
  await pass(100)
  await vi.waitFor(() => expect(blocks()).toBe(1))
  expect(rounds).toHaveBeenCalledTimes(2)
  expect(replace.mock.calls.map(([ends]) => ends.length)).toEqual([21])
  await log.close()
})

test('closing waits for the write a round is at, and nothing follows', async () => {
  let finish = () => {}
  const held = new Promise<void>(resolve => {
    finish = resolve
  })
  let isReplacing = false
  const { log, blocks } = await openBusy({
    storageOn: memory =>
      wrapStorage(memory, {
        replace: async (...args) => {
          isReplacing = true
          await held
          return memory.replace!(...args)
        },
      }),
  })
  await pass(100)
  await vi.waitFor(() => expect(isReplacing).toBe(true))
  let isClosed = false
  const closed = log.close().then(() => {
    isClosed = true
  })
  await pass(1000)
  expect(isClosed).toBe(false)
  finish()
  await closed
  expect(blocks()).toBe(1)
})

test('a round that fails is reported, and the next one tries again', async () => {
  let failures = 1
  const { log, errors, blocks } = await openBusy({
    storageOn: memory =>
      wrapStorage(memory, {
        replace: async (...args) => {
          if (failures-- > 0) throw new StorageFailed('quota', 'full')
          return memory.replace!(...args)
        },
      }),
  })
  await pass(100)
  await vi.waitFor(() => expect(errors).toMatchObject([{ code: 'storage-failed' }]))
  expect(blocks()).toBe(20)
  await count(log, 'a', 21, 21)
  await pass(100)
  await vi.waitFor(() => expect(blocks()).toBe(1))
  await log.close()
})

test('a damaged block is reported and left alone', async () => {
  const { log, database, errors, blocks } = await openBusy()
  const { bytes } = database.blocks[9]!
  bytes[bytes.length - 1]! ^= 1
  await pass(100)
  await vi.waitFor(() => expect(blocks()).toBe(3))
  expect(errors).toMatchObject([{ code: 'log-damaged', facts: { position: 10 } }])
  await log.close()
})
