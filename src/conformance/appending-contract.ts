// Appending: what is expected of a stream, what is a retry, several streams at once.

import { describe, expect } from 'vitest'
import { isStoreError, VersionConflict } from '../log/errors.ts'
import { newEventId } from '../log/event-id.ts'
import { all, type Behaviour, numbered, numbers } from './event-store-suite.ts'

export function describeAppending(name: string, behaviour: Behaviour): void {
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
}
