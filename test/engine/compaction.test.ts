import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { decodeBlocks, entriesOf } from '../../src/conformance/block-contents.ts'
import { BlockStore } from '../../src/engine/block-store.ts'
import { type BlockStorage, compactLog, keepsBlocks } from '../../src/engine/compaction.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { decodeBlock } from '../../src/log/block.ts'
import { BLOCK_TARGET_BYTES, BlockWriter } from '../../src/log/block-writer.ts'
import { textOf } from '../../src/log/bytes.ts'
import type { Entry } from '../../src/log/entry.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { append, count, openDevice, openServer, pull, push, sync } from './replay/replicas.ts'

const NEVER = new AbortController().signal

/** One round on a handle of its own, as another tab would do it. */
async function compact(
  database: MemoryDatabase,
  overrides: (storage: LogStorage) => Partial<LogStorage> = () => ({}),
): Promise<Error[]> {
  const memory = memoryStorage({ database })
  const storage = wrapStorage(memory, overrides(memory))
  await storage.open()
  if (!keepsBlocks(storage)) throw new Error('Memory keeps blocks')
  const damaged: Error[] = []
  const parts = { storage, hash: await createSha256(), onMerged: () => {} }
  await compactLog({ ...parts, onDamaged: error => damaged.push(error) }, NEVER)
  return damaged
}

const eventsIn = async (parts: AsyncIterable<readonly RecordedEvent[]>) => {
  const events: RecordedEvent[] = []
  for await (const part of parts) events.push(...part)
  return events
}

const numbersIn = async (log: EventLog): Promise<unknown[]> =>
  (await eventsIn(log.readAll())).map(({ data }) => data)

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)
const ends = ({ blocks }: MemoryDatabase): number[] => blocks.map(({ lastPosition }) => lastPosition)

/** Appends events with the numbers from..to, each in a block of its own. */
async function countSingly(log: EventLog, from: number, to: number, streamName = 'a'): Promise<void> {
  for (let n = from; n <= to; n++) await count(log, streamName, n, n)
}

describe('merging', () => {
  test('10,000 appends of one event become a few full blocks that hold the same to the byte', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    for (let n = 1; n <= 10_000; n++) await append(log, `s${n % 7}`, { data: n })
    expect(database.blocks).toHaveLength(10_000)
    const before = entriesOf(database.blocks)

    await compact(database)
    const { blocks } = database
    expect(entriesOf(blocks)).toEqual(before)
    const sizes = blocks.map(block => block.bytes.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(BLOCK_TARGET_BYTES)
    // All but the last are full.
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(BLOCK_TARGET_BYTES * 0.95)

    expect(await log.verify()).toMatchObject({ ok: true, events: 10_000, headPosition: 10_000 })
    expect(await numbersIn(log)).toEqual(upTo(10_000))
    await log.close()
    const reopened = await openDevice(database)
    expect(await numbersIn(reopened)).toEqual(upTo(10_000))
    await count(reopened, 's0', 10_001, 10_001)
    expect(await reopened.verify()).toMatchObject({ ok: true, events: 10_001 })
  })

  test('goes on where the last round ended: what is full is not read again', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const read = vi.fn()
    const watching = (storage: LogStorage): Partial<LogStorage> => ({
      read: range => {
        read(range.from)
        return storage.read(range)
      },
    })
    await countSingly(log, 1, 1000)
    await compact(database, watching)
    const full = ends(database).at(-2)!
    read.mockClear()
    await countSingly(log, 1001, 1020)
    await compact(database, watching)
    expect(Math.min(...read.mock.calls.map(([from]) => from))).toBe(full + 1)
    expect(ends(database)).toContain(full)
    expect(ends(database).at(-1)).toBe(1020)
    expect(database.blocks.length).toBeLessThan(10)
    expect(await numbersIn(log)).toEqual(upTo(1020))
  })

  test('leaves a few small blocks alone, and those between large ones', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const large = { data: 'x'.repeat(40_000) }
    for (let i = 0; i < 5; i++) {
      await append(log, 'a', large)
      await countSingly(log, 1, 7)
    }
    const before = ends(database)
    await compact(database)
    expect(ends(database)).toEqual(before)
    await countSingly(log, 8, 8)
    await compact(database)
    expect(ends(database)).toEqual([...before.slice(0, -7), before.at(-1)! + 1])
  })

  test('cuts no commit, and keeps one whole that goes over several blocks', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const events = (n: number, size: number) =>
      Array.from({ length: n }, (_, i) => ({ data: `${i}`.repeat(size) }))
    for (let i = 0; i < 40; i++) await append(log, 'a', ...events(9, 500))
    await append(log, 'b', ...events(9, 30_000))
    for (let i = 0; i < 40; i++) await append(log, 'a', ...events(9, 500))
    const before = new Set(ends(database))
    const pending = await log.pendingCommits(Infinity)
    await compact(database)
    expect(database.blocks.length).toBeLessThan(before.size / 2)
    for (const end of ends(database)) expect(before).toContain(end)
    await log.close()
    const reopened = await openDevice(database)
    expect(await reopened.pendingCommits(Infinity)).toEqual(pending)
  })

  test('leaves a damaged block as it is, says so once, and merges what is around it', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await countSingly(log, 1, 40)
    const damaged = database.blocks[19]!
    damaged.bytes[damaged.bytes.length - 40]! ^= 1
    const kept = damaged.bytes.slice()
    expect(await compact(database)).toMatchObject([{ code: 'log-damaged', facts: { position: 20 } }])
    expect(ends(database)).toEqual([19, 20, 40])
    expect(database.blocks[1]!.bytes).toEqual(kept)
    await countSingly(log, 41, 60)
    expect(await compact(database)).toEqual([])
    expect(ends(database)).toEqual([19, 20, 60])
  })

  test('merges nothing across a block that is missing', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await countSingly(log, 1, 40)
    database.blocks.splice(19, 1)
    await compact(database)
    expect(database.blocks.map(({ firstPosition, lastPosition }) => [firstPosition, lastPosition])).toEqual([
      [1, 19],
      [21, 40],
    ])
  })

  test('takes over what was superseded, and what sync has noted', async () => {
    const [server, database] = [await openServer(), createMemoryDatabase()]
    const device = await openDevice(database)
    for (let round = 1; round <= 5; round++) {
      await countSingly(server, 10 * round, 10 * round + 2)
      await countSingly(device, 10 * round + 3, 10 * round + 6)
      if (round < 5) await sync(device, server)
    }
    await pull(device, server)
    const [before, events, cursor] = [entriesOf(database.blocks), await numbersIn(device), device.cursor()]
    await compact(database)
    expect(database.blocks.length).toBeLessThan(3)
    expect(entriesOf(database.blocks)).toEqual(before)
    expect(await device.verify()).toMatchObject({ ok: true })
    await device.close()
    database.values.clear()
    const reopened = await openDevice(database)
    expect(await numbersIn(reopened)).toEqual(events)
    expect(reopened.cursor()).toEqual(cursor)
    expect(await reopened.verify()).toMatchObject({ ok: true })
    await push(reopened, server)
    await pull(reopened, server)
    expect(await numbersIn(server)).toEqual(await numbersIn(reopened))
  })

  test('ends the round when somebody else merges, too', async () => {
    const database = createMemoryDatabase()
    await countSingly(await openDevice(database), 1, 2000)
    const replace = vi.fn(async () => ({ type: 'conflict' as const }))
    await compact(database, () => ({ replace }))
    expect(replace).toHaveBeenCalledTimes(1)
    expect(ends(database)).toEqual(upTo(2000))
  })

  test('stops before the next write when it is told to', async () => {
    const database = createMemoryDatabase()
    await countSingly(await openDevice(database), 1, 3000)
    const stop = new AbortController()
    const memory = memoryStorage({ database })
    await memory.open()
    const replace: LogStorage['replace'] = (...args) => {
      stop.abort()
      return memory.replace!(...args)
    }
    const storage = wrapStorage(memory, { replace }) as BlockStorage
    const parts = { storage, hash: await createSha256(), onMerged: () => {}, onDamaged: () => {} }
    await compactLog(parts, stop.signal)
    const left = database.blocks.length
    expect(left).toBeLessThan(3000)
    await compactLog(parts, stop.signal)
    expect(database.blocks).toHaveLength(left)
  })
})

describe('while blocks are merged by another tab', () => {
  /** A log of events in blocks of their own, in two streams; once `arm` is called, they are merged behind the next read. */
  async function mergedMidway(events: number) {
    const database = createMemoryDatabase()
    const writer = await openDevice(database)
    for (const n of upTo(events)) await count(writer, n % 3 ? 'a' : 'b', n, n)
    // Leaves a checkpoint: the next one to open has no block in memory but the last.
    await writer.close()
    const memory = memoryStorage({ database })
    let isArmed = false
    const read: LogStorage['read'] = async range => {
      const blocks = await memory.read({ ...range, maxBytes: Math.min(range.maxBytes ?? Infinity, 2000) })
      if (isArmed) await compact(database)
      isArmed = false
      return blocks
    }
    const log = await openLog({ storage: wrapStorage(memory, { read }), storeId: 'shared' })
    const arm = () => {
      isArmed = true
    }
    return { log, database, arm }
  }

  const dataOf = async (parts: AsyncIterable<readonly RecordedEvent[]>) =>
    (await eventsIn(parts)).map(({ data }) => data)
  const entriesIn = (commits: readonly (readonly Entry[])[]) =>
    commits.map(entries => entries.map(({ payload }) => Number(textOf(payload))))

  test.each<[string, (log: EventLog) => Promise<unknown[]>, unknown[]]>([
    ['all events', log => dataOf(log.readAll()), upTo(30)],
    ['a part of them', log => dataOf(log.readAll({ from: 2, maxCount: 20 })), upTo(21).slice(1)],
    ['all, backwards', log => dataOf(log.readAll({ direction: 'backwards' })), upTo(30).reverse()],
    ['a stream', log => dataOf(log.readStream('b')), upTo(10).map(n => n * 3)],
    [
      'pending commits',
      async log => entriesIn((await log.pendingCommits(Infinity)).map(({ entries }) => entries)),
      upTo(30).map(n => [n]),
    ],
    [
      'commits for others',
      async log => entriesIn((await log.readCommits(2, Infinity)).commits),
      upTo(30)
        .slice(2)
        .map(n => [n]),
    ],
  ])('reading %s gives each once', async (_, read, expected) => {
    const { log, database, arm } = await mergedMidway(30)
    arm()
    expect(await read(log)).toEqual(expected)
    expect(ends(database)).toEqual([30])
    expect(await read(log)).toEqual(expected)
  })

  test('verifying goes on in the middle of a merged block', async () => {
    const { log, database, arm } = await mergedMidway(30)
    arm()
    expect(await log.verify()).toMatchObject({ ok: true, events: 30, headPosition: 30 })
    expect(ends(database)).toEqual([30])
  })

  test('a tab that lags takes in only what is behind its head, and tells it once', async () => {
    const database = createMemoryDatabase()
    const [writer, lagging] = [await openDevice(database), await openDevice(database)]
    await countSingly(writer, 1, 10)
    await lagging.catchUp()
    await countSingly(writer, 11, 30, 'b')
    await compact(database)
    expect(ends(database)).toEqual([30])
    const changes: unknown[] = []
    lagging.onChange(({ after, head }) => changes.push([after, head]))
    await lagging.catchUp()
    expect(changes).toEqual([[10, 30]])
    expect(lagging.streamVersion('a')).toBe(10)
    expect(lagging.streamVersion('b')).toBe(20)
    expect(lagging.pendingCount()).toBe(30)
    expect(await numbersIn(lagging)).toEqual(upTo(30))
    expect((await lagging.pendingCommits(Infinity)).map(({ entries }) => entries.length)).toEqual(
      upTo(30).map(() => 1),
    )
    await countSingly(lagging, 31, 31)
    expect(await lagging.verify()).toMatchObject({ ok: true, events: 31 })
  })

  test('a tab that opens by a checkpoint in the middle of a merged block reads on behind it', async () => {
    const database = createMemoryDatabase()
    const [writer, other] = [await openDevice(database), await openDevice(database)]
    await countSingly(writer, 1, 10)
    await other.catchUp()
    await other.close()
    await countSingly(writer, 11, 30)
    await compact(database)
    const reopened = await openDevice(database)
    expect(reopened.head()).toBe(30)
    expect(await numbersIn(reopened)).toEqual(upTo(30))
    expect(reopened.streamVersion('a')).toBe(30)
  })
})

describe('the cache of blocks', () => {
  /** Blocks of one event each, and the same merged; `reads` counts what the storage was asked for. */
  async function cut(singles: number) {
    const database = createMemoryDatabase()
    await countSingly(await openDevice(database), 1, singles)
    const memory = memoryStorage({ database })
    await memory.open()
    const read = vi.fn((range: Parameters<LogStorage['read']>[0]) => memory.read(range))
    const store = new BlockStore(wrapStorage(memory, { read }), await createSha256())
    const merge = async () => {
      await compact(database)
      const { bytes, firstPosition } = database.blocks[0]!
      return { block: decodeBlock(bytes, firstPosition), size: bytes.length }
    }
    const positions = async (from: number, to: number) => {
      const found: number[] = []
      for await (const { firstPosition, lastPosition } of store.run(from, to)) {
        for (let at = Math.max(found.at(-1) ?? from - 1, firstPosition - 1) + 1; at <= lastPosition; at++)
          found.push(at)
      }
      return found
    }
    return { store, read, merge, positions }
  }

  test('gives every position, whichever of old and merged blocks it has', async () => {
    const { store, merge, positions } = await cut(20)
    for (const at of [20, 3, 11, 12]) await store.holding(at)
    await merge()
    for (const at of upTo(20)) {
      const { firstPosition, lastPosition } = await store.holding(at)
      expect(firstPosition).toBeLessThanOrEqual(at)
      expect(lastPosition).toBeGreaterThanOrEqual(at)
    }
    for (const from of upTo(20)) expect(await positions(from, 20)).toEqual(upTo(20).slice(from - 1))
  })

  test('keeps the merged block instead of those it holds, and needs the storage no more', async () => {
    const { store, read, merge } = await cut(20)
    for (const at of [20, 3, 11]) await store.holding(at)
    await merge()
    await store.holding(7)
    read.mockClear()
    for (const at of upTo(20)) expect((await store.holding(at)).count).toBe(20)
    expect(read).not.toHaveBeenCalled()
  })

  test('takes a block that was merged here only where it has one of those merged', async () => {
    const { store, read, merge } = await cut(20)
    const { block, size } = await merge()
    store.merged(block, size)
    expect(await store.holding(7)).not.toBe(block)
    expect(read).toHaveBeenCalledTimes(1)
    store.merged(block, size)
    expect(await store.holding(7)).toBe(block)
    expect(read).toHaveBeenCalledTimes(1)
  })
})

test('however blocks are cut from one read to the next, everything is given once and commits are whole', async () => {
  const size = fc.integer({ min: 1, max: 7 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(size, { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(size),
      fc.array(fc.nat(40), { maxLength: 6 }),
      async (commits, cuts, starts) => {
        const database = createMemoryDatabase()
        const writer = await openDevice(database)
        const sent: number[][] = []
        for (const length of commits) {
          const first = (sent.at(-1)?.at(-1) ?? 0) + 1
          sent.push(Array.from({ length }, (_, i) => first + i))
          await count(writer, `s${length % 2}`, first, first + length - 1)
        }
        // Leaves a checkpoint: the next one to open has no block in memory but the last.
        await writer.close()
        const storage = cutAnew(memoryStorage({ database }), cuts)
        const log = await openLog({ storage, storeId: 'shared' })
        const all = sent.flat()
        for (const start of [...starts, 1]) {
          const from = Math.min(start, all.length)
          const seen = await eventsIn(log.readAll({ from, maxCount: 9 }))
          expect(seen.map(({ data }) => data)).toEqual(all.slice(Math.max(0, from - 1)).slice(0, 9))
        }
        const { commits: given } = await log.readCommits(0, Infinity)
        expect(given.map(entries => entries.map(({ payload }) => Number(textOf(payload))))).toEqual(sent)
        expect(await log.verify()).toMatchObject({ ok: true, events: all.length })
      },
    ),
  )
})

/** A storage that cuts its entries into other blocks at each read, as one does that keeps them as rows. */
function cutAnew(storage: LogStorage, cuts: Iterator<number>): LogStorage {
  const hash = createSha256()
  const read: LogStorage['read'] = async ({ from, to = Infinity }) => {
    const blocks = decodeBlocks(await storage.read({ from: 1 }))
    const writer = new BlockWriter(await hash, from)
    let left = cuts.next().value
    for (const block of blocks) {
      const noteAt = new Map(block.commits.map(({ lastIndex, note }) => [lastIndex, note]))
      for (let i = Math.max(0, from - block.firstPosition); i < block.count; i++) {
        if (left-- === 0) {
          if (block.firstPosition + i > to) return writer.finish()
          writer.cut()
          left = cuts.next().value
        }
        writer.add(block.entry(i))
        if (noteAt.has(i)) writer.endCommit(noteAt.get(i)!)
      }
    }
    return writer.finish()
  }
  return wrapStorage(storage, { read })
}

describe('two tabs that append and read while blocks are merged', () => {
  test('lose nothing, double nothing, and keep the order, whatever comes first', async () => {
    const step = fc.record({
      tab: fc.nat(1),
      action: fc.constantFrom(
        ...(['append', 'append', 'burst', 'burst', 'compact', 'compact', 'read', 'verify'] as const),
        ...(['catch-up', 'reopen'] as const),
      ),
      streamName: fc.constantFrom('a', 'b'),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 40 }),
        fc.scheduler(),
        async (steps, scheduler) => {
          const database = createMemoryDatabase()
          // Every call of a storage ends when the scheduler says, so that calls of all tabs mix in any order.
          const late = (storage: LogStorage): Partial<LogStorage> => ({
            append: (...args) => scheduler.schedule(storage.append(...args)),
            replace: (...args) => scheduler.schedule(storage.replace!(...args)),
            read: range => scheduler.schedule(storage.read({ ...range, maxBytes: 3000 })),
          })
          const open = () => {
            const memory = memoryStorage({ database })
            return openLog({ storage: wrapStorage(memory, late(memory)), storeId: 'shared' })
          }
          const heard = new Map<EventLog, number[]>()
          const openTab = async () => {
            const log = await open()
            const positions = [log.head()]
            log.onChange(({ after, head }) => positions.push(after, head))
            heard.set(log, positions)
            return log
          }
          const run = async () => {
            const tabs = await Promise.all([openTab(), openTab()])
            let next = 0
            const acknowledged: number[][] = [[], []]
            const appendTo = async (tab: number, streamName: string) => {
              const n = ++next
              await count(tabs[tab]!, streamName, n, n)
              acknowledged[tab]!.push(n)
            }
            const doStep = async ({ tab, action, streamName }: (typeof steps)[number]) => {
              const log = tabs[tab]!
              if (action === 'append') await appendTo(tab, streamName)
              else if (action === 'burst') for (let i = 0; i < 6; i++) await appendTo(tab, streamName)
              else if (action === 'compact') expect(await compact(database, late)).toEqual([])
              else if (action === 'catch-up') await log.catchUp()
              else if (action === 'verify') expect(await log.verify()).toMatchObject({ ok: true })
              else if (action === 'read') {
                const head = log.head()
                const read = await eventsIn(log.readAll({ to: head }))
                expect(read.map(({ metadata }) => metadata.globalPosition)).toEqual(upTo(head))
              }
            }
            // Steps of a tab follow on each other; both tabs go on at once.
            await Promise.all(
              [0, 1].map(async which => {
                for (const step of steps.filter(({ tab }) => tab === which)) {
                  if (step.action !== 'reopen') await doStep(step)
                  else {
                    await tabs[which]!.close()
                    tabs[which] = await openTab()
                  }
                }
              }),
            )
            for (const [which, log] of tabs.entries()) {
              await log.catchUp()
              const read = await numbersIn(log)
              expect(read).toHaveLength(next)
              expect(new Set(read).size).toBe(next)
              expect(read.filter(n => acknowledged[which]!.includes(n as number))).toEqual(
                acknowledged[which],
              )
              for (const streamName of ['a', 'b']) {
                const stream = await eventsIn(log.readStream(streamName))
                expect(stream.map(({ metadata }) => metadata.streamVersion)).toEqual(upTo(stream.length))
              }
              expect(await log.verify()).toMatchObject({ ok: true, events: next })
            }
            expect(await numbersIn(tabs[0]!)).toEqual(await numbersIn(tabs[1]!))
          }
          await scheduler.waitFor(run())
          // What each tab is told follows on without a gap.
          for (const [first, ...changes] of heard.values()) {
            let head = first
            for (let i = 0; i < changes.length; i += 2) {
              expect(changes[i]).toBe(head)
              head = changes[i + 1]
            }
          }
        },
      ),
    )
  })
})
