// Reading: parts of a stream and of all of them, in either direction.

import { describe, expect } from 'vitest'
import type { RecordedEvent } from '../log/event.ts'
import type { EventStore } from '../model/event-store.ts'
import { all, type Behaviour, type Numbered, numbered, numbers } from './event-store-suite.ts'

export function describeReading(name: string, behaviour: Behaviour): void {
  describe(`${name}: reading`, () => {
    const ten = Array.from({ length: 10 }, (_, i) => numbered(i + 1))

    behaviour('reads forwards and backwards within from, to and maxCount', async store => {
      await store.appendToStream('a', ten)
      const read = async (options: Parameters<EventStore['readStream']>[1]) =>
        numbers((await store.readStream('a', options)).events)
      expect(await read({})).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      expect(await read({ from: 8 })).toEqual([8, 9, 10])
      expect(await read({ to: 2 })).toEqual([1, 2])
      expect(await read({ from: 3, to: 9, maxCount: 2 })).toEqual([3, 4])
      expect(await read({ maxCount: 0 })).toEqual([])
      expect(await read({ from: 11 })).toEqual([])
      expect(await read({ from: 9, to: 99 })).toEqual([9, 10])
      expect(await read({ direction: 'backwards', maxCount: 3 })).toEqual([10, 9, 8])
      expect(await read({ direction: 'backwards', from: 4, to: 3 })).toEqual([4, 3])
    })

    behaviour(
      'the current version is right whatever part is read, and a missing stream says so',
      async store => {
        await store.appendToStream('a', ten)
        expect(await store.readStream('a', { from: 5, maxCount: 1 })).toMatchObject({
          streamExists: true,
          currentStreamVersion: 10,
        })
        expect(await store.readStream('b')).toEqual({
          streamExists: false,
          currentStreamVersion: 0,
          events: [],
        })
      },
    )

    behaviour('refuses bounds that are no whole numbers', async store => {
      await expect(store.readStream('a', { from: 1.5 })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(store.readStream('a', { maxCount: -1 })).rejects.toMatchObject({
        code: 'invalid-argument',
      })
    })

    behaviour('readAll is strictly increasing without holes, in both directions', async store => {
      for (const event of ten) await store.appendToStream(`s${event.data.n % 3}`, [event])
      const positions = (await all(store.readAll())).map(({ metadata }) => metadata.globalPosition)
      expect(positions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      expect(numbers(await all(store.readAll({ direction: 'backwards', from: 4, maxCount: 2 })))).toEqual([
        4, 3,
      ])
      expect(numbers(await all(store.readAll({ from: 4, to: 6 })))).toEqual([4, 5, 6])
      expect(await all(store.readAll({ maxCount: 0 }))).toEqual([])
    })

    behaviour('events come back as they were given, with tags and metadata', async store => {
      const event = {
        type: 'Done',
        data: { text: 'héllo 🎲 \u0000', deep: [{ a: null }] },
        tags: ['x', 'y'],
        metadata: { user: 'ann' },
        schemaVersion: 3,
      }
      await store.appendToStream('a', [event])
      const [read] = (await store.readStream('a')).events
      expect(read).toMatchObject({ type: 'Done', data: event.data, tags: ['x', 'y'] })
      expect(read!.metadata).toMatchObject({
        user: 'ann',
        schemaVersion: 3,
        streamName: 'a',
        streamVersion: 1,
        globalPosition: 1,
      })
    })

    behaviour('each event links to the one before it in its stream', async store => {
      await store.appendToStream('a', ten.slice(0, 2))
      await store.appendToStream('b', [numbered(1)])
      const { headHash } = await store.appendToStream('a', [numbered(3)])
      const { events } = await store.readStream('a')
      expect(events[1]!.metadata.previousHash).toBe(events[0]!.metadata.hash)
      expect(events[2]!.metadata.previousHash).toBe(events[1]!.metadata.hash)
      expect(events[2]!.metadata.hash).toBe(headHash)
      const other = (await store.readStream('b')).events[0]!
      expect(other.metadata.previousHash).not.toBe(events[0]!.metadata.previousHash)
    })

    behaviour('mutating an input or a returned event never changes the store', async store => {
      const event = { type: 'Numbered', data: { n: 1 } }
      await store.appendToStream('a', [event])
      event.data.n = 99
      const [read] = (await store.readStream('a')).events
      ;(read!.data as { n: number }).n = 77
      expect(numbers((await store.readStream('a')).events)).toEqual([1])
    })

    behaviour('folds a stream', async store => {
      await store.appendToStream('a', ten)
      const sum = {
        initialState: () => 0,
        evolve: { Numbered: (s: number, e: RecordedEvent<Numbered>) => s + e.data.n },
      }
      expect(await store.aggregateStream<number, Numbered>('a', sum)).toEqual({
        state: 55,
        currentStreamVersion: 10,
        streamExists: true,
      })
      expect(await store.aggregateStream<number, Numbered>('b', sum)).toEqual({
        state: 0,
        currentStreamVersion: 0,
        streamExists: false,
      })
    })

    behaviour('keeps large batches whole and in order', async store => {
      const many = Array.from({ length: 2500 }, (_, i) => ({
        type: 'Numbered',
        data: { n: i, pad: 'x'.repeat(100) },
      }))
      await store.appendToStream('a', many)
      await store.appendToStream('b', [numbered(-1)])
      expect(numbers((await store.readStream('a')).events)).toEqual(many.map(({ data }) => data.n))
      expect(await all(store.readAll())).toHaveLength(2501)
      expect((await store.verify()).ok).toBe(true)
    })
  })
}
