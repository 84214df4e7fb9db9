import { afterEach, expect, test } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import type { Event, RecordedEvent } from '../../src/log/event.ts'
import type { App } from '../../src/model/app.ts'
import type { ReadStreamOptions } from '../../src/model/event-store.ts'
import { fakeWorker, ok } from './fake-worker.ts'

type Counted = Event<'Counted', number>

let store: StoreClient<App> | undefined

afterEach(() => store?.close())

const PAGE = 3

/** Events whose hashes are their chain's name and their version. */
function chain(name: string, length: number): RecordedEvent[] {
  return Array.from({ length }, (_, i) => ({
    type: 'Counted',
    data: i + 1,
    metadata: {
      streamVersion: i + 1,
      globalPosition: i + 1,
      hash: `${name}${i + 1}`,
      previousHash: `${name}${i}`,
    },
  })) as unknown as RecordedEvent[]
}

/**
 * A worker with one stream, read in pages of three; `chainAt` says which chain the nth read meets, and `changedAt` where
 * its order was changed last.
 */
async function openWith(
  chainAt: (read: number) => RecordedEvent[],
  changedAt: (read: number) => number = () => 0,
): Promise<{ asked: ReadStreamOptions[] }> {
  const asked: ReadStreamOptions[] = []
  const pageOf = (options: ReadStreamOptions) => {
    const events = chainAt(asked.push(options) - 1)
    const { from, to, maxCount = Number.POSITIVE_INFINITY, direction } = options
    const isBackwards = direction === 'backwards'
    const ordered = isBackwards ? [...events].reverse() : events
    const wanted = ordered.filter(({ metadata: { streamVersion } }) =>
      isBackwards
        ? streamVersion <= (from ?? events.length) && streamVersion >= (to ?? 1)
        : streamVersion >= (from ?? 1) && streamVersion <= (to ?? events.length),
    )
    const page = wanted.slice(0, Math.min(PAGE, maxCount))
    const through = page.at(-1)?.metadata.streamVersion ?? 0
    return { events: page, more: page.length === PAGE && maxCount > PAGE, through, length: events.length }
  }
  const worker = fakeWorker({
    readStream: async (_, options) => {
      const { length, ...page } = pageOf(options)
      const order = { changedAt: changedAt(asked.length - 1) }
      return ok({ ...page, ...order, streamExists: length > 0, currentStreamVersion: length })
    },
    readAll: async options => ok(pageOf(options)),
  })
  store = await openStore<App>(worker.port, { storeId: 's' })
  return { asked }
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}

const versionsOf = (events: readonly RecordedEvent[]) => events.map(({ data }) => data)

test('a long stream is read in pages and is whole', async () => {
  const { asked } = await openWith(() => chain('a', 7))
  const { events, currentStreamVersion, streamExists } = await store!.readStream('a')
  expect(versionsOf(events)).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect({ currentStreamVersion, streamExists }).toEqual({ currentStreamVersion: 7, streamExists: true })
  expect(asked).toHaveLength(3)
})

test('what is appended while the pages are read does not belong to the answer', async () => {
  await openWith(read => chain('a', 6 + read))
  const { events, currentStreamVersion } = await store!.readStream('a')
  expect(versionsOf(events)).toEqual([1, 2, 3, 4, 5, 6])
  expect(currentStreamVersion).toBe(6)
})

test('backwards, from, to and maxCount hold over the pages', async () => {
  await openWith(() => chain('a', 9))
  const read = async (options: ReadStreamOptions) =>
    versionsOf((await store!.readStream('a', options)).events)
  expect(await read({ direction: 'backwards' })).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1])
  expect(await read({ direction: 'backwards', from: 8, to: 4 })).toEqual([8, 7, 6, 5, 4])
  expect(await read({ from: 2, maxCount: 5 })).toEqual([2, 3, 4, 5, 6])
  expect(await read({ maxCount: 3 })).toEqual([1, 2, 3])
  expect(await read({ maxCount: 0 })).toEqual([])
})

test('a rebase between two pages is noticed, and the stream read anew', async () => {
  // The first page is of the old chain; all later ones are of the new one.
  const { asked } = await openWith(read => chain(read === 0 ? 'old' : 'new', 7))
  const { events } = await store!.readStream('a')
  expect(events.map(({ metadata }) => metadata.hash)).toEqual([1, 2, 3, 4, 5, 6, 7].map(n => `new${n}`))
  expect(asked).toHaveLength(5)
})

test('an amendment between two pages is noticed, too: an event may have gone from the one to the other', async () => {
  const { asked } = await openWith(
    () => chain('a', 7),
    read => (read === 0 ? 0 : 8),
  )
  const { events } = await store!.readStream('a')
  expect(versionsOf(events)).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(asked).toHaveLength(5)
})

test('a stream that never holds still is an error, not an endless loop', async () => {
  await openWith(read => chain(`c${read}-`, 7))
  await expect(store!.readStream('a')).rejects.toThrow('changed under each')
  await store!.close()
  await openWith(
    () => chain('a', 7),
    read => read,
  )
  await expect(store!.readStream('a')).rejects.toThrow('changed under each')
})

test('readAll fetches a page only when the caller gets there', async () => {
  const { asked } = await openWith(() => chain('a', 8))
  const seen: unknown[] = []
  for await (const event of store!.readAll<Counted>()) {
    seen.push(event.data)
    if (event.data === 4) break
  }
  expect(seen).toEqual([1, 2, 3, 4])
  expect(asked).toHaveLength(2)
})

test('readAll ends, also where the last page is full, and empty logs have no events', async () => {
  await openWith(() => chain('a', 6))
  expect(versionsOf(await collect(store!.readAll()))).toEqual([1, 2, 3, 4, 5, 6])
  await store!.close()
  await openWith(() => [])
  expect(await collect(store!.readAll())).toEqual([])
})

test('a stream is folded on the page', async () => {
  await openWith(() => chain('a', 5))
  const folded = await store!.aggregateStream<number, Counted>('a', {
    initialState: () => 0,
    evolve: { Counted: (sum, { data }) => sum + data },
  })
  expect(folded).toEqual({ state: 15, currentStreamVersion: 5, streamExists: true })
})

test('a handler that fails on the page is a typed error', async () => {
  await openWith(() => chain('a', 5))
  const evolve = () => {
    throw new Error('boom')
  }
  await expect(store!.aggregateStream('a', { initialState: () => 0, evolve })).rejects.toMatchObject({
    code: 'handler-failed',
  })
})
