import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import type { FoldDefinition, FoldLog } from '../../../src/engine/replay/fold.ts'
import { NO_SKIPS } from '../../../src/engine/replay/skipped-events.ts'
import { type SnapshotDrop, SnapshotStore } from '../../../src/engine/replay/snapshot-store.ts'
import { StreamFold, type StreamFoldOptions } from '../../../src/engine/replay/stream-fold.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { append, count, foldLogOf, interruptOnce, openDevice, openServer, pull, sync } from './replicas.ts'

/** Collects what was said, and counts how many events were folded to do so. */
function foldOf(
  log: FoldLog,
  {
    definition = {},
    ...options
  }: { definition?: Partial<FoldDefinition<unknown[]>>; maxStreams?: number } = {},
) {
  const drops: SnapshotDrop[] = []
  const snapshots = new SnapshotStore({ log, onSnapshotDropped: drop => drops.push(drop) })
  const folded = { count: 0 }
  const parts: StreamFoldOptions<unknown[]> = {
    log,
    kind: 'projection',
    name: 'collected',
    snapshots,
    skips: NO_SKIPS,
    definition: {
      initialState: () => [],
      evolve: (state, event) => {
        folded.count++
        return [...state, event.data]
      },
      snapshot: { every: 10 },
      ...definition,
    },
    ...options,
  }
  return { fold: new StreamFold(parts), snapshots, drops, folded }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('one stream', () => {
  test('folds its events alone, then only what is new', async () => {
    const log = await openDevice()
    const { fold, folded } = foldOf(log)
    await count(log, 'a', 1, 3)
    await count(log, 'b', 100, 101)
    expect(await fold.current('a')).toMatchObject({ state: [1, 2, 3], version: 3, position: 3 })
    await count(log, 'a', 4, 4)
    expect(await fold.current('a')).toMatchObject({ state: [1, 2, 3, 4], version: 4, position: 6 })
    expect(folded.count).toBe(4)
  })

  test('without events is the initial state', async () => {
    const { fold } = foldOf(await openDevice())
    expect(await fold.current('none')).toMatchObject({ state: [], version: 0, position: 0, pending: 0 })
    expect(await fold.stateAt('none', 0)).toEqual([])
  })

  test('passes by types that it cannot handle, and says which event it folded last', async () => {
    const log = await openDevice()
    const { fold } = foldOf(log, { definition: { canHandle: ['Said'] } })
    await append(log, 'a', { data: 1 }, { type: 'Noise', data: 2 }, { data: 3 }, { type: 'Noise', data: 4 })
    expect(await fold.current('a')).toMatchObject({
      state: [1, 3],
      version: 4,
      folded: { count: 2, version: 3, position: 3 },
      pending: 2,
    })
  })

  test('gives the state at any version, before and behind the one in memory', async () => {
    const log = await openDevice()
    const { fold } = foldOf(log)
    await count(log, 'a', 1, 40)
    for (const version of [7, 3, 25, 12, 40, 1]) {
      expect(await fold.stateAt('a', version)).toEqual(numbers(1, version))
    }
  })

  test('is folded once for many who ask at the same time', async () => {
    const log = await openDevice()
    const { fold, folded } = foldOf(log)
    await count(log, 'a', 1, 50)
    await Promise.all(numbers(1, 5).map(() => fold.current('a')))
    expect(folded.count).toBe(50)
  })

  test('forgets the streams that were not used for longest', async () => {
    const log = await openDevice()
    const { fold, folded } = foldOf(log, { maxStreams: 2 })
    for (const name of ['a', 'b', 'c']) await count(log, name, 1, 5)
    for (const name of ['a', 'b', 'c', 'b']) await fold.current(name)
    expect(folded.count).toBe(15)
    await fold.current('a')
    expect(folded.count).toBe(20)
  })
})

describe('a handler that fails', () => {
  const evolve = (state: unknown[], { data }: { data: unknown }) => {
    if (data === 'bad') throw new Error('cannot')
    return [...state, data]
  }

  test('leaves the state before its event, and the failure with it', async () => {
    const log = await openDevice()
    const { fold } = foldOf(log, { definition: { evolve } })
    await append(log, 'a', { data: 1 }, { data: 'bad' }, { data: 3 })
    const { state, version, failure } = await fold.current('a')
    expect({ state, version }).toEqual({ state: [1], version: 1 })
    expect(failure).toMatchObject({ position: 2, error: { code: 'handler-failed' } })
    await append(log, 'a', { data: 4 })
    expect(await fold.current('a')).toMatchObject({ state: [1], failure: { position: 2 } })
  })

  test('refuses a state behind its event, and gives the ones before', async () => {
    const log = await openDevice()
    const { fold } = foldOf(log, { definition: { evolve } })
    await append(log, 'a', { data: 1 }, { data: 'bad' }, { data: 3 })
    await expect(fold.stateAt('a', 3)).rejects.toMatchObject({ code: 'handler-failed' })
    expect(await fold.stateAt('a', 1)).toEqual([1])
  })

  test('goes on when a rebase put its event elsewhere', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    let isMended = false
    const { fold } = foldOf(device, {
      definition: { evolve: (state, event) => (isMended ? [...state, event.data] : evolve(state, event)) },
    })
    await append(device, 'a', { data: 'bad' })
    expect((await fold.current('a')).failure).not.toBeNull()
    isMended = true
    expect((await fold.current('a')).failure).not.toBeNull()
    await append(server, 'a', { data: 'first' })
    await pull(device, server)
    expect(await fold.current('a')).toMatchObject({ state: ['first', 'bad'], failure: null })
  })
})

describe('snapshots', () => {
  test.each([
    { events: 9, snapshotAt: 0 },
    { events: 10, snapshotAt: 10 },
    { events: 11, snapshotAt: 11 },
  ])(
    'every 10: $events events leave one at $snapshotAt, and reopening folds the rest',
    async ({ events, snapshotAt }) => {
      const database = createMemoryDatabase()
      const log = await openDevice(database)
      await count(log, 'a', 1, events)
      const first = foldOf(log)
      await first.fold.current('a')
      await first.snapshots.flush()
      await count(log, 'a', events + 1, events + 2)
      const { fold, folded, drops } = foldOf(await openDevice(database))
      expect((await fold.current('a')).state).toEqual(numbers(1, events + 2))
      expect(folded.count).toBe(events + 2 - snapshotAt)
      expect(drops).toEqual([])
    },
  )

  test('are not made where the policy is never', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await count(log, 'a', 1, 100)
    const { fold, snapshots } = foldOf(log, { definition: { snapshot: 'never' } })
    await fold.current('a')
    await snapshots.flush()
    expect(snapshotKeys(database)).toEqual([])
  })

  test('carry how many events were folded and which was the last', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const definition = { canHandle: ['Said'] }
    await count(log, 'a', 1, 10)
    await append(log, 'a', { type: 'Noise', data: 0 })
    const first = foldOf(log, { definition })
    const before = await first.fold.current('a')
    await first.snapshots.flush()
    const { fold, folded } = foldOf(log, { definition })
    expect(await fold.current('a')).toEqual(before)
    expect(folded.count).toBe(0)
  })

  test('deleted all, change nothing but the speed', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await count(log, 'a', 1, 35)
    const first = foldOf(log)
    const before = await first.fold.current('a')
    await first.snapshots.flush()
    for (const key of snapshotKeys(database)) database.values.delete(key)
    const { fold, folded } = foldOf(log)
    expect(await fold.current('a')).toEqual(before)
    expect(folded.count).toBe(35)
  })

  test('of a stream with pending events leave the count of what is pending right', async () => {
    const database = createMemoryDatabase()
    const [device, server] = [await openDevice(database), await openServer()]
    await count(device, 'a', 1, 15)
    await sync(device, server)
    await count(device, 'a', 16, 40)
    const first = foldOf(device)
    expect((await first.fold.current('a')).pending).toBe(25)
    await first.snapshots.flush()
    const { fold, folded } = foldOf(await openDevice(database))
    expect(await fold.current('a')).toMatchObject({ state: numbers(1, 40), pending: 25 })
    expect(folded.count).toBeLessThan(40)
  })
})

describe('a rebase', () => {
  test('takes back the pending events only, from memory', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await count(device, 'a', 1, 20)
    await sync(device, server)
    await count(device, 'a', 21, 23)
    const { fold, folded } = foldOf(device)
    expect(await fold.current('a')).toMatchObject({ version: 23, pending: 3 })
    await append(server, 'a', { data: 'theirs' })
    await pull(device, server)
    expect(await fold.current('a')).toMatchObject({
      state: [...numbers(1, 20), 'theirs', 21, 22, 23],
      version: 24,
      pending: 3,
    })
    expect(folded.count).toBe(23 + 4)
  })

  test('leaves streams alone that had nothing pending', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await count(device, 'a', 1, 20)
    await sync(device, server)
    await count(device, 'b', 1, 2)
    const { fold, folded } = foldOf(device)
    await fold.current('a')
    await append(server, 'c', { data: 'theirs' })
    await pull(device, server)
    expect(fold.isStale('a')).toBe(false)
    expect(await fold.current('a')).toMatchObject({ state: numbers(1, 20), pending: 0 })
    expect(folded.count).toBe(20)
  })

  test('drops the snapshots that it superseded, and keeps one below', async () => {
    const database = createMemoryDatabase()
    const [device, server] = [await openDevice(database), await openServer()]
    await count(device, 'a', 1, 15)
    await sync(device, server)
    const first = foldOf(device)
    for (let i = 0; i < 6; i++) {
      await first.fold.current('a')
      await count(device, 'a', 16 + i * 10, 25 + i * 10)
    }
    await first.fold.current('a')
    await first.snapshots.flush()
    await append(server, 'a', { data: 'theirs' })
    await pull(device, server)
    const { fold, folded, drops } = foldOf(await openDevice(database))
    expect((await fold.current('a')).state).toEqual([...numbers(1, 15), 'theirs', ...numbers(16, 75)])
    expect(new Set(drops.map(({ problem }) => problem))).toEqual(new Set(['superseded']))
    expect(folded.count).toBe(61)
  })

  test('gives a decider the state that its commands are decided on again', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await count(device, 'a', 1, 20)
    await sync(device, server)
    await count(device, 'a', 21, 23)
    const { fold, folded } = foldOf(device)
    await fold.current('a')
    expect(await fold.stateAt('a', 20)).toEqual(numbers(1, 20))
    expect(folded.count).toBe(23)
  })

  test('in the middle of a fold takes back what was folded', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await count(device, 'a', 1, 600)
    await append(server, 'a', { data: 'theirs' })
    const readStream = interruptOnce(
      (...args: Parameters<EventLog['readStream']>) => device.readStream(...args),
      () => pull(device, server),
    )
    const { fold, folded } = foldOf(foldLogOf(device, { readStream }))
    const { state, pending } = await fold.current('a')
    expect(state).toEqual(['theirs', ...numbers(1, 600)])
    expect(pending).toBe(600)
    expect(folded.count).toBeGreaterThan(601)
  })
})

test('tells without reading whether there is something new', async () => {
  const [device, server] = [await openDevice(), await openServer()]
  const { fold } = foldOf(device)
  expect(fold.isStale('a')).toBe(false)
  await count(device, 'a', 1, 2)
  expect(fold.isStale('a')).toBe(true)
  await fold.current('a')
  expect(fold.isStale('a')).toBe(false)
  await count(device, 'b', 1, 2)
  expect(fold.isStale('a')).toBe(false)
  await sync(device, server)
  expect(fold.isStale('a')).toBe(true)
  expect((await fold.current('a')).pending).toBe(0)
  await append(server, 'b', { data: 'theirs' })
  await pull(device, server)
  expect(fold.isStale('a')).toBe(false)
})

test('tells that a stream of the same length is not the same', async () => {
  const [device, server] = [await openDevice(), await openServer()]
  const { fold } = foldOf(device, { definition: { canHandle: ['Said'] } })
  const noise = [{ type: 'Noise', data: null }]
  await createEventStore(device).appendToStream('a', noise, { onConflict: 'reject' })
  await fold.current('a')
  await append(server, 'a', { data: 'theirs' })
  await pull(device, server)
  expect(device.streamVersion('a')).toBe(1)
  expect(fold.isStale('a')).toBe(true)
  expect((await fold.current('a')).state).toEqual(['theirs'])
})

const snapshotKeys = (database: { values: ReadonlyMap<string, unknown> }) =>
  [...database.values.keys()].filter(key => key.startsWith('snapshot/'))
