// What is shown of a log, and what is taken out of it: proofs hold either way.

import { describe, expect } from 'vitest'
import { verifyConsistency, verifyInclusion } from '../integrity/verify-proof.ts'
import { isStoreError } from '../log/errors.ts'
import type { Event, RecordedEvent } from '../log/event.ts'
import { newEventId } from '../log/event-id.ts'
import type { EventStore } from '../model/event-store.ts'
import { all, type Behaviour, type Numbered, numbered, numbers } from './event-store-suite.ts'

export function describeProofs(name: string, behaviour: Behaviour): void {
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
}
