// Amending: events count in another order from then on, and what was recorded stays.

import { describe, expect } from 'vitest'
import { verifyConsistency } from '../integrity/verify-proof.ts'
import type { RecordedEvent } from '../log/event.ts'
import { newEventId } from '../log/event-id.ts'
import type { Amendment, RecordedChange } from '../model/amendment.ts'
import type { EventStore, ReadAllOptions, ReadStreamOptions } from '../model/event-store.ts'
import { all, type Behaviour, fill, type Numbered, numbered, numbers } from './event-store-suite.ts'

const reason = 'a typing error'

const read = async (store: EventStore, options?: ReadStreamOptions): Promise<number[]> =>
  numbers((await store.readStream('a', options)).events)

const readAll = async (store: EventStore, options?: ReadAllOptions): Promise<number[]> =>
  numbers(await all(store.readAll(options)))

export function describeAmending(name: string, behaviour: Behaviour): void {
  describe(`${name}: amending`, () => {
    const kinds: readonly (readonly [string, (ids: readonly string[]) => Amendment, readonly number[]])[] = [
      ['puts in', ids => ({ kind: 'insert', after: ids[1]!, event: numbered(9) }), [1, 2, 9, 3, 4]],
      [
        'puts in at the beginning',
        () => ({ kind: 'insert', after: null, event: numbered(9) }),
        [9, 1, 2, 3, 4],
      ],
      ['replaces', ids => ({ kind: 'replace', eventId: ids[1]!, event: numbered(9) }), [1, 9, 3, 4]],
      ['removes', ids => ({ kind: 'remove', eventId: ids[3]! }), [1, 2, 3]],
      ['moves on', ids => ({ kind: 'move', eventId: ids[0]!, after: ids[2]! }), [2, 3, 1, 4]],
      ['moves to the beginning', ids => ({ kind: 'move', eventId: ids[3]!, after: null }), [4, 1, 2, 3]],
    ]
    for (const [title, amendment, expected] of kinds) {
      behaviour(`${title}, for whoever reads or folds, also after reopening`, async (store, reopen) => {
        const ids = await fill(store, 'a', 4)
        const result = await store.amendStream('a', [amendment(ids)], { reason })
        const isNew = expected.includes(9)
        const recorded = isNew ? [1, 2, 3, 4, 9] : [1, 2, 3, 4]
        expect(result).toMatchObject({
          nextExpectedStreamVersion: recorded.length + 1,
          lastEventGlobalPosition: recorded.length + 1,
          createdNewStream: false,
          idempotent: false,
        })
        const check = async (opened: EventStore): Promise<void> => {
          expect(await read(opened)).toEqual(expected)
          expect(await read(opened, { direction: 'backwards' })).toEqual(expected.toReversed())
          expect(await readAll(opened)).toEqual(expected)
          expect(await readAll(opened, { direction: 'backwards' })).toEqual(expected.toReversed())
          const order = 'recorded'
          expect(await read(opened, { order })).toEqual(recorded)
          expect(await read(opened, { order, direction: 'backwards' })).toEqual(recorded.toReversed())
          expect(await readAll(opened, { order })).toEqual(recorded)
          expect(await readAll(opened, { order, direction: 'backwards' })).toEqual(recorded.toReversed())
          const evolve = (seen: number[], { data }: RecordedEvent<Numbered>) => [...seen, data.n]
          const fold = { initialState: (): number[] => [], evolve }
          const folded = await opened.aggregateStream<number[], Numbered>('a', fold)
          expect([folded.state, folded.currentStreamVersion]).toEqual([expected, recorded.length + 1])
          expect(await opened.verify()).toMatchObject({ ok: true, events: recorded.length + 1 })
        }
        await check(store)
        await check(await reopen())
      })
    }

    behaviour(
      'makes several changes at once, and a later one may be of an event of an earlier one',
      async store => {
        const [one, two, three] = await fill(store, 'a', 3)
        const [x, y] = [newEventId(), newEventId()]
        await store.amendStream(
          'a',
          [
            { kind: 'insert', after: one!, event: numbered(7, x) },
            { kind: 'move', eventId: three!, after: x },
            { kind: 'replace', eventId: x, event: numbered(8, y) },
            { kind: 'insert', after: y, event: numbered(9) },
            { kind: 'remove', eventId: one! },
          ],
          { reason },
        )
        expect(await read(store)).toEqual([8, 9, 3, 2])
        await store.amendStream('a', [{ kind: 'move', eventId: y, after: two! }], { reason })
        expect(await read(store)).toEqual([9, 3, 2, 8])
      },
    )

    behaviour('leaves what was recorded as it was, hash for hash, and every proof', async store => {
      const ids = await fill(store, 'a', 4)
      const before = await store.readStream('a')
      const checkpoint = await store.checkpoint()
      await store.amendStream(
        'a',
        [
          { kind: 'replace', eventId: ids[0]!, event: numbered(9) },
          { kind: 'remove', eventId: ids[2]! },
        ],
        { reason },
      )
      const after = await store.readStream('a', { order: 'recorded' })
      expect(after.events.slice(0, 4)).toEqual(before.events)
      const proof = await store.proveConsistency(checkpoint.size)
      expect(proof.rootHash1).toBe(checkpoint.rootHash)
      expect(await verifyConsistency(proof)).toBe(true)
      // An event keeps the version and position that it was recorded at, wherever it counts.
      const [first] = (await store.readStream('a')).events
      expect(first!.metadata).toMatchObject({ streamVersion: 5, globalPosition: 5 })
      const next = await store.appendToStream('a', [numbered(10)], { expectedStreamVersion: 6 })
      expect(next.nextExpectedStreamVersion).toBe(7)
      expect(await read(store)).toEqual([9, 2, 4, 10])
    })

    behaviour('is of one stream: others, and the order among streams, stay', async store => {
      await store.appendToStream('b', [numbered(101)])
      const [one, two] = await fill(store, 'a', 2)
      await store.appendToStream('b', [numbered(102)])
      await store.appendToStream('a', [numbered(3)])
      await store.amendStream(
        'a',
        [
          { kind: 'insert', after: one!, event: numbered(9) },
          { kind: 'move', eventId: two!, after: null },
        ],
        { reason },
      )
      expect(await readAll(store)).toEqual([101, 2, 1, 9, 102, 3])
      expect(await readAll(store, { direction: 'backwards' })).toEqual([3, 102, 9, 1, 2, 101])
      expect(numbers((await store.readStream('b')).events)).toEqual([101, 102])
      expect(await store.amendments('b')).toEqual([])
    })

    behaviour('bounds of reads are places, and maxCount counts events', async store => {
      const ids = await fill(store, 'a', 5)
      // Places: 1; none; 3, 2, 8, 9; 4; 5.
      await store.amendStream(
        'a',
        [
          { kind: 'insert', after: ids[2]!, event: numbered(9) },
          { kind: 'insert', after: ids[2]!, event: numbered(8) },
          { kind: 'move', eventId: ids[1]!, after: ids[2]! },
        ],
        { reason },
      )
      const backwards = { direction: 'backwards' } as const
      const cases: readonly (readonly [ReadStreamOptions & ReadAllOptions, readonly number[]])[] = [
        [{}, [1, 3, 2, 8, 9, 4, 5]],
        [{ from: 2 }, [3, 2, 8, 9, 4, 5]],
        [{ from: 3, to: 3 }, [3, 2, 8, 9]],
        [{ from: 4 }, [4, 5]],
        [{ from: 6 }, []],
        [{ to: 2 }, [1]],
        [{ from: 2, maxCount: 3 }, [3, 2, 8]],
        [{ maxCount: 5 }, [1, 3, 2, 8, 9]],
        [{ maxCount: 6 }, [1, 3, 2, 8, 9, 4]],
        [{ maxCount: 0 }, []],
        [{ ...backwards, maxCount: 3 }, [5, 4, 9]],
        [{ ...backwards, from: 3 }, [9, 8, 2, 3, 1]],
        [{ ...backwards, from: 3, to: 2, maxCount: 2 }, [9, 8]],
        [{ order: 'recorded', from: 2, maxCount: 3 }, [2, 3, 4]],
        [{ order: 'recorded', ...backwards, from: 7, to: 6 }, [8, 9]],
      ]
      for (const [options, expected] of cases) {
        expect(await read(store, options), JSON.stringify(options)).toEqual(expected)
        expect(await readAll(store, options), JSON.stringify(options)).toEqual(expected)
      }
      expect((await store.readStream('a', { from: 4 })).currentStreamVersion).toBe(8)
    })

    behaviour('long reads give every event once, many at one place, too', async store => {
      const ids = await fill(store, 'a', 1_200)
      const many = Array.from({ length: 1_100 }, (_, i) => numbered(5_000 + i))
      const inserts = many.map(event => ({ kind: 'insert' as const, after: ids[599]!, event }))
      const move = { kind: 'move' as const, eventId: ids[0]!, after: ids[1_199]! }
      await store.amendStream('a', [...inserts, move], { reason })
      await store.appendToStream('b', [numbered(-1)])
      const first = Array.from({ length: 599 }, (_, i) => i + 2)
      const rest = Array.from({ length: 600 }, (_, i) => i + 601)
      const expected = [...first, ...numbers(many as never).toReversed(), ...rest, 1]
      expect(await read(store)).toEqual(expected)
      expect(await read(store, { direction: 'backwards' })).toEqual(expected.toReversed())
      expect(await readAll(store)).toEqual([...expected, -1])
      expect(await readAll(store, { direction: 'backwards' })).toEqual([-1, ...expected.toReversed()])
      for (const maxCount of [599, 600, 1_111, 1_699, 2_299]) {
        expect(await read(store, { maxCount })).toEqual(expected.slice(0, maxCount))
        expect(await readAll(store, { maxCount })).toEqual(expected.slice(0, maxCount))
        const backwards = await read(store, { maxCount, direction: 'backwards' })
        expect(backwards).toEqual(expected.toReversed().slice(0, maxCount))
      }
      expect(await store.verify()).toMatchObject({ ok: true })
    })

    behaviour('a count is kept to where thousands of places have more than one event', async store => {
      const ids = await fill(store, 'a', 2_600)
      const inserts = ids
        .slice(0, 600)
        .map((after, i) => ({ kind: 'insert' as const, after, event: numbered(5_000 + i) }))
      await store.amendStream('a', inserts, { reason })
      const expected = ids.flatMap((_, i) => (i < 600 ? [i + 1, 5_000 + i] : [i + 1]))
      for (const maxCount of [2_400, 2_647, 2_648, 2_649, 3_200, 9_999]) {
        expect(await read(store, { maxCount })).toEqual(expected.slice(0, maxCount))
      }
    })

    behaviour('says what was amended, oldest first', async (store, reopen) => {
      const [one, two, three] = await fill(store, 'a', 3)
      const [x, y, z, amendmentId] = [newEventId(), newEventId(), newEventId(), newEventId()]
      await store.amendStream(
        'a',
        [
          { kind: 'insert', after: null, event: numbered(7, x) },
          { kind: 'replace', eventId: two!, event: numbered(8, y) },
        ],
        { reason: 'first', amendmentId },
      )
      await store.amendStream(
        'a',
        [
          { kind: 'move', eventId: one!, after: x.toUpperCase() },
          { kind: 'remove', eventId: three! },
          { kind: 'insert', after: y, event: numbered(9, z) },
        ],
        { reason: 'second' },
      )
      const expected: readonly Readonly<{ reason: string; changes: readonly RecordedChange[] }>[] = [
        {
          reason: 'first',
          changes: [
            { kind: 'insert', eventId: x, after: null },
            { kind: 'replace', eventId: two!, by: y },
          ],
        },
        {
          reason: 'second',
          changes: [
            { kind: 'move', eventId: one!, after: x },
            { kind: 'remove', eventId: three! },
            { kind: 'insert', eventId: z, after: y },
          ],
        },
      ]
      const listed = await store.amendments('a')
      expect(listed).toMatchObject(expected)
      expect(listed[0]).toMatchObject({ amendmentId, streamName: 'a', streamVersion: 6, globalPosition: 6 })
      expect(listed[1]).toMatchObject({ streamVersion: 8, globalPosition: 8 })
      expect(listed[1]!.recordedAt).toBeGreaterThanOrEqual(listed[0]!.recordedAt)
      expect(await (await reopen()).amendments('a')).toEqual(listed)
    })

    behaviour('the same attempt again changes nothing, and has the same result', async (store, reopen) => {
      const [one] = await fill(store, 'a', 2)
      const [x, amendmentId] = [newEventId(), newEventId()]
      const amend = (on: EventStore, options: { expectedStreamVersion?: number } = {}) => {
        const insert: Amendment = { kind: 'insert', after: one!, event: numbered(9, x) }
        return on.amendStream('a', [insert], { reason, amendmentId, ...options })
      }
      const first = await amend(store, { expectedStreamVersion: 2 })
      await store.appendToStream('a', [numbered(3)])
      expect(await amend(store, { expectedStreamVersion: 2 })).toEqual({ ...first, idempotent: true })
      expect(await amend(await reopen())).toEqual({ ...first, idempotent: true })
    })

    behaviour('begins a stream, where all that it names is put in by it', async store => {
      const [x, amendmentId] = [newEventId(), newEventId()]
      const amend = () =>
        store.amendStream(
          'a',
          [
            { kind: 'insert', after: null, event: numbered(1, x) },
            { kind: 'insert', after: null, event: numbered(2) },
          ],
          { reason, amendmentId, expectedStreamVersion: 'STREAM_DOES_NOT_EXIST' },
        )
      const first = await amend()
      expect(first).toMatchObject({ nextExpectedStreamVersion: 3, createdNewStream: true })
      expect(await read(store)).toEqual([2, 1])
      expect(await read(store, { order: 'recorded' })).toEqual([1, 2])
      await store.amendStream('a', [{ kind: 'remove', eventId: x }], { reason })
      expect(await amend()).toEqual({ ...first, idempotent: true })
      expect(await read(store)).toEqual([2])
    })

    behaviour('what is erased counts nowhere, wherever it was put', async store => {
      const [one, two, three] = await fill(store, 'a', 3)
      const x = newEventId()
      await store.amendStream(
        'a',
        [
          { kind: 'move', eventId: three!, after: one! },
          { kind: 'replace', eventId: two!, event: numbered(9, x) },
        ],
        { reason },
      )
      expect(await read(store)).toEqual([1, 3, 9])
      await store.eraseEvent(three!)
      expect(await read(store)).toEqual([1, 9])
      await store.eraseEvent(x)
      expect(await read(store)).toEqual([1])
      expect(await readAll(store, { order: 'recorded' })).toEqual([1, 2])
      // Where it stood, others can still be put.
      await store.amendStream('a', [{ kind: 'insert', after: three!, event: numbered(4) }], { reason })
      expect(await read(store)).toEqual([1, 4])
      expect(await store.verify()).toMatchObject({ ok: true })
    })

    behaviour('whoever subscribes hears of events as they were recorded', async store => {
      const [one, two] = await fill(store, 'a', 2)
      await store.amendStream(
        'a',
        [
          { kind: 'insert', after: null, event: numbered(9) },
          { kind: 'move', eventId: one!, after: two! },
        ],
        { reason },
      )
      await store.appendToStream('a', [numbered(3)])
      const events: RecordedEvent[] = []
      const subscription = await store.subscribe(event => void events.push(event))
      await expect.poll(() => subscription.position()).toBe(5)
      expect(numbers(events)).toEqual([1, 2, 9, 3])
      await subscription.unsubscribe()
    })
  })
}
