// Deciders decide on what counts, as it is amended in the log and in the very draft that they decide in.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { openLog } from '../../../src/engine/open-log.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import { newEventId } from '../../../src/log/event-id.ts'
import type { Amendment, AmendOptions } from '../../../src/model/amendment.ts'
import type { App } from '../../../src/model/app.ts'
import { memoryStorage } from '../../../src/storage/memory/index.ts'
import { eventsIn, idsIn, orderBelieved, step, takeStep } from '../replay/histories.ts'
import { append, openServer, pull, sync } from '../replay/replicas.ts'

const tankOf = (id: string) => `tank-${id}`
const TANK = tankOf('1')

const app = {
  deciders: {
    /** Holds ten: filling it further is refused. */
    tank: {
      streamName: tankOf,
      initialState: () => 0,
      evolve: {
        Filled: (level: number, { data }: RecordedEvent) => level + (data as number),
        Emptied: () => 0,
      },
      decide: ({ data: by }: { type: 'Fill'; data: number }, level: number) => {
        if (level + by > 10) throw new Error(`only ${10 - level} left`)
        return { type: 'Filled', data: by }
      },
    },
    /** Writes down which events it had seen. */
    witness: {
      streamName: (id: string) => id,
      initialState: () => [],
      evolve: (seen: readonly string[], { metadata }: RecordedEvent) => [...seen, metadata.eventId],
      decide: (_: unknown, seen: readonly string[]) => ({ type: 'Witnessed', data: seen }),
      snapshot: { every: 2 },
    },
  },
} as unknown as App

const openDevice = (): Promise<EventLog> => openLog({ storage: memoryStorage(), storeId: 'shared', app })

const fill = (log: EventLog, by: number, commandId = newEventId()) =>
  log.execute({ decider: 'tank', id: '1', command: { type: 'Fill', data: by }, commandId })

const filled = (log: EventLog, ...by: number[]) =>
  append(log, TANK, ...by.map(data => ({ type: 'Filled', data })))

const amend = (log: EventLog, amendments: readonly Amendment[], options: Partial<AmendOptions> = {}) =>
  createEventStore(log).amendStream(TANK, amendments, { reason: 'for a test', ...options })

const remove = (eventId: string): Amendment => ({ kind: 'remove', eventId })

const levels = async (log: EventLog) => (await eventsIn(log, TANK)).map(({ data }) => data)

describe('a command is decided', () => {
  test('on what counts when the stream was amended', async () => {
    const log = await openDevice()
    await filled(log, 8, 1)
    await expect(fill(log, 5)).rejects.toMatchObject({ code: 'command-refused' })
    const [eight, one] = await idsIn(log, TANK)
    await amend(log, [remove(eight!)])
    expect((await fill(log, 5)).state).toBe(6)
    const event = { type: 'Emptied', data: 0 }
    await amend(log, [{ kind: 'insert', after: one!, event }])
    expect((await fill(log, 5)).state).toBe(10)
    await expect(fill(log, 1)).rejects.toMatchObject({ code: 'command-refused' })
  })

  test('on what counts when an amendment was asked for right before, and not on one that was refused', async () => {
    const log = await openDevice()
    await filled(log, 8)
    const [eight] = await idsIn(log, TANK)
    const outcomes = await Promise.allSettled([
      amend(log, [remove(newEventId())]),
      fill(log, 5),
      amend(log, [remove(eight!)]),
      fill(log, 6),
      fill(log, 5),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
    expect(await levels(log)).toEqual([6])
  })
})

describe('behind what the server had first, a command is decided again', () => {
  /** A device that has taken 8 away and filled in 9 since the last sync. */
  async function openAmended(options: Partial<AmendOptions> = {}) {
    const [log, server] = [await openDevice(), await openServer()]
    await filled(log, 8)
    await sync(log, server)
    const [eight] = await idsIn(log, TANK)
    await amend(log, [remove(eight!)], options)
    await fill(log, 9)
    return { log, server }
  }

  test('on the amended order of the very same draft', async () => {
    const { log, server } = await openAmended()
    await filled(server, 1)
    await sync(log, server)
    expect(await levels(log)).toEqual([1, 9])
    expect(await levels(server)).toEqual([1, 9])
    expect(await log.rejections()).toEqual([])
  })

  test('and refused for what the server had, the amendment standing', async () => {
    const { log, server } = await openAmended()
    await filled(server, 2)
    await sync(log, server)
    expect(await levels(log)).toEqual([2])
    expect(await log.rejections()).toMatchObject([{ reason: { code: 'command-refused' } }])
  })

  test('and refused where the amendment that made room for it is rejected', async () => {
    const { log, server } = await openAmended({ onConflict: 'reject' })
    await filled(server, 1)
    await sync(log, server)
    expect(await levels(log)).toEqual([8, 1])
    expect(await log.rejections()).toMatchObject([
      { reason: { code: 'version-conflict' } },
      { reason: { code: 'command-refused' } },
    ])
  })

  test('and its event is amended as it was', async () => {
    const [log, server] = [await openDevice(), await openServer()]
    const id = newEventId()
    await fill(log, 6, id)
    await amend(log, [{ kind: 'replace', eventId: id, event: { type: 'Filled', data: 2 } }])
    await filled(server, 3)
    await sync(log, server)
    expect(await levels(log)).toEqual([3, 2])
    expect(await levels(server)).toEqual([3, 2])
    expect((await fill(log, 5)).state).toBe(10)
  })

  test('and where it is refused, so is what amended its event', async () => {
    const [log, server] = [await openDevice(), await openServer()]
    const id = newEventId()
    await fill(log, 6, id)
    await amend(log, [{ kind: 'replace', eventId: id, event: { type: 'Filled', data: 2 } }])
    await filled(server, 7)
    await sync(log, server)
    expect(await levels(log)).toEqual([7])
    expect(await log.rejections()).toMatchObject([
      { reason: { code: 'command-refused' } },
      { reason: { code: 'unknown-event' } },
    ])
  })
})

test('whatever is amended and however often it is rebased, each command was decided on the order before it', async () => {
  const seen = { decided: 0, amended: 0, rebased: 0 }
  const execute = fc.record({ stream: fc.constantFrom('s1', 's2'), execute: fc.constant(true) })
  const action = fc.oneof(
    { weight: 4, arbitrary: execute },
    { weight: 5, arbitrary: step },
    { weight: 1, arbitrary: fc.record({ theirs: step }) },
    { weight: 2, arbitrary: fc.constant({ pull: true }) },
    { weight: 1, arbitrary: fc.constant({ sync: true }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 20 }), async actions => {
      const [log, server] = [await openDevice(), await openServer()]
      for (const action of actions) {
        if ('execute' in action) {
          const wish = { decider: 'witness', id: action.stream, command: {}, commandId: newEventId() }
          await log.execute(wish)
        } else if ('theirs' in action) {
          if (!('erase' in action.theirs)) await takeStep(server, action.theirs)
        } else if ('pull' in action) await pull(log, server)
        else if ('sync' in action) await sync(log, server)
        else if (!('erase' in action)) await takeStep(log, action)
      }
      await sync(log, server)
      for (const stream of ['s1', 's2']) {
        if (log.order.orderOf(stream)) seen.amended++
        expect(await idsIn(log, stream)).toEqual(await orderBelieved(log, stream))
        expect(await idsIn(server, stream)).toEqual(await idsIn(log, stream))
        for (const { type, data, metadata } of await eventsIn(log, stream, 'recorded')) {
          if (type !== 'Witnessed') continue
          expect(data).toEqual(await orderBelieved(log, stream, metadata.streamVersion - 1))
          seen.decided++
        }
      }
      seen.rebased += log.order.records.filter(({ supersededAt }) => supersededAt !== null).length
      await log.close()
      await server.close()
    }),
    { numRuns: 400 },
  )
  expect(seen.decided).toBeGreaterThan(500)
  expect(seen.amended).toBeGreaterThan(100)
  expect(seen.rebased).toBeGreaterThan(50)
})
