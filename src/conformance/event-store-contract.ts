// The behaviour every EventStore has to show, wherever its log is kept and whatever port lies between.

import { describe, expect, test } from 'vitest'
import { verifyConsistency, verifyInclusion } from '../integrity/verify-proof.ts'
import { isStoreError, VersionConflict } from '../log/errors.ts'
import type { Event, RecordedEvent } from '../log/event.ts'
import { newEventId } from '../log/event-id.ts'
import type { EventStore } from '../model/event-store.ts'

/** Opens the store of one test: each call after the first opens the same log again. */
export type OpenStore = () => Promise<EventStore>

type Numbered = Event<'Numbered', { n: number }>

const numbered = (n: number, id?: string): Numbered => ({ type: 'Numbered', data: { n }, ...(id && { id }) })
const numbers = (events: readonly RecordedEvent[]): number[] =>
  events.map(({ data }) => (data as { n: number }).n)

async function all(events: AsyncIterable<RecordedEvent>): Promise<RecordedEvent[]> {
  const read: RecordedEvent[] = []
  for await (const event of events) read.push(event)
  return read
}

/** Runs the suite; `freshLog` is called for each test and says how to open a store on a log of its own. */
export function describeEventStore(name: string, freshLog: () => OpenStore): void {
  const behaviour = (
    title: string,
    run: (store: EventStore, reopen: () => Promise<EventStore>) => Promise<void>,
  ): void => {
    test(title, async () => {
      const open = freshLog()
      let store = await open()
      const reopen = async (): Promise<EventStore> => {
        await store.close()
        store = await open()
        return store
      }
      try {
        await run(store, reopen)
      } finally {
        await store.close()
      }
    })
  }

  describe(`${name}: expected versions`, () => {
    behaviour(
      'STREAM_DOES_NOT_EXIST succeeds on a new stream and conflicts on an existing one',
      async store => {
        const options = { expectedStreamVersion: 'STREAM_DOES_NOT_EXIST' } as const
        const result = await store.appendToStream('a', [numbered(1)], options)
        expect(result).toMatchObject({
          nextExpectedStreamVersion: 1,
          createdNewStream: true,
          idempotent: false,
        })
        await expect(store.appendToStream('a', [numbered(2)], options)).rejects.toBeInstanceOf(
          VersionConflict,
        )
      },
    )

    behaviour('STREAM_EXISTS succeeds on an existing stream and conflicts on a missing one', async store => {
      const options = { expectedStreamVersion: 'STREAM_EXISTS' } as const
      await expect(store.appendToStream('a', [numbered(1)], options)).rejects.toBeInstanceOf(VersionConflict)
      await store.appendToStream('a', [numbered(1)])
      expect((await store.appendToStream('a', [numbered(2)], options)).nextExpectedStreamVersion).toBe(2)
    })

    behaviour(
      'an exact version succeeds when right and conflicts when too low, too high or on a missing stream',
      async store => {
        await store.appendToStream('a', [numbered(1), numbered(2)])
        for (const expectedStreamVersion of [0, 1, 3]) {
          await expect(
            store.appendToStream('a', [numbered(3)], { expectedStreamVersion }),
          ).rejects.toBeInstanceOf(VersionConflict)
        }
        await expect(
          store.appendToStream('b', [numbered(1)], { expectedStreamVersion: 1 }),
        ).rejects.toBeInstanceOf(VersionConflict)
        expect(
          (await store.appendToStream('a', [numbered(3)], { expectedStreamVersion: 2 })).createdNewStream,
        ).toBe(false)
        expect(
          (await store.appendToStream('b', [numbered(1)], { expectedStreamVersion: 0 })).createdNewStream,
        ).toBe(true)
      },
    )

    behaviour('the conflict carries stream, expected and actual version, and the way out', async store => {
      await store.appendToStream('a', [numbered(1)])
      const error = await store.appendToStream('a', [numbered(2)], { expectedStreamVersion: 7 }).catch(e => e)
      expect(isStoreError(error, 'version-conflict')).toBe(true)
      expect(error.facts).toMatchObject({ streamName: 'a', expected: 7, actual: 1 })
      expect(error.recovery).toContain('decide again')
    })

    behaviour(
      'of concurrent appends at one version exactly one wins, the first event of a stream included',
      async store => {
        for (const version of [0, 1]) {
          const outcomes = await Promise.allSettled(
            [1, 2, 3, 4].map(n =>
              store.appendToStream('a', [numbered(n)], { expectedStreamVersion: version }),
            ),
          )
          expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        }
        expect((await store.readStream('a')).currentStreamVersion).toBe(2)
      },
    )

    behaviour('a failed append leaves no trace', async store => {
      await expect(store.appendToStream('a', [numbered(1)], { expectedStreamVersion: 5 })).rejects.toThrow()
      expect(await store.streamExists('a')).toBe(false)
      expect(await all(store.readAll())).toEqual([])
    })

    behaviour('refuses an expected version that does not exist', async store => {
      const expectedStreamVersion = 'WHATEVER' as never
      await expect(store.appendToStream('a', [numbered(1)], { expectedStreamVersion })).rejects.toMatchObject(
        { code: 'invalid-argument' },
      )
    })

    behaviour('an empty append writes nothing and still judges what it expects', async store => {
      await store.appendToStream('a', [numbered(1)])
      expect(await store.appendToStream('a', [])).toMatchObject({
        nextExpectedStreamVersion: 1,
        lastEventGlobalPosition: 1,
        createdNewStream: false,
      })
      expect(await store.appendToStream('b', [])).toMatchObject({
        nextExpectedStreamVersion: 0,
        createdNewStream: false,
      })
      await expect(store.appendToStream('a', [], { expectedStreamVersion: 0 })).rejects.toBeInstanceOf(
        VersionConflict,
      )
      expect(await all(store.readAll())).toHaveLength(1)
    })
  })

  describe(`${name}: idempotency by event id`, () => {
    const [x, y, z] = [newEventId(), newEventId(), newEventId()]

    for (const expected of [0, 'STREAM_DOES_NOT_EXIST', 'NO_CONCURRENCY_CHECK'] as const) {
      behaviour(`the same ids again give the same result, expecting ${expected}`, async store => {
        const options = { expectedStreamVersion: expected }
        const first = await store.appendToStream('a', [numbered(1, x), numbered(2, y)], options)
        await store.appendToStream('a', [numbered(3)])
        expect(await store.appendToStream('a', [numbered(1, x), numbered(2, y)], options)).toEqual({
          ...first,
          idempotent: true,
        })
        expect((await store.readStream('a')).currentStreamVersion).toBe(3)
      })
    }

    behaviour('a prefix of an earlier batch is idempotent', async store => {
      await store.appendToStream('a', [numbered(1, x), numbered(2, y)], { expectedStreamVersion: 0 })
      const again = await store.appendToStream('a', [numbered(1, x)], { expectedStreamVersion: 0 })
      expect(again).toMatchObject({ idempotent: true, nextExpectedStreamVersion: 1 })
    })

    behaviour('an earlier batch with extra events conflicts', async store => {
      await store.appendToStream('a', [numbered(1, x)], { expectedStreamVersion: 0 })
      const more = [numbered(1, x), numbered(2, y)]
      await expect(store.appendToStream('a', more, { expectedStreamVersion: 0 })).rejects.toMatchObject({
        code: 'version-conflict',
      })
      await expect(store.appendToStream('a', more)).rejects.toMatchObject({ code: 'id-conflict' })
      expect((await store.readStream('a')).currentStreamVersion).toBe(1)
    })

    behaviour('ids out of the recorded order conflict', async store => {
      await store.appendToStream('a', [numbered(1, x), numbered(2, y)])
      await expect(store.appendToStream('a', [numbered(2, y), numbered(1, x)])).rejects.toMatchObject({
        code: 'id-conflict',
      })
    })

    behaviour('known ids with other content conflict', async store => {
      await store.appendToStream('a', [numbered(1, x)])
      await expect(store.appendToStream('a', [numbered(9, x)])).rejects.toMatchObject({ code: 'id-conflict' })
    })

    behaviour('an id recorded in another stream, or at another version, conflicts', async store => {
      await store.appendToStream('a', [numbered(1, x), numbered(2, y)])
      await expect(store.appendToStream('b', [numbered(1, x)])).rejects.toMatchObject({ code: 'id-conflict' })
      await expect(
        store.appendToStream('a', [numbered(1, x)], { expectedStreamVersion: 2 }),
      ).rejects.toMatchObject({ code: 'version-conflict' })
    })

    behaviour('the same id twice in one append is refused with its path', async store => {
      await expect(store.appendToStream('a', [numbered(1, z), numbered(2, z)])).rejects.toMatchObject({
        code: 'invalid-event',
        facts: { path: 'events[1].id' },
      })
    })

    behaviour('two appends of the same ids at once write one copy', async store => {
      const outcomes = await Promise.all([1, 2].map(() => store.appendToStream('a', [numbered(1, x)])))
      expect(outcomes.map(({ idempotent }) => idempotent).sort()).toEqual([false, true])
      expect((await store.readStream('a')).currentStreamVersion).toBe(1)
    })
  })

  describe(`${name}: several streams at once`, () => {
    behaviour('one violated expectation rolls back all, and all violations are reported', async store => {
      await store.appendToStream('b', [numbered(1)])
      const error = await store
        .appendToStreams([
          { streamName: 'a', events: [numbered(1)] },
          { streamName: 'b', events: [numbered(2)], expectedStreamVersion: 0 },
          { streamName: 'c', events: [], expectedStreamVersion: 'STREAM_EXISTS' },
        ])
        .catch(e => e)
      expect(error.facts.violations).toEqual([
        { streamName: 'b', expected: 0, actual: 1 },
        { streamName: 'c', expected: 'STREAM_EXISTS', actual: 0 },
      ])
      expect(await store.streamExists('a')).toBe(false)
    })

    behaviour('a stream may only be checked', async store => {
      await store.appendToStream('a', [numbered(1)])
      const [checked, written] = await store.appendToStreams([
        { streamName: 'a', events: [], expectedStreamVersion: 1 },
        { streamName: 'b', events: [numbered(1)] },
      ])
      expect(checked).toMatchObject({ nextExpectedStreamVersion: 1 })
      expect(written).toMatchObject({ createdNewStream: true })
    })

    behaviour('A, B, A keeps the order of the request', async store => {
      await store.appendToStreams([
        { streamName: 'a', events: [numbered(1)] },
        { streamName: 'b', events: [numbered(2)] },
        { streamName: 'a', events: [numbered(3)], expectedStreamVersion: 1 },
      ])
      expect(numbers(await all(store.readAll()))).toEqual([1, 2, 3])
      expect(numbers((await store.readStream('a')).events)).toEqual([1, 3])
    })

    behaviour('the same append again is idempotent as a whole', async store => {
      const appends = [
        { streamName: 'a', events: [numbered(1, newEventId())], expectedStreamVersion: 0 },
        { streamName: 'b', events: [numbered(2, newEventId())], expectedStreamVersion: 0 },
      ]
      const first = await store.appendToStreams(appends)
      expect(await store.appendToStreams(appends)).toEqual(first.map(one => ({ ...one, idempotent: true })))
    })
  })

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

  describe(`${name}: proofs`, () => {
    behaviour('show that an event is in the log, and that the log went on from where it was', async store => {
      const id = newEventId()
      await store.appendToStream('a', [numbered(1), numbered(2, id), numbered(3)])
      const inclusion = await store.proveInclusion(id)
      expect(inclusion).toMatchObject({ eventId: id, globalPosition: 2, treeSize: 3 })
      expect(await verifyInclusion(inclusion)).toBe(true)
      expect((await store.proveInclusion(id, 2)).treeSize).toBe(2)
      await store.appendToStream('b', [numbered(4)])
      const consistency = await store.proveConsistency(3)
      expect(consistency).toMatchObject({ size1: 3, size2: 4, rootHash1: inclusion.rootHash })
      expect(await verifyConsistency(consistency)).toBe(true)
      expect((await store.proveConsistency(1, 2)).size2).toBe(2)
    })

    behaviour('stand under a checkpoint, which is the same until something is appended', async store => {
      const id = newEventId()
      await store.appendToStream('a', [numbered(1, id)])
      const checkpoint = await store.checkpoint()
      expect(checkpoint.size).toBe(1)
      expect(checkpoint.rootHash).toBe((await store.proveInclusion(id)).rootHash)
      expect(await store.checkpoint()).toEqual(checkpoint)
      await store.appendToStream('a', [numbered(2)])
      expect((await store.checkpoint()).size).toBe(2)
    })

    behaviour('are refused for an event that is not there, and for a tree that never was', async store => {
      await store.appendToStream('a', [numbered(1)])
      await expect(store.proveInclusion(newEventId())).rejects.toMatchObject({ code: 'unknown-event' })
      await expect(store.proveConsistency(2)).rejects.toMatchObject({ code: 'invalid-argument' })
    })
  })

  describe(`${name}: erasing`, () => {
    const subject = (n: number, customer: string): Event => ({ ...numbered(n), metadata: { customer } })

    behaviour('leaves an erased event out of what is read and folded, for good', async (store, reopen) => {
      const id = newEventId()
      await store.appendToStream('a', [numbered(1), numbered(2, id), numbered(3)])
      await store.appendToStream('b', [numbered(4)])
      const erasure = await store.eraseEvent(id, { reason: 'asked for' })
      expect(erasure).toMatchObject({ eventIds: [id], reason: 'asked for' })
      const check = async (opened: EventStore): Promise<void> => {
        const { events, currentStreamVersion } = await opened.readStream('a')
        expect([numbers(events), currentStreamVersion]).toEqual([[1, 3], 3])
        expect(numbers(await all(opened.readAll({ direction: 'backwards' })))).toEqual([4, 3, 1])
        const evolve = (sum: number, event: RecordedEvent<Numbered>): number => sum + event.data.n
        const fold = { evolve, initialState: () => 0 }
        expect((await opened.aggregateStream<number, Numbered>('a', fold)).state).toBe(4)
        expect(await opened.erasures()).toEqual([erasure])
        expect(await opened.verify()).toMatchObject({ ok: true, events: 4 })
      }
      await check(store)
      const again = await reopen()
      await check(again)
      const next = await again.appendToStream('a', [numbered(5)], { expectedStreamVersion: 3 })
      expect(next.nextExpectedStreamVersion).toBe(4)
    })

    behaviour('erases all events of a subject, and proofs hold as before', async store => {
      const ids = [newEventId(), newEventId()]
      await store.appendToStreams([
        { streamName: 'a', events: [{ ...subject(1, 'c-1'), id: ids[0]! }, subject(2, 'c-2')] },
        { streamName: 'b', events: [{ ...subject(3, 'c-1'), id: ids[1]! }] },
      ])
      const { rootHash, treeSize } = await store.proveInclusion(ids[0]!)
      const { eventIds } = await store.eraseSubject('customer', 'c-1')
      expect([...eventIds].sort()).toEqual([...ids].sort())
      expect(numbers(await all(store.readAll()))).toEqual([2])
      const proof = await store.proveInclusion(ids[1]!, treeSize)
      expect(proof.rootHash).toBe(rootHash)
      expect(await verifyInclusion(proof)).toBe(true)
      expect((await store.eraseSubject('customer', 'c-1')).eventIds).toEqual([])
    })

    behaviour('of an event that is not there is an error', async store => {
      const erasing = store.eraseEvent(newEventId())
      await expect(erasing).rejects.toSatisfy(error => isStoreError(error, 'unknown-event'))
      expect(await store.erasures()).toEqual([])
    })
  })

  describe(`${name}: names and payloads`, () => {
    for (const streamName of [
      'ünï-🎲',
      'a/b?c=d&e#f%20',
      'x'.repeat(1000),
      ' ',
      'constructor',
      '__proto__',
    ]) {
      behaviour(`takes the stream name ${JSON.stringify(streamName.slice(0, 20))}`, async store => {
        await store.appendToStream(streamName, [numbered(1)])
        expect((await store.readStream(streamName)).events[0]!.metadata.streamName).toBe(streamName)
      })
    }

    for (const [title, streamName] of [
      ['empty', ''],
      ['too long', 'x'.repeat(1025)],
      ['half a surrogate pair', 'a\ud800'],
      ['text with a U+0000', 'a\0b'],
      ['of the system', '$sync'],
    ]) {
      behaviour(`refuses a stream name that is ${title}`, async store => {
        await expect(store.appendToStream(streamName!, [numbered(1)])).rejects.toMatchObject({
          code: 'invalid-event',
        })
      })
    }

    const circular: { self?: object } = {}
    circular.self = circular
    const bad: readonly (readonly [string, unknown, string])[] = [
      ['undefined', undefined, 'events[1].data'],
      ['an undefined property', { a: { b: undefined } }, 'events[1].data.a.b'],
      ['NaN', [1, Number.NaN], 'events[1].data[1]'],
      ['a Map', { m: new Map() }, 'events[1].data.m'],
      ['a Date', { when: new Date(0) }, 'events[1].data.when'],
      ['a bigint', { n: 1n }, 'events[1].data.n'],
      ['a function', { f: () => 1 }, 'events[1].data.f'],
      ['a lone surrogate', { s: 'a\udc00' }, 'events[1].data.s'],
      ['a hole', new Array(1), 'events[1].data[0]'],
    ]
    for (const [title, data, path] of bad) {
      behaviour(
        `refuses a batch whose second event has ${title}, by path, and writes nothing`,
        async store => {
          const attempt = store.appendToStream('a', [numbered(1), { type: 'Bad', data }])
          await expect(attempt).rejects.toMatchObject({ code: 'invalid-event', facts: { path } })
          expect(await store.streamExists('a')).toBe(false)
        },
      )
    }

    behaviour('refuses what refers to itself, and what is too large', async store => {
      await expect(store.appendToStream('a', [{ type: 'Bad', data: circular }])).rejects.toMatchObject({
        code: 'invalid-event',
      })
      const large = { type: 'Bad', data: 'x'.repeat(1024 * 1024) }
      await expect(store.appendToStream('a', [large])).rejects.toMatchObject({
        code: 'invalid-event',
        facts: { path: 'events[0]' },
      })
    })

    behaviour(
      "refuses ids that are no UUIDs, types without a name, and metadata that hides the log's own",
      async store => {
        await expect(store.appendToStream('a', [{ type: 'T', data: 1, id: 'seven' }])).rejects.toMatchObject({
          facts: { path: 'events[0].id' },
        })
        await expect(store.appendToStream('a', [{ type: '', data: 1 }])).rejects.toMatchObject({
          facts: { path: 'events[0].type' },
        })
        await expect(
          store.appendToStream('a', [{ type: 'T', data: 1, metadata: { hash: 'x' } }]),
        ).rejects.toMatchObject({ facts: { path: 'events[0].metadata.hash' } })
      },
    )
  })

  describe(`${name}: subscriptions`, () => {
    /** Collects events until there are so many. */
    const collector = (count: number) => {
      const events: RecordedEvent[] = []
      let done: () => void
      const complete = new Promise<void>(resolve => {
        done = resolve
      })
      return {
        events,
        complete,
        take: (event: RecordedEvent) => {
          if (events.push(event) >= count) done()
        },
      }
    }

    behaviour('from the start: what there is and what comes, no gap and no double', async store => {
      const got = collector(40)
      await store.appendToStream('a', [numbered(0), numbered(1)])
      const subscription = await store.subscribe(got.take)
      await Promise.all(Array.from({ length: 38 }, (_, i) => store.appendToStream('a', [numbered(i + 2)])))
      await got.complete
      expect(got.events.map(({ metadata }) => metadata.globalPosition)).toEqual(
        Array.from({ length: 40 }, (_, i) => i + 1),
      )
      await subscription.unsubscribe()
    })

    behaviour('from the end, and from behind a position', async store => {
      await store.appendToStream('a', [numbered(1), numbered(2)])
      const late = collector(1)
      const behind = collector(2)
      const subscriptions = [
        await store.subscribe(late.take, { from: 'end' }),
        await store.subscribe(behind.take, { from: 1 }),
      ]
      await store.appendToStream('a', [numbered(3)])
      await Promise.all([late.complete, behind.complete])
      expect(numbers(late.events)).toEqual([3])
      expect(numbers(behind.events)).toEqual([2, 3])
      for (const one of subscriptions) await one.unsubscribe()
    })

    behaviour(
      'of a stream that does not exist yet; what is passed by still moves the position',
      async store => {
        const got = collector(1)
        const subscription = await store.subscribe(got.take, { streamName: 'late' })
        await store.appendToStream('other', [numbered(1), numbered(2)])
        await store.appendToStream('late', [numbered(3)])
        await got.complete
        await expect.poll(() => subscription.position()).toBe(3)
        await store.appendToStream('other', [numbered(4)])
        await expect.poll(() => subscription.position()).toBe(4)
        expect(numbers(got.events)).toEqual([3])
        await subscription.unsubscribe()
      },
    )

    behaviour('says when it has caught up, also in an empty store', async store => {
      const subscription = { current: null as Awaited<ReturnType<EventStore['subscribe']>> | null }
      await new Promise<void>((resolve, reject) => {
        store
          .subscribe(() => {}, { onCaughtUp: resolve })
          .then(s => {
            subscription.current = s
          }, reject)
      })
      await expect.poll(() => subscription.current).not.toBeNull()
      await subscription.current!.unsubscribe()
    })

    behaviour('says when it fell behind, and when it has caught up again', async store => {
      const told: string[] = []
      const got = collector(1500)
      const subscription = await store.subscribe(got.take, {
        onCaughtUp: () => told.push('caught up'),
        onFellBehind: () => told.push('fell behind'),
      })
      await expect.poll(() => told).toEqual(['caught up'])
      await store.appendToStream(
        'a',
        Array.from({ length: 1500 }, (_, i) => numbered(i)),
      )
      await got.complete
      await expect.poll(() => told).toEqual(['caught up', 'fell behind', 'caught up'])
      await subscription.unsubscribe()
    })

    behaviour('a handler that throws ends the subscription with its reason', async store => {
      await store.appendToStream('a', [numbered(1), numbered(2)])
      const seen: number[] = []
      const reason = await new Promise<Error>(resolve => {
        void store.subscribe(
          event => {
            seen.push((event.data as { n: number }).n)
            throw new Error('cannot take this')
          },
          { onDropped: resolve },
        )
      })
      expect(reason.message).toContain('cannot take this')
      expect(seen).toEqual([1])
    })

    behaviour('ends by unsubscribe, twice without harm, and by signal', async store => {
      const controller = new AbortController()
      const seen: number[] = []
      const take = (event: RecordedEvent): void => void seen.push((event.data as { n: number }).n)
      const first = await store.subscribe(take)
      const second = await store.subscribe(take, { signal: controller.signal })
      await first.unsubscribe()
      await first.unsubscribe()
      controller.abort()
      await second.unsubscribe()
      await store.appendToStream('a', [numbered(1)])
      await all(store.readAll())
      expect(seen).toEqual([])
    })
  })

  describe(`${name}: across reopening`, () => {
    behaviour('keeps streams, versions, ids and the chain', async (store, reopen) => {
      const id = newEventId()
      const events = [numbered(1, id), numbered(2)]
      const first = await store.appendToStream('a', events, { expectedStreamVersion: 0 })
      const again = await reopen()
      expect(numbers((await again.readStream('a')).events)).toEqual([1, 2])
      const retried = await again.appendToStream('a', [numbered(1, id)], { expectedStreamVersion: 0 })
      expect(retried).toMatchObject({ idempotent: true })
      const next = await again.appendToStream('a', [numbered(3)], { expectedStreamVersion: 2 })
      expect(next.lastEventGlobalPosition).toBe(3)
      const [third] = (await again.readStream('a', { from: 3 })).events
      expect(third!.metadata.previousHash).toBe(first.headHash)
      expect(await again.verify()).toMatchObject({ ok: true, events: 3, headPosition: 3 })
    })
  })
}
