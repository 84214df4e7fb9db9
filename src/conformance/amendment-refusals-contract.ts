// Amendments that are refused: nothing of them is there afterwards.

import { describe, expect } from 'vitest'
import { VersionConflict } from '../log/errors.ts'
import { newEventId } from '../log/event-id.ts'
import type { Amendment } from '../model/amendment.ts'
import type { EventStore } from '../model/event-store.ts'
import { type Behaviour, fill, numbered, numbers } from './event-store-suite.ts'

const reason = 'a typing error'

const read = async (store: EventStore): Promise<number[]> => numbers((await store.readStream('a')).events)

export function describeAmendmentRefusals(name: string, behaviour: Behaviour): void {
  describe(`${name}: an amendment`, () => {
    /** Nothing of it is there afterwards. */
    const refused = async (
      store: EventStore,
      amendments: readonly Amendment[],
      options: Partial<Parameters<EventStore['amendStream']>[2]> = {},
    ): Promise<unknown> => {
      const before = (await store.checkpoint()).size
      const error = await store.amendStream('a', amendments, { reason, ...options }).then(
        () => null,
        thrown => thrown,
      )
      expect((await store.checkpoint()).size).toBe(before)
      expect(await store.amendments('a')).toEqual([])
      return error
    }

    behaviour('is refused at another version than was expected', async store => {
      const [one] = await fill(store, 'a', 2)
      const remove = [{ kind: 'remove' as const, eventId: one! }]
      for (const expectedStreamVersion of [0, 1, 3, 'STREAM_DOES_NOT_EXIST'] as const) {
        const error = await refused(store, remove, { expectedStreamVersion })
        expect(error).toBeInstanceOf(VersionConflict)
        expect((error as VersionConflict).facts.violations).toEqual([
          { streamName: 'a', expected: expectedStreamVersion, actual: 2 },
        ])
      }
      await store.amendStream('a', remove, { reason, expectedStreamVersion: 2 })
      expect(await read(store)).toEqual([2])
    })

    behaviour('is refused for events that do not count in the stream', async store => {
      const [one, two] = await fill(store, 'a', 3)
      const [elsewhere] = await fill(store, 'b', 1)
      const later = newEventId()
      const remove: Amendment = { kind: 'remove', eventId: one! }
      const insert: Amendment = { kind: 'insert', after: null, event: numbered(9, later) }
      const attempts: readonly (readonly Amendment[])[] = [
        [{ kind: 'remove', eventId: newEventId() }],
        [{ kind: 'move', eventId: two!, after: newEventId() }],
        [{ kind: 'remove', eventId: elsewhere! }],
        [{ kind: 'insert', after: elsewhere!, event: numbered(9) }],
        [remove, remove],
        [remove, { kind: 'move', eventId: two!, after: one! }],
        [remove, { kind: 'replace', eventId: one!, event: numbered(9) }],
        [{ kind: 'remove', eventId: later }, insert],
        [{ kind: 'move', eventId: two!, after: later }, insert],
      ]
      for (const amendments of attempts) {
        expect(await refused(store, amendments)).toMatchObject({ code: 'unknown-event' })
      }
      expect(await read(store)).toEqual([1, 2, 3])
    })

    behaviour('is no event, to be erased or amended', async store => {
      const [one] = await fill(store, 'a', 2)
      const amendmentId = newEventId()
      await store.amendStream('a', [{ kind: 'remove', eventId: one! }], { reason, amendmentId })
      await expect(store.eraseEvent(amendmentId)).rejects.toMatchObject({ code: 'unknown-event' })
      const again: Amendment = { kind: 'remove', eventId: amendmentId }
      await expect(store.amendStream('a', [again], { reason })).rejects.toMatchObject({
        code: 'unknown-event',
      })
      expect(await store.amendments('a')).toHaveLength(1)
    })

    behaviour('is refused for what no state of the log would take', async store => {
      const [one] = await fill(store, 'a', 2)
      const remove: Amendment = { kind: 'remove', eventId: one! }
      const x = newEventId()
      const insert: Amendment = { kind: 'insert', after: null, event: numbered(9, x) }
      const attempts: readonly (readonly [readonly Amendment[], object?])[] = [
        [[]],
        [Array.from({ length: 10_001 }, () => remove)],
        [[remove], { reason: 'x'.repeat(1_025) }],
        [[remove], { reason: undefined }],
        [[remove], { expectedStreamVersion: 'WHATEVER' }],
        [[remove], { amendmentId: 'seven' }],
        [[insert], { amendmentId: x.toUpperCase() }],
        [[{ kind: 'remove', eventId: 'seven' }]],
        [[{ kind: 'insert', after: undefined as never, event: numbered(9) }]],
        [[{ kind: 'move', eventId: one!, after: one!.toUpperCase() }]],
        [[{ kind: 'swap', eventId: one! } as never]],
      ]
      for (const [amendments, options] of attempts) {
        expect(await refused(store, amendments, options)).toMatchObject({ code: 'invalid-argument' })
      }
      const bad = { type: 'Bad', data: { n: Number.NaN } }
      expect(await refused(store, [{ kind: 'insert', after: null, event: bad }])).toMatchObject({
        code: 'invalid-event',
        facts: { path: 'events[0].data.n' },
      })
      await expect(store.amendStream('$sync', [remove], { reason })).rejects.toMatchObject({
        code: 'invalid-event',
      })
    })

    behaviour('is refused for ids that something else has', async store => {
      const [one, two] = await fill(store, 'a', 2)
      const again: Amendment = { kind: 'insert', after: null, event: numbered(2, two!) }
      expect(await refused(store, [again])).toMatchObject({ code: 'id-conflict' })
      const remove: Amendment = { kind: 'remove', eventId: one! }
      expect(await refused(store, [remove], { amendmentId: two! })).toMatchObject({ code: 'id-conflict' })
      const amendmentId = newEventId()
      await store.appendToStream('b', [numbered(1)])
      const [b] = (await store.readStream('b')).events
      await store.amendStream('b', [{ kind: 'remove', eventId: b!.metadata.eventId }], {
        reason,
        amendmentId,
      })
      expect(await refused(store, [remove], { amendmentId })).toMatchObject({ code: 'id-conflict' })
      await expect(store.appendToStream('b', [numbered(1, amendmentId)])).rejects.toMatchObject({
        code: 'id-conflict',
      })
    })
  })
}
