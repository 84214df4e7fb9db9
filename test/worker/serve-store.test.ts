// The whole path in one process: page client, port, worker, engine, memory.

import { afterEach, describe, expect, test, vi } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { InvalidEvent, isStoreError, StorageFailed, VersionConflict } from '../../src/log/errors.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import { newEventId } from '../../src/log/event-id.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { serveStoreOn } from '../../worker/serve-store.ts'
import { added, type CartEvent, cartApp } from './cart-app.ts'
import { shows, startWorker } from './in-process.ts'

type CartStore = StoreClient<typeof cartApp>

const opened: CartStore[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
})

async function open(storage: () => LogStorage = memoryStorage, storeId = 'shop'): Promise<CartStore> {
  const store = await openStore<typeof cartApp>(() => startWorker(storage).port, { storeId })
  opened.push(store)
  return store
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}

const skusOf = (events: readonly RecordedEvent<CartEvent>[]) =>
  events.map(event => (event.type === 'Added' ? event.data.sku : 'emptied'))

describe('what was folded, and would be', () => {
  test('is told over the port, and a document is shown as it was', async () => {
    const database = createMemoryDatabase()
    const storage = () => memoryStorage({ database })
    let store = await open(storage)
    const events = Array.from({ length: 1_200 }, (_, n) => added(`sku-${n % 7}`))
    await store.appendToStream('cart-1', [...events, { type: 'Emptied', data: null }])
    expect(await store.projection('contents').explain('cart-1')).toMatchObject({
      reason: 'no-snapshot',
      total: 1_201,
    })
    await store.projection('contents').get('cart-1')
    await store.close()
    store = await open(storage)
    expect((await store.projection('contents').explain('cart-1')).text).toContain('nothing is folded')
    await store.projection('contents').get('cart-1')
    expect(await store.replayReports()).toMatchObject([
      {
        kind: 'projection',
        name: 'contents',
        streamName: 'cart-1',
        reason: 'tail',
        replayed: 0,
        total: 1_201,
        isWeak: true,
      },
    ])
    expect(await store.typeCounts()).toEqual({ Added: 1_200, Emptied: 1 })
    const view = store.view('contents', 'cart-1')
    expect((await view.at({ version: 3 }))?.state).toEqual({ total: 3, skus: ['sku-0', 'sku-1', 'sku-2'] })
    expect((await view.at({ time: Date.now() }))?.state.total).toBe(0)
    expect(await view.at({ time: 0 })).toBeNull()
    await expect(view.at({ version: -1 })).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  test('says once that handlers are known by their text alone', () => {
    const info = vi.spyOn(console, 'info').mockImplementation(() => {})
    startWorker(memoryStorage)
    expect(info.mock.calls).toEqual([
      [expect.stringContaining('the handlers of cart, contents are known by their text and version alone')],
    ])
    info.mockRestore()
  })
})

describe('appending over the port', () => {
  test('is read back, whole and in order', async () => {
    const store = await open()
    const result = await store.appendToStream('cart-1', [added('a'), added('b')], {
      expectedStreamVersion: 'STREAM_DOES_NOT_EXIST',
    })
    expect(result).toMatchObject({ nextExpectedStreamVersion: 2, createdNewStream: true, idempotent: false })
    const { events, currentStreamVersion } = await store.readStream<CartEvent>('cart-1')
    expect(skusOf(events)).toEqual(['a', 'b'])
    expect(currentStreamVersion).toBe(2)
    expect(events[1]!.metadata).toMatchObject({
      streamVersion: 2,
      previousHash: events[0]!.metadata.hash,
      hash: result.headHash,
    })
    expect(await store.streamExists('cart-1')).toBe(true)
    expect(await store.streamExists('cart-2')).toBe(false)
  })

  test('at a wrong version conflicts, with stream, expected and actual version', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('a')])
    for (const expected of [0, 2, 'STREAM_DOES_NOT_EXIST'] as const) {
      const options = { expectedStreamVersion: expected }
      const error = await store.appendToStream('cart-1', [added('b')], options).catch(thrown => thrown)
      expect(error).toBeInstanceOf(VersionConflict)
      expect(error.facts).toMatchObject({ streamName: 'cart-1', expected, actual: 1 })
    }
    await expect(
      store.appendToStream('cart-2', [added('b')], { expectedStreamVersion: 'STREAM_EXISTS' }),
    ).rejects.toBeInstanceOf(VersionConflict)
    expect(skusOf((await store.readStream<CartEvent>('cart-1')).events)).toEqual(['a'])
  })

  test('of two at one version exactly one wins', async () => {
    const store = await open()
    const settled = await Promise.allSettled(
      ['a', 'b'].map(sku => store.appendToStream('cart-1', [added(sku)], { expectedStreamVersion: 0 })),
    )
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })

  test('the same ids again is the same result, and writes nothing', async () => {
    const store = await open()
    const events = [{ ...added('a'), id: newEventId() }]
    const first = await store.appendToStream('cart-1', events)
    expect(await store.appendToStream('cart-1', events)).toEqual({ ...first, idempotent: true })
    expect((await store.readStream('cart-1')).currentStreamVersion).toBe(1)
    await expect(store.appendToStream('cart-2', events)).rejects.toMatchObject({ code: 'id-conflict' })
  })

  test('to several streams is all or nothing, and every violation is told', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('a')])
    const error = await store
      .appendToStreams([
        { streamName: 'cart-2', events: [added('b')] },
        { streamName: 'cart-1', events: [], expectedStreamVersion: 5 },
        { streamName: 'cart-3', events: [added('c')], expectedStreamVersion: 'STREAM_EXISTS' },
      ])
      .catch(thrown => thrown)
    expect(error.facts.violations).toHaveLength(2)
    expect(await store.streamExists('cart-2')).toBe(false)
    await store.appendToStreams([
      { streamName: 'cart-2', events: [added('b')] },
      { streamName: 'cart-1', events: [added('c')] },
      { streamName: 'cart-2', events: [added('d')] },
    ])
    expect(skusOf(await collect(store.readAll<CartEvent>()))).toEqual(['a', 'b', 'c', 'd'])
  })

  test('refuses the store’s own streams with the path', async () => {
    const store = await open()
    await expect(store.appendToStream('$sync', [added('a')])).rejects.toBeInstanceOf(InvalidEvent)
  })

  test('many streams and many events come back by readAll, page by page', async () => {
    const store = await open()
    const skus = Array.from({ length: 3000 }, (_, i) => `sku ${i}`)
    await Promise.all(skus.map((sku, i) => store.appendToStream(`cart-${i % 7}`, [added(sku)])))
    expect(skusOf(await collect(store.readAll<CartEvent>()))).toEqual(skus)
    const backwards = await collect(store.readAll<CartEvent>({ direction: 'backwards', maxCount: 1500 }))
    expect(skusOf(backwards)).toEqual(skus.slice(1500).reverse())
    const { events } = await store.readStream<CartEvent>('cart-3', { direction: 'backwards', from: 100 })
    expect(events.map(({ metadata }) => metadata.streamVersion)).toEqual(
      Array.from({ length: 100 }, (_, i) => 100 - i),
    )
  })
})

describe('commands over the port', () => {
  test('are decided in the worker and answered with the state', async () => {
    const store = await open()
    const result = await store.execute('cart', '1', { type: 'Add', data: { sku: 'a', count: 4 } })
    expect(result).toMatchObject({ nextExpectedStreamVersion: 1, state: { count: 4 } })
    const nothing = await store.execute('cart', '2', { type: 'Empty', data: null })
    expect(nothing).toMatchObject({ nextExpectedStreamVersion: 0, state: { count: 0 } })
  })

  test('that are refused say why, and write nothing', async () => {
    const store = await open()
    const refused = store.execute('cart', '1', { type: 'Add', data: { sku: 'a', count: 11 } })
    await expect(refused).rejects.toMatchObject({
      code: 'command-refused',
      message: 'A cart holds ten things',
    })
    expect(await store.streamExists('cart-1')).toBe(false)
  })

  test('for a decider that the app does not have are refused', async () => {
    const store = await open()
    await expect(store.execute('nobody' as 'cart', '1', { type: 'Empty', data: null })).rejects.toMatchObject(
      {
        code: 'unknown-decider',
      },
    )
  })

  test('of one tick are decided one after the other, so that none oversteps', async () => {
    const store = await open()
    const settled = await Promise.allSettled(
      Array.from({ length: 5 }, () =>
        store.execute('cart', '1', { type: 'Add', data: { sku: 'a', count: 3 } }),
      ),
    )
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    const { state } = await store.aggregateStream('cart-1', cartApp.deciders.cart)
    expect(state).toEqual({ count: 9 })
  })

  test('with the same command id are carried out once', async () => {
    const store = await open()
    const commandId = newEventId()
    const add = () => store.execute('cart', '1', { type: 'Add', data: { sku: 'a', count: 1 } }, { commandId })
    expect(await add()).toMatchObject({ idempotent: false, state: { count: 1 } })
    expect(await add()).toMatchObject({ idempotent: true, state: { count: 1 } })
  })
})

describe('documents over the port', () => {
  test('a view shows what is appended', async () => {
    const store = await open()
    const view = store.view('contents', 'cart-1')
    const shown = shows(view, ({ total }) => total === 2)
    await store.appendToStream('cart-1', [added('a'), added('a')])
    await shown
    expect(view.getSnapshot()).toMatchObject({
      streamVersion: 2,
      pending: 2,
      state: { total: 2, skus: ['a'] },
    })
  })

  test('a document without events is null', async () => {
    const store = await open()
    const view = store.view('contents', 'cart-1')
    await new Promise<void>(resolve => view.subscribe(resolve))
    expect(view.getSnapshot()).toBeNull()
    expect(await store.projection('contents').get('cart-1')).toBeNull()
  })

  test('a snapshot comes with the hash of its state', async () => {
    const [one, other] = [await open(), await open()]
    for (const store of [one, other]) await store.appendToStream('cart-1', [added('a'), added('b', 3)])
    const [first, second] = await Promise.all(
      [one, other].map(store => store.projection('contents').get('cart-1')),
    )
    expect(first!.stateHash).toMatch(/^[0-9a-f]{64}$/)
    expect(second!.stateHash).toBe(first!.stateHash)
    expect(first!.state).toEqual({ total: 4, skus: ['a', 'b'] })
  })

  test('an event that cannot be folded is told with a code, and the log is intact', async () => {
    const store = await open()
    const view = store.view('contents', 'cart-1')
    const failed = new Promise<void>(resolve => view.subscribe(() => view.getError() && resolve()))
    await store.appendToStream('cart-1', [added('poison')])
    await failed
    expect(view.getError()).toSatisfy(error => isStoreError(error, 'handler-failed'))
    expect(await store.verify()).toMatchObject({ ok: true })
  })

  test('a projection that the app does not have is refused', async () => {
    const store = await open()
    await expect(store.projection('nothing' as 'contents').get('x')).rejects.toMatchObject({
      code: 'unknown-projection',
    })
    const view = store.view('nothing' as 'contents', 'x')
    await new Promise<void>(resolve => view.subscribe(resolve))
    expect(view.getError()).toMatchObject({ code: 'unknown-projection' })
  })
})

describe('subscriptions over the port', () => {
  test('have no gap and no double between what was and what comes', async () => {
    const store = await open()
    const append = (from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, (_, i) => store.appendToStream('cart-1', [added(`${from + i}`)])),
      )
    await append(0, 1000)
    const seen: string[] = []
    const whole = new Promise<void>(resolve => {
      void store.subscribe<CartEvent>(event => {
        seen.push(...skusOf([event]))
        if (seen.length === 2000) resolve()
      })
    })
    await append(1000, 2000)
    await whole
    expect(seen).toEqual(Array.from({ length: 2000 }, (_, i) => `${i}`))
  })

  test('of one stream pass others by, and their position moves on', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('a')])
    const seen: string[] = []
    let caughtUp = () => {}
    const subscription = await store.subscribe<CartEvent>(event => void seen.push(...skusOf([event])), {
      streamName: 'cart-1',
      onCaughtUp: () => caughtUp(),
    })
    const again = new Promise<void>(resolve => {
      caughtUp = () => subscription.position() === 3 && resolve()
    })
    await store.appendToStream('cart-2', [added('x'), added('y')])
    await again
    expect(seen).toEqual(['a'])
    await subscription.unsubscribe()
  })

  test('from the end see only what comes', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('old')])
    const seen = new Promise<string[]>(resolve => {
      void store
        .subscribe<CartEvent>(event => resolve(skusOf([event])), { from: 'end' })
        .then(() => store.appendToStream('cart-1', [added('new')]))
    })
    expect(await seen).toEqual(['new'])
  })
})

describe('verifying over the port', () => {
  test('finds a log whole, with progress', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('a'), added('b')])
    const progress = vi.fn()
    expect(await store.verify({ onProgress: progress })).toMatchObject({
      ok: true,
      events: 2,
      headPosition: 2,
    })
  })

  test('finds and locates a byte that somebody changed', async () => {
    const database = createMemoryDatabase()
    const store = await open(() => memoryStorage({ database }))
    await store.appendToStream('cart-1', [added('a'), added('b')])
    const { bytes } = database.blocks[0]!
    const at = new TextDecoder('latin1').decode(bytes).indexOf('"sku":"b"')
    bytes[at + 7] = 'c'.charCodeAt(0)
    expect(await store.verify()).toMatchObject({ ok: false, at: 2, problem: 'hash-mismatch' })
  })
})

describe('amending over the port', () => {
  test('reads and views follow, and what was recorded is still there', async () => {
    const store = await open()
    const [a, b, c] = [added('a'), added('b', 20), added('c')].map(event => ({ ...event, id: newEventId() }))
    await store.appendToStream('cart-1', [a!, b!, c!])
    const view = store.view('contents', 'cart-1')
    await shows(view, ({ total }) => total === 22)
    const followed = shows(view, ({ total }) => total === 4)
    const amendmentId = newEventId()
    const amendments = [
      { kind: 'replace', eventId: b!.id, event: added('b', 2) },
      { kind: 'move', eventId: c!.id, after: null },
    ] as const
    const options = { amendmentId, reason: 'two and not twenty', expectedStreamVersion: 3 }
    const result = await store.amendStream('cart-1', amendments, options)
    expect(result).toMatchObject({ nextExpectedStreamVersion: 5, idempotent: false })
    expect(await store.amendStream('cart-1', amendments, options)).toEqual({ ...result, idempotent: true })
    await followed
    expect(view.getSnapshot()!.state.skus).toEqual(['c', 'a', 'b'])
    const read = async (order: 'effective' | 'recorded') =>
      skusOf((await store.readStream<CartEvent>('cart-1', { order })).events)
    expect(await read('effective')).toEqual(['c', 'a', 'b'])
    expect(await read('recorded')).toEqual(['a', 'b', 'c', 'b'])
    expect(skusOf((await collect(store.readAll<CartEvent>())) as never)).toEqual(['c', 'a', 'b'])
    expect(await store.amendments('cart-1')).toMatchObject([
      {
        amendmentId,
        reason: 'two and not twenty',
        status: 'pending',
        changes: [
          { kind: 'replace', eventId: b!.id },
          { kind: 'move', eventId: c!.id, after: null },
        ],
      },
    ])
    const { state } = (await store.projection('contents').get('cart-1'))!
    expect(state.total).toBe(4)
  })

  test('what cannot be amended is refused with its class, here or by the worker', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('a')])
    const removing = [{ kind: 'remove', eventId: newEventId() }] as const
    const amend = (amendments: Parameters<typeof store.amendStream>[1], options: object = {}) =>
      store.amendStream('cart-1', amendments, { reason: '', ...options }).catch(thrown => thrown)
    expect(await amend(removing)).toMatchObject({ code: 'unknown-event' })
    expect(await amend(removing, { expectedStreamVersion: 7 })).toBeInstanceOf(VersionConflict)
    const inserting = (data: unknown) =>
      [{ kind: 'insert', after: null, event: { type: 'Added', data } }] as const
    expect(await amend(inserting(Number.NaN))).toBeInstanceOf(InvalidEvent)
    for (const options of [
      { reason: 'x'.repeat(1_025) },
      { reason: '\ud800' },
      { amendmentId: '1' },
      { expectedStreamVersion: -1 },
    ]) {
      expect(await amend(removing, options)).toMatchObject({ code: 'invalid-argument' })
    }
    expect(await amend([])).toMatchObject({ code: 'invalid-argument' })
    expect(await amend([{ kind: 'remove', eventId: 'first' }])).toMatchObject({ code: 'invalid-argument' })
    expect(await amend([{ kind: 'swap' } as never])).toMatchObject({ code: 'invalid-argument' })
    expect((await store.readStream('cart-1')).currentStreamVersion).toBe(1)
  })

  test('the other tab’s view and commands follow, though it had folded what counts no more', async () => {
    const database = createMemoryDatabase()
    const [one, other] = [
      await open(() => memoryStorage({ database })),
      await open(() => memoryStorage({ database })),
    ]
    const [a, b] = [added('a', 8), added('b', 2)].map(event => ({ ...event, id: newEventId() }))
    await one.appendToStream('cart-1', [a!, b!])
    const view = other.view('contents', 'cart-1')
    await shows(view, ({ total }) => total === 10)
    const add = { type: 'Add', data: { sku: 'c', count: 8 } } as const
    await expect(other.execute('cart', '1', add)).rejects.toMatchObject({ code: 'command-refused' })
    const followed = shows(view, ({ total }) => total === 2)
    await one.amendStream('cart-1', [{ kind: 'remove', eventId: a!.id }], { reason: 'never bought' })
    await followed
    await other.execute('cart', '1', add)
    await shows(one.view('contents', 'cart-1'), ({ total }) => total === 10)
    const hashes = await Promise.all(
      [one, other].map(async store => (await store.projection('contents').get('cart-1'))!.stateHash),
    )
    expect(hashes[0]).toBe(hashes[1])
    expect(await other.verify()).toMatchObject({ ok: true })
  })
})

describe('a worker that dies', () => {
  test('while it amends: the page is told by which id to try again, and it is one amendment', async () => {
    const database = createMemoryDatabase()
    const worker = startWorker(() => memoryStorage({ database }))
    const store = await openStore<typeof cartApp>(worker.port, { storeId: 'shop' })
    const event = { ...added('a'), id: newEventId() }
    await store.appendToStream('cart-1', [event])
    const removing = [{ kind: 'remove', eventId: event.id }] as const
    const amended = store.amendStream('cart-1', removing, { reason: 'twice' }).catch(thrown => thrown)
    await Promise.resolve()
    worker.die()
    const error = await amended
    expect(isStoreError(error, 'worker-died')).toBe(true)
    const again = await open(() => memoryStorage({ database }))
    const { amendmentId } = error.facts
    await again.amendStream('cart-1', removing, { reason: 'twice', amendmentId })
    await again.amendStream('cart-1', removing, { reason: 'twice', amendmentId })
    expect(await again.amendments('cart-1')).toMatchObject([{ amendmentId }])
  })

  test('when it has written 100 appends and answered none: they are asked again, and nothing is doubled', async () => {
    const database = createMemoryDatabase()
    const workers: { die: () => void }[] = []
    const dyingAtFirstWrite = () => {
      const memory = memoryStorage({ database })
      const append = memory.append.bind(memory)
      memory.append = async (...args) => {
        await append(...args)
        workers[0]!.die()
        return new Promise(() => {})
      }
      return memory
    }
    const store = await openStore<typeof cartApp>(
      () => {
        const isFirst = workers.length === 0
        const worker = startWorker(isFirst ? dyingAtFirstWrite : () => memoryStorage({ database }))
        workers.push(worker)
        return worker.port
      },
      { storeId: 'shop' },
    )
    opened.push(store)
    const skus = Array.from({ length: 100 }, (_, i) => `${i}`)
    const results = await Promise.all(skus.map(sku => store.appendToStream('cart-1', [added(sku)])))
    expect(results.every(({ idempotent }) => idempotent)).toBe(true)
    expect(workers).toHaveLength(2)
    expect(skusOf((await store.readStream<CartEvent>('cart-1')).events)).toEqual(skus)
    expect(await store.verify()).toMatchObject({ ok: true, events: 100 })
  })

  test('and is not to be replaced: the caller tries again by the ids in the error', async () => {
    const database = createMemoryDatabase()
    const worker = startWorker(() => memoryStorage({ database }))
    const store = await openStore<typeof cartApp>(worker.port, { storeId: 'shop' })
    const append = store.appendToStream('cart-1', [added('a')]).catch(thrown => thrown)
    await Promise.resolve()
    worker.die()
    const error = await append
    expect(isStoreError(error, 'worker-died')).toBe(true)
    const [id] = error.facts.eventIds
    const again = await open(() => memoryStorage({ database }))
    await again.appendToStream('cart-1', [{ ...added('a'), id }])
    expect((await again.readStream('cart-1')).currentStreamVersion).toBe(1)
  })

  test('leaves views that go on in the next one', async () => {
    const database = createMemoryDatabase()
    const workers: { die: () => void }[] = []
    const store = await openStore<typeof cartApp>(
      () => {
        const worker = startWorker(() => memoryStorage({ database }))
        workers.push(worker)
        return worker.port
      },
      { storeId: 'shop' },
    )
    opened.push(store)
    const view = store.view('contents', 'cart-1')
    const first = shows(view, ({ total }) => total === 1)
    await store.appendToStream('cart-1', [added('a')])
    await first
    workers[0]!.die()
    const second = shows(view, ({ total }) => total === 2)
    await store.appendToStream('cart-1', [added('a')])
    await second
  })
})

describe('several tabs of one store', () => {
  test('append at once to one stream: none lost, none doubled, and each sees all', async () => {
    const database = createMemoryDatabase()
    const tabs = await Promise.all(Array.from({ length: 3 }, () => open(() => memoryStorage({ database }))))
    const views = tabs.map(tab => tab.view('contents', 'cart-1'))
    const shown = Promise.all(views.map(view => shows(view, ({ total }) => total === 150)))
    await Promise.all(
      tabs.flatMap(tab => Array.from({ length: 50 }, () => tab.appendToStream('cart-1', [added('a')]))),
    )
    await shown
    expect(await tabs[0]!.verify()).toMatchObject({ ok: true })
    const { events } = await tabs[1]!.readStream('cart-1')
    expect(new Set(events.map(({ metadata }) => metadata.eventId)).size).toBe(150)
  })
})

describe('a storage that fails', () => {
  /** Memory whose next append fails, or never settles. */
  function failing(fail: () => Promise<never>): { storage: () => LogStorage; mend: () => void } {
    let isBroken = true
    const storage = () => {
      const memory = memoryStorage()
      const append: LogStorage['append'] = (...args) => (isBroken ? fail() : memory.append(...args))
      return new Proxy(memory, {
        get: (target, key) => {
          if (key === 'append') return append
          const value = Reflect.get(target, key, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    }
    return { storage, mend: () => (isBroken = false) }
  }

  test('refuses the append with a typed error, and writing resumes when there is room', async () => {
    const { storage, mend } = failing(() => Promise.reject(new StorageFailed('quota', 'The disk is full')))
    const store = await open(storage)
    const error = await store.appendToStream('cart-1', [added('a')]).catch(thrown => thrown)
    expect(error).toBeInstanceOf(StorageFailed)
    expect(error.facts).toEqual({ problem: 'quota' })
    expect(await store.streamExists('cart-1')).toBe(false)
    mend()
    await store.appendToStream('cart-1', [added('b')])
    expect(skusOf((await store.readStream<CartEvent>('cart-1')).events)).toEqual(['b'])
  })

  test('that never settles: the page is told by the deadline, and reads go on', async () => {
    const { storage } = failing(() => new Promise(() => {}))
    const store = await openStore<typeof cartApp>(startWorker(storage).port, {
      storeId: 's',
      callTimeoutMs: 50,
    })
    await expect(store.appendToStream('cart-1', [added('a')])).rejects.toMatchObject({
      code: 'worker-timeout',
    })
    expect((await store.readStream('cart-1')).events).toEqual([])
    await store.close().catch(() => {})
  })

  test('when it opens refuses to open the store', async () => {
    const storage = () => {
      const memory = memoryStorage()
      memory.open = () => Promise.reject(new StorageFailed('blocked', 'Another tab holds an old version'))
      return memory
    }
    await expect(open(storage)).rejects.toMatchObject({
      code: 'storage-failed',
      facts: { problem: 'blocked' },
    })
  })
})

test('a worker serves one store at a time, and another one behind it', async () => {
  const worker = startWorker(memoryStorage)
  const store = await openStore<typeof cartApp>(worker.port, { storeId: 'one' })
  await expect(openStore<typeof cartApp>(worker.port, { storeId: 'two' })).rejects.toMatchObject({
    code: 'invalid-argument',
  })
  await store.close()
  const next = await openStore<typeof cartApp>(worker.port, { storeId: 'two' })
  expect(await next.streamExists('cart-1')).toBe(false)
  await next.close()
})

describe('sync options', () => {
  test('are off where nobody names a server', async () => {
    const store = await open()
    await store.appendToStream('cart-1', [added('a')])
    await vi.waitFor(() =>
      expect(store.sync.status().getSnapshot()).toMatchObject({ phase: 'off', pending: 1 }),
    )
  })

  test('may be a function of what the page gives', async () => {
    const sync = vi.fn(() => null)
    const { port1, port2 } = new MessageChannel()
    serveStoreOn(port2, { app: cartApp, storage: () => memoryStorage(), sync, onError: () => {} })
    const store = await openStore<typeof cartApp>(port1, { storeId: 's', sync: { token: 't' } })
    opened.push(store)
    expect(sync).toHaveBeenCalledWith({ storeId: 's', token: 't' })
  })
})
