import { describe, expect, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { StorageFailed } from '../../src/log/errors.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import { newEventId } from '../../src/log/event-id.ts'
import type { App } from '../../src/model/app.ts'
import type { AppendOutcome, LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'

/** Ten events of a megabyte: each may be recorded, all together may not. */
const FLOOD = Array.from({ length: 10 }, () => ({ type: 'Flooded', data: 'x'.repeat(1_000_000) }))

const counter = {
  streamName: (id: string) => `counter-${id}`,
  initialState: () => 0,
  evolve: {
    Added: (sum: number, event: RecordedEvent) => sum + (event.data as { by: number }).by,
    Broken: () => {
      throw new Error('a handler with a fault')
    },
  },
  decide: (
    command: { type: 'Add' | 'AddTwice' | 'Nothing' | 'Break' | 'Flood'; data: { by: number } },
    sum: number,
  ) => {
    if (command.type === 'Nothing') return []
    if (command.type === 'Flood') return FLOOD
    if (command.type === 'Break') return { type: 'Broken', data: {} }
    if (sum + command.data.by > 1000) throw new Error('that is too much')
    const added = { type: 'Added', data: command.data }
    return command.type === 'AddTwice' ? [added, added] : added
  },
}
const app = { deciders: { counter } } satisfies App

const command = (type: string, by = 1, more: object = {}) => ({
  decider: 'counter',
  id: '1',
  command: { type, data: { by } },
  commandId: newEventId(),
  ...more,
})

/** A storage that counts its appends and can be told what the next ones do. */
function watched(storage: LogStorage = memoryStorage()) {
  const watch = { appends: 0, next: [] as (() => Promise<AppendOutcome | undefined> | undefined)[] }
  const append: LogStorage['append'] = async (...args) => {
    watch.appends++
    return (await watch.next.shift()?.()) ?? storage.append(...args)
  }
  return { watch, storage: wrapStorage(storage, { append }) }
}

const said = (text: string, id?: string) => ({ type: 'Said', data: text, ...(id && { id }) })

describe('planning behind a write', () => {
  /** A log whose first write waits until it is told how to end, with a second append planned behind it meanwhile. */
  async function planBehind(end: () => Promise<AppendOutcome | undefined>) {
    const database = createMemoryDatabase()
    const { storage, watch } = watched(memoryStorage({ database }))
    const store = createEventStore(await openLog({ storage, storeId: 's' }))
    let release!: () => void
    const released = new Promise<void>(resolve => (release = resolve))
    watch.next.push(async () => {
      await released
      return end()
    })
    const first = store.appendToStream('a', [said('first')])
    await expect.poll(() => watch.appends).toBe(1)
    let isJudged = false
    const second = store.appendToStream('a', [said('second')], { onAccepted: () => (isJudged = true) })
    await expect.poll(() => isJudged).toBe(true)
    return { database, store, watch, release, first, second }
  }

  test('an append is judged on what is being written before it, and written behind it', async () => {
    const { store, watch, release, first, second } = await planBehind(async () => undefined)
    expect(watch.appends).toBe(1)
    release()
    expect((await first).nextExpectedStreamVersion).toBe(1)
    expect((await second).nextExpectedStreamVersion).toBe(2)
    expect(await store.verify()).toMatchObject({ ok: true, events: 2 })
  })

  test('what stands behind a write that fails is judged again and written', async () => {
    const fails = () => Promise.reject(new StorageFailed('quota', 'full'))
    const { store, release, first, second } = await planBehind(fails)
    const refused = first.catch(error => error)
    release()
    expect(await refused).toMatchObject({ code: 'storage-failed' })
    expect((await second).nextExpectedStreamVersion).toBe(1)
    expect((await store.readStream('a')).events.map(({ data }) => data)).toEqual(['second'])
    expect(await store.verify()).toMatchObject({ ok: true, events: 1 })
  })

  test('when another writer was first, both are judged again, in their order', async () => {
    const { database, store, release, first, second } = await planBehind(async () => {
      const other = createEventStore(await openLog({ storage: memoryStorage({ database }), storeId: 's' }))
      await other.appendToStream('a', [said('other')])
      return undefined
    })
    release()
    expect((await first).nextExpectedStreamVersion).toBe(2)
    expect((await second).nextExpectedStreamVersion).toBe(3)
    expect((await store.readStream('a')).events.map(({ data }) => data)).toEqual(['other', 'first', 'second'])
    expect(await store.verify()).toMatchObject({ ok: true, events: 3 })
  })

  test('a retry of what is being written is known as one', async () => {
    const { store, release, first, second } = await planBehind(async () => undefined)
    const id = newEventId()
    const [once, again] = [
      store.appendToStream('b', [said('same', id)]),
      store.appendToStream('b', [said('same', id)]),
    ]
    release()
    expect((await once).idempotent).toBe(false)
    expect((await again).idempotent).toBe(true)
    await Promise.all([first, second])
  })

  test('a command is decided on the events that are being written before it', async () => {
    const { storage, watch } = watched()
    const log = await openLog({ storage, storeId: 's', app })
    let release!: () => void
    const released = new Promise<void>(resolve => (release = resolve))
    watch.next.push(async () => {
      await released
      return undefined
    })
    const first = log.execute(command('Add', 600))
    await expect.poll(() => watch.appends).toBe(1)
    const second = log.execute(command('Add', 300))
    const third = log.execute(command('Add', 300)).catch(error => error)
    await new Promise(resolve => setTimeout(resolve, 20))
    release()
    expect((await first).state).toBe(600)
    expect((await second).state).toBe(900)
    expect(await third).toMatchObject({ code: 'command-refused' })
  })
})

describe('group commit', () => {
  test('appends that come while one is written go into the next write together', async () => {
    const { storage, watch } = watched()
    const store = createEventStore(await openLog({ storage, storeId: 's' }))
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) => store.appendToStream(`s${i % 7}`, [said(String(i))])),
    )
    expect(watch.appends).toBe(1)
    expect((await store.verify()).ok).toBe(true)
  })

  test('an answer waits until what it was judged against is durable', async () => {
    const { storage, watch } = watched()
    const store = createEventStore(await openLog({ storage, storeId: 's' }))
    watch.next.push(() => Promise.reject(new StorageFailed('quota', 'full')))
    const [first, second] = await Promise.allSettled([
      store.appendToStream('a', [said('1')], { expectedStreamVersion: 0 }),
      store.appendToStream('a', [said('2')], { expectedStreamVersion: 0 }),
    ])
    // The second lost against a first that was never written: it must not be told that it conflicts.
    for (const outcome of [first, second])
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'storage-failed' } })
    await store.appendToStream('a', [said('2')], { expectedStreamVersion: 0 })
    expect(await store.verify()).toMatchObject({ ok: true, events: 1 })
  })
})

describe('several writers', () => {
  test('none loses, none doubles, all versions follow on each other', async () => {
    const database = createMemoryDatabase()
    const open = () => openLog({ storage: memoryStorage({ database }), storeId: 's', app })
    const logs = await Promise.all([open(), open(), open(), open()])
    const stores = logs.map(createEventStore)
    await Promise.all(
      stores.flatMap((store, n) =>
        Array.from({ length: 100 }, (_, i) => store.appendToStream('a', [said(`${n}/${i}`)])),
      ),
    )
    await Promise.all(logs.map(log => log.catchUp()))
    for (const store of stores) {
      const { events } = await store.readStream('a')
      expect(events.map(({ metadata }) => metadata.streamVersion)).toEqual(
        Array.from({ length: 400 }, (_, i) => i + 1),
      )
      expect(new Set(events.map(({ data }) => data)).size).toBe(400)
      expect(await store.verify()).toMatchObject({ ok: true, events: 400 })
    }
  })

  test('the loser of a race is judged again on what the log is then', async () => {
    const database = createMemoryDatabase()
    const other = createEventStore(await openLog({ storage: memoryStorage({ database }), storeId: 's' }))
    const { storage, watch } = watched(memoryStorage({ database }))
    const store = createEventStore(await openLog({ storage, storeId: 's' }))
    const overtake = async () => {
      await other.appendToStream('a', [said('other')])
      return undefined
    }
    watch.next.push(overtake)
    await expect(
      store.appendToStream('a', [said('mine')], { expectedStreamVersion: 0 }),
    ).rejects.toMatchObject({
      facts: { expected: 0, actual: 1 },
    })
    watch.next.push(overtake)
    expect(await store.appendToStream('a', [said('mine')])).toMatchObject({ nextExpectedStreamVersion: 3 })
  })
})

describe('commands', () => {
  const open = async (storage: LogStorage = memoryStorage()) => openLog({ storage, storeId: 's', app })

  test('are decided in order on the state that the one before left', async () => {
    const log = await open()
    const results = await Promise.all([1, 2, 3].map(by => log.execute(command('Add', by))))
    expect(results.map(({ state }) => state)).toEqual([1, 3, 6])
    expect(await log.execute(command('AddTwice', 10))).toMatchObject({
      state: 26,
      nextExpectedStreamVersion: 5,
    })
  })

  test('that give no event write nothing', async () => {
    const log = await open()
    expect(await log.execute(command('Nothing'))).toMatchObject({
      state: 0,
      nextExpectedStreamVersion: 0,
      createdNewStream: false,
    })
    expect(log.head()).toBe(0)
  })

  test('that are refused say why and write nothing', async () => {
    const log = await open()
    await expect(log.execute(command('Add', 2000))).rejects.toMatchObject({
      code: 'command-refused',
      message: 'that is too much',
    })
    expect(log.head()).toBe(0)
  })

  test('whose own event breaks a handler write nothing, and what follows goes on', async () => {
    const log = await open()
    const [broken, fine] = await Promise.allSettled([
      log.execute(command('Break')),
      log.execute(command('Add', 5)),
    ])
    expect(broken).toMatchObject({ status: 'rejected', reason: { code: 'handler-failed' } })
    expect(fine).toMatchObject({ status: 'fulfilled', value: { state: 5, nextExpectedStreamVersion: 1 } })
    expect(await log.verify()).toMatchObject({ ok: true, events: 1 })
  })

  test('whose events would not fit into one push are refused, as an append of them is', async () => {
    const log = await open()
    await expect(log.execute(command('Flood'))).rejects.toMatchObject({
      code: 'invalid-event',
      facts: { path: 'events' },
    })
    await expect(createEventStore(log).appendToStream('a', FLOOD)).rejects.toMatchObject({
      code: 'invalid-event',
    })
    expect(log.head()).toBe(0)
  })

  test('of the same id are carried out once', async () => {
    const log = await open()
    const wish = command('AddTwice', 4)
    await log.execute(wish)
    expect(await log.execute(wish)).toMatchObject({ idempotent: true, state: 8 })
    expect(log.head()).toBe(2)
  })

  test('for an unknown decider, with an odd version or payload, are refused', async () => {
    const log = await open()
    await expect(log.execute(command('Add', 1, { decider: 'toString' }))).rejects.toMatchObject({
      code: 'unknown-decider',
    })
    await expect(log.execute(command('Add', 1, { expectedStreamVersion: -1 }))).rejects.toMatchObject({
      code: 'invalid-argument',
    })
    await expect(log.execute(command('Add', 1, { command: { when: new Date() } }))).rejects.toMatchObject({
      facts: { path: 'command.when' },
    })
    await expect(log.execute(command('Add', 1, { commandId: 'x' }))).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })

  const overtaken = async (times: number) => {
    const database = createMemoryDatabase()
    const other = await open(memoryStorage({ database }))
    const { storage, watch } = watched(memoryStorage({ database }))
    const log = await open(storage)
    for (let i = 0; i < times; i++) {
      watch.next.push(async () => {
        await other.execute(command('Add', 100))
        return undefined
      })
    }
    return log
  }

  test('are decided again when another writer was first', async () => {
    const log = await overtaken(3)
    expect(await log.execute(command('Add', 1))).toMatchObject({ state: 301 })
  })

  test('give up after the retries they were given', async () => {
    const log = await overtaken(3)
    await expect(log.execute(command('Add', 1, { retries: 2 }))).rejects.toMatchObject({
      code: 'version-conflict',
    })
  })

  test('with an explicit version are not decided again', async () => {
    const log = await overtaken(1)
    await expect(log.execute(command('Add', 1, { expectedStreamVersion: 0 }))).rejects.toMatchObject({
      facts: { expected: 0, actual: 1 },
    })
  })
})

describe('a storage that fails', () => {
  test('every nth call: nothing is acknowledged that is not stored, and reopening verifies', async () => {
    for (let nth = 1; nth <= 12; nth++) {
      const database = createMemoryDatabase()
      const { storage, watch } = watched(memoryStorage({ database }))
      const store = createEventStore(await openLog({ storage, storeId: 's' }))
      const acknowledged: string[] = []
      for (let i = 0; i < 20; i++) {
        watch.next.push(() =>
          i % nth === nth - 1 ? Promise.reject(new StorageFailed('failed', 'injected')) : undefined,
        )
        await store.appendToStream('a', [said(String(i))]).then(
          () => acknowledged.push(String(i)),
          () => {},
        )
      }
      await store.close()
      const again = createEventStore(await openLog({ storage: memoryStorage({ database }), storeId: 's' }))
      expect((await again.readStream('a')).events.map(({ data }) => data)).toEqual(acknowledged)
      expect((await again.verify()).ok).toBe(true)
    }
  })

  test('a closed log refuses to write', async () => {
    const store = createEventStore(await openLog({ storage: memoryStorage(), storeId: 's' }))
    await store.close()
    await store.close()
    await expect(store.appendToStream('a', [said('late')])).rejects.toMatchObject({ code: 'store-closed' })
  })
})
