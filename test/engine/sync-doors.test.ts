import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { hexOf } from '../../src/log/bytes.ts'
import type { OnConflict } from '../../src/log/commit-note.ts'
import type { Hash, RecordedEvent } from '../../src/log/event.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import type { App } from '../../src/model/app.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'

const STORE = 'shared'

/** A tank that holds ten: filling it further is refused. */
const app = {
  deciders: {
    tank: {
      streamName: (id: string) => `tank-${id}`,
      initialState: () => 0,
      evolve: { Filled: (level: number, event: RecordedEvent) => level + (event.data as { by: number }).by },
      decide: (command: { type: 'Fill'; data: { by: number } }, level: number) => {
        if (level + command.data.by > 10) throw new Error(`only ${10 - level} left`)
        return { type: 'Filled', data: command.data }
      },
    },
  },
} satisfies App

const openDevice = (database = createMemoryDatabase()): Promise<EventLog> =>
  openLog({ storage: memoryStorage({ database }), storeId: STORE, app })
const openServer = (): Promise<EventLog> =>
  openLog({ storage: memoryStorage(), storeId: STORE, isAuthority: true })

const append = (log: EventLog, streamName: string, text: string, onConflict?: OnConflict) =>
  log.append({
    appends: [
      {
        streamName,
        expectedStreamVersion: 'NO_CONCURRENCY_CHECK',
        batch: encodeEvents([{ type: 'Said', data: text }]),
      },
    ],
    ...(onConflict && { onConflict }),
  })

let commands = 0
const fill = (log: EventLog, by: number) =>
  log.execute({
    decider: 'tank',
    id: '1',
    command: { type: 'Fill', data: { by } },
    commandId: `018f0000-0000-7000-8000-${String(++commands).padStart(12, '0')}`,
  })

async function pull(device: EventLog, server: EventLog, maxBytes = Infinity) {
  const rejected = []
  for (;;) {
    const after = device.cursor().serverPosition
    const { commits, next } = await server.readCommits(after, maxBytes)
    const outcome = await device.applyRemote({ epoch: 'e1', after, commits, next })
    rejected.push(...outcome.rejected)
    if (commits.length === 0) return rejected
  }
}

async function push(device: EventLog, server: EventLog) {
  return server.admit((await device.pendingCommits(Infinity)).map(({ entries }) => entries))
}

async function sync(device: EventLog, server: EventLog) {
  const rejected = await pull(device, server)
  await push(device, server)
  return [...rejected, ...(await pull(device, server))]
}

async function confirmed(log: EventLog) {
  const events = []
  for await (const part of log.readAll()) for (const event of part) events.push(event)
  return events.map(
    ({ data, metadata }) =>
      `${metadata.status} ${metadata.streamName}@${metadata.streamVersion} ${JSON.stringify(data)} ${metadata.hash}`,
  )
}

const texts = async (log: EventLog) => (await confirmed(log)).map(line => line.split(' ')[2])

describe('a device and the server', () => {
  test('events go out pending and come back confirmed, without being written twice', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await append(device, 'a', 'one')
    await append(device, 'a', 'two')
    expect(device.pendingCount()).toBe(2)
    await sync(device, server)
    expect(device.pendingCount()).toBe(0)
    expect(await confirmed(device)).toEqual(await confirmed(server))
    expect(device.cursor()).toMatchObject({ epoch: 'e1', serverPosition: 2, confirmedThrough: 2 })
    expect(await device.verify()).toMatchObject({ ok: true, events: 2 })
  })

  test('what another device wrote first comes first; streams that were not touched stay the same to the byte', async () => {
    const [one, two, server] = [await openDevice(), await openDevice(), await openServer()]
    await append(one, 'a', 'first')
    await append(two, 'b', 'second')
    const before = (await two.streamHead('b')).hash
    await sync(one, server)
    await sync(two, server)
    expect(await texts(two)).toEqual(['"first"', '"second"'])
    expect((await two.streamHead('b')).hash).toBe(before)
    await sync(one, server)
    expect(await confirmed(one)).toEqual(await confirmed(two))
    expect((await two.verify()).ok).toBe(true)
  })

  test('a page that another tab takes in, and this one hears of while it plans it, is no news', async () => {
    const database = createMemoryDatabase()
    const [author, one, server] = [await openDevice(), await openDevice(database), await openServer()]
    const memory = memoryStorage({ database })
    let meanwhile = async (): Promise<void> => {}
    const storage = wrapStorage(memory, {
      async get(key) {
        const run = meanwhile
        meanwhile = async () => {}
        await run()
        return memory.get(key)
      },
    })
    const two = await openLog({ storage, storeId: STORE, app })
    await append(author, 'a', 'first')
    await sync(author, server)
    await pull(one, server)
    await two.catchUp()
    await append(author, 'a', 'second')
    await sync(author, server)
    meanwhile = async () => {
      await pull(one, server)
      await two.catchUp()
    }
    const { commits, next } = await server.readCommits(1, Infinity)
    const outcome = await two.applyRemote({ epoch: 'e1', after: 1, commits, next })
    expect(outcome).toEqual({ confirmed: 0, rebased: 0, rejected: [] })
    expect(await texts(two)).toEqual(['"first"', '"second"'])
  })

  test('a raw append on a stream that moved is appended again, with the same id', async () => {
    const [one, two, server] = [await openDevice(), await openDevice(), await openServer()]
    await append(one, 'a', 'first')
    await append(two, 'a', 'mine')
    const id = (await createEventStore(two).readStream('a')).events[0]!.metadata.eventId
    await sync(one, server)
    await pull(two, server)
    const { events } = await createEventStore(two).readStream('a')
    expect(events.map(({ data, metadata }) => [data, metadata.status])).toEqual([
      ['first', 'confirmed'],
      ['mine', 'pending'],
    ])
    expect(events[1]!.metadata.eventId).toBe(id)
    expect(await createEventStore(two).verify()).toMatchObject({ ok: true, events: 2 })
  })

  test('a raw append that asked for it is rejected, listed, and kept until acknowledged', async () => {
    const database = createMemoryDatabase()
    const [one, server] = [await openDevice(), await openServer()]
    let two = await openDevice(database)
    await append(one, 'a', 'first')
    await append(two, 'a', 'mine', 'reject')
    await append(two, 'b', 'other')
    await sync(one, server)
    expect(await pull(two, server)).toMatchObject([
      { command: null, reason: { code: 'version-conflict' }, events: [{ data: 'mine' }] },
    ])
    expect(await texts(two)).toEqual(['"first"', '"other"'])
    await two.close()
    two = await openDevice(database)
    const [rejection] = await two.rejections()
    expect(rejection).toMatchObject({ events: [{ streamName: 'a', type: 'Said', data: 'mine' }] })
    await two.acknowledgeRejection(rejection!.id)
    expect(await two.rejections()).toEqual([])
    expect((await two.verify()).ok).toBe(true)
  })

  test('a command is decided again on what the server had, and surfaced when it no longer holds', async () => {
    const [one, two, server] = [await openDevice(), await openDevice(), await openServer()]
    await fill(one, 6)
    await fill(two, 3)
    await fill(two, 4)
    await fill(two, 1)
    await sync(one, server)
    const rejected = await sync(two, server)
    expect(rejected).toMatchObject([
      {
        command: { command: { data: { by: 4 } } },
        reason: { code: 'command-refused', message: 'only 1 left' },
      },
    ])
    expect(await texts(server)).toEqual(['{"by":6}', '{"by":3}', '{"by":1}'])
    expect(await confirmed(two)).toEqual(await confirmed(server))
    expect((await fill(two, 0)).state).toBe(10)
  })

  test('a receipt that was lost leaves one copy, also when another client went on', async () => {
    const [one, two, server] = [await openDevice(), await openDevice(), await openServer()]
    await append(one, 'a', 'mine')
    await push(one, server)
    await sync(two, server)
    await append(two, 'a', 'theirs')
    await sync(two, server)
    await append(one, 'a', 'later')
    await sync(one, server)
    expect(await texts(one)).toEqual(['"mine"', '"theirs"', '"later"'])
    expect(await confirmed(one)).toEqual(await confirmed(server))
  })

  test('pages of a lost push that bring other events first do not double the own ones', async () => {
    const [one, two, server] = [await openDevice(), await openDevice(), await openServer()]
    await append(one, 'a', 'mine')
    await append(two, 'b', 'theirs')
    await sync(two, server)
    await push(one, server)
    await pull(one, server, 1)
    expect(await texts(one)).toEqual(['"theirs"', '"mine"'])
    expect(one.pendingCount()).toBe(0)
  })

  test('the same page twice, and a page that another tab took in, change nothing', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await append(server, 'a', 'one')
    const page = { epoch: 'e1', after: 0, ...(await server.readCommits(0, Infinity)) }
    await device.applyRemote(page)
    await device.applyRemote(page)
    expect(await texts(device)).toEqual(['"one"'])
  })

  test('survives reopening in the middle of it', async () => {
    const database = createMemoryDatabase()
    const server = await openServer()
    let device = await openDevice(database)
    await append(server, 'a', 'theirs')
    await append(device, 'a', 'mine')
    await pull(device, server)
    await device.close()
    device = await openDevice(database)
    expect(device.pendingCount()).toBe(1)
    expect(await texts(device)).toEqual(['"theirs"', '"mine"'])
    await sync(device, server)
    expect(await confirmed(device)).toEqual(await confirmed(server))
  })
})

describe('a commit that the server refuses for good', () => {
  const refusedFirst = async (device: EventLog) => {
    const [commit] = await device.pendingCommits(1)
    const hash = hexOf(commit!.entries.at(-1)!.hash) as Hash
    return { hash, refusal: 'forbidden', message: 'not to this stream' } as const
  }

  test('is listed with the reason, and what is behind it goes on without it', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await fill(device, 6)
    await fill(device, 6).catch(() => {})
    await append(device, 'b', 'other')
    await fill(device, 4)
    const before = (await device.streamHead('b')).hash
    const rejected = await device.setAside(await refusedFirst(device))
    expect(rejected).toMatchObject([
      {
        command: { command: { data: { by: 6 } } },
        reason: { code: 'sync-refused', refusal: 'forbidden', message: 'not to this stream' },
      },
    ])
    expect(await device.rejections()).toEqual(rejected)
    expect((await device.streamHead('b')).hash).toBe(before)
    await sync(device, server)
    expect(await texts(server)).toEqual(['"other"', '{"by":4}'])
    expect(await confirmed(device)).toEqual(await confirmed(server))
    expect((await fill(device, 6)).state).toBe(10)
    expect((await device.verify()).ok).toBe(true)
  })

  test('takes with it what does not hold without it', async () => {
    const device = await openDevice()
    await append(device, 'a', 'refused')
    await append(device, 'a', 'only behind it', 'reject')
    expect(await device.setAside(await refusedFirst(device))).toMatchObject([
      { reason: { refusal: 'forbidden' } },
      { reason: { code: 'version-conflict' } },
    ])
    expect(device.pendingCount()).toBe(0)
  })

  test('leaves alone what stands before it, and a commit that is not pending changes nothing', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await append(device, 'a', 'fine')
    const fine = await refusedFirst(device)
    await sync(device, server)
    const head = device.head()
    expect(await device.setAside(fine)).toEqual([])
    expect(device.head()).toBe(head)
    expect(await texts(device)).toEqual(['"fine"'])
  })
})

describe('a server that is not honest', () => {
  const refused = { code: 'sync-protocol' }

  test('refuses a page with a forged entry, out of order, of another epoch or with a gap, and writes nothing', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await append(server, 'a', 'one')
    await append(server, 'a', 'two')
    const { commits, next } = await server.readCommits(0, Infinity)
    const forged = commits.map(commit =>
      commit.map(entry => ({ ...entry, recordedAt: entry.recordedAt + 1 })),
    )
    await append(device, 'z', 'mine')
    const page = { epoch: 'e1', after: 0, commits, next }
    await expect(device.applyRemote({ ...page, commits: forged })).rejects.toMatchObject(refused)
    await expect(device.applyRemote({ ...page, commits: commits.toReversed() })).rejects.toMatchObject(
      refused,
    )
    await expect(device.applyRemote({ ...page, after: 5, next: 7 })).rejects.toMatchObject(refused)
    expect(await texts(device)).toEqual(['"mine"'])
    await device.applyRemote(page)
    await expect(device.applyRemote({ ...page, epoch: 'e2', after: 2 })).rejects.toMatchObject(refused)
    expect(await texts(device)).toEqual(['"one"', '"two"', '"mine"'])
    await append(device, 'z', 'still writable')
    expect((await device.verify()).ok).toBe(true)
  })

  test('refuses events of another store', async () => {
    const [device, other] = [
      await openDevice(),
      await openLog({ storage: memoryStorage(), storeId: 'other' }),
    ]
    await append(other, 'a', 'foreign')
    const page = { epoch: 'e1', after: 0, ...(await other.readCommits(0, Infinity)) }
    await expect(device.applyRemote(page)).rejects.toMatchObject(refused)
  })
})

describe('a client that is not honest', () => {
  test('is refused by hash, by link, by reused id, and for system streams; nothing is written', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await append(device, 'a', 'one')
    await append(device, 'a', 'two')
    const [one, two] = (await device.pendingCommits(Infinity)).map(({ entries }) => entries[0]!)
    expect(await server.admit([[{ ...one!, type: 'Forged' }]])).toMatchObject({
      accepted: 0,
      refusal: { reason: 'invalid' },
    })
    expect(await server.admit([[two!]])).toMatchObject({ accepted: 0, refusal: { reason: 'stale' } })
    expect(await server.admit([[{ ...one!, kind: 1, streamName: '$sync' }]])).toMatchObject({
      refusal: { reason: 'invalid' },
    })
    expect(await server.admit([[one!], [{ ...two!, eventId: one!.eventId }]])).toMatchObject({
      accepted: 1,
      refusal: { reason: 'id-reused' },
    })
    expect(await server.admit([[one!], [two!]])).toMatchObject({
      accepted: 2,
      refusal: null,
      after: null,
      head: 2,
    })
    expect(await texts(server)).toEqual(['"one"', '"two"'])
  })

  test('a commit is taken whole or not at all', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await append(server, 'b', 'theirs')
    await createEventStore(device).appendToStreams([
      { streamName: 'a', events: [{ type: 'Said', data: 1 }] },
      { streamName: 'b', events: [{ type: 'Said', data: 2 }] },
    ])
    expect(await push(device, server)).toMatchObject({ accepted: 0, refusal: { reason: 'stale' } })
    expect(server.streamVersion('a')).toBe(0)
  })
})

test('pages are cut by what is sent, long names included', async () => {
  const server = await openServer()
  for (let i = 0; i < 20; i++) await append(server, `${i}`.padEnd(1000, 'x'), 'short')
  const { commits, next } = await server.readCommits(0, 10_000)
  expect(commits.length).toBeLessThan(4)
  expect(next).toBe(commits.length)
})

test('whatever three devices do and in whatever order they sync, they end equal, nothing lost, nothing doubled', async () => {
  const step = fc.record({
    device: fc.nat(2),
    action: fc.constantFrom('append', 'append', 'fill', 'pull', 'push', 'lose-receipt', 'reopen'),
    stream: fc.constantFrom('a', 'b'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const server = await openServer()
      const databases = [createMemoryDatabase(), createMemoryDatabase(), createMemoryDatabase()]
      const devices = await Promise.all(databases.map(openDevice))
      const said: string[] = []
      for (const { device: n, action, stream } of steps) {
        const device = devices[n]!
        if (action === 'append') {
          said.push(`"${said.length}"`)
          await append(device, stream, String(said.length - 1))
        } else if (action === 'fill') await fill(device, 3).catch(() => {})
        else if (action === 'pull') await pull(device, server, 200)
        else if (action === 'push') await push(device, server)
        else if (action === 'lose-receipt') await pull(device, server).then(() => push(device, server))
        else {
          await device.close()
          devices[n] = await openDevice(databases[n])
        }
      }
      for (let round = 0; round < 2; round++) for (const device of devices) await sync(device, server)
      const truth = await confirmed(server)
      for (const device of devices) {
        expect(await confirmed(device)).toEqual(truth)
        expect(device.pendingCount()).toBe(0)
        expect((await device.verify()).ok).toBe(true)
      }
      const recorded = (await texts(server)).filter(text => text!.startsWith('"'))
      expect(recorded.toSorted()).toEqual(said.toSorted())
      const level = (await texts(server)).filter(text => !text!.startsWith('"')).length * 3
      expect(level).toBeLessThanOrEqual(10)
    }),
    { numRuns: 60 },
  )
})
