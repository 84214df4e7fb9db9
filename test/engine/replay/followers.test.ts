// What an application may ask of a projection, and have it do: for documents of single streams, of all streams, and of those
// that are folded in the background.

import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { nextTask } from '../../../src/engine/replay/pace.ts'
import { TodaysEvents } from '../../../src/engine/todays-events.ts'
import type { AnyProjection } from '../../../src/model/app.ts'
import { createMemoryDatabase, type MemoryDatabase } from '../../../src/storage/memory/index.ts'
import { BY_STREAM, IN_BACKGROUND, OVER_ALL, openLists, say, sayMany, watch, words } from './lists.ts'
import { append, foldLogOf, openDevice, openServer, pull, sync } from './replicas.ts'

const KINDS: readonly (readonly [string, Partial<AnyProjection>])[] = [
  ['of single streams', BY_STREAM],
  ['of all streams', OVER_ALL],
  ['in the background', IN_BACKGROUND],
]

type Lists = ReturnType<typeof openLists>

/** Has it come to where it stops, whichever kind it is. */
async function stopped(lists: Lists): Promise<Lists> {
  await lists.words('x')
  await lists.whenProcessed().catch(() => {})
  return lists
}

async function idsOf(log: EventLog): Promise<Readonly<Record<string, string>>> {
  const ids: Record<string, string> = {}
  for await (const events of log.readAll())
    for (const { data, metadata } of events) ids[String(data)] = metadata.eventId
  return ids
}

const isBad = (word: string) => word.endsWith('bad')

/** Four words in the stream of the document, of which the second one is bad, and one of another stream. */
async function withBadWord(database = createMemoryDatabase()) {
  const log = await openDevice(database)
  await say(log, 'x', 'x1', 'xbad', 'x3')
  await say(log, 'y', 'y1')
  await say(log, 'x', 'x4')
  return { database, log, ids: await idsOf(log) }
}

function damage(database: MemoryDatabase, prefix: string): void {
  for (const [key, value] of database.values)
    if (key.startsWith(prefix))
      database.values.set(
        key,
        value.map(byte => byte ^ 1),
      )
}

describe.each(KINDS)('a projection %s', (kind, definition) => {
  const open = (log: Parameters<typeof openLists>[0], options: Parameters<typeof openLists>[1] = {}) =>
    openLists(log, { ...options, definition: { ...definition, ...options.definition } })

  describe('says', () => {
    test('that it is current where there is nothing, and where all is folded', async () => {
      const log = await openDevice()
      const lists = open(log)
      const current = { phase: 'current', stoppedAt: [], skipped: [] }
      expect(await lists.status()).toEqual({ ...current, processedPosition: 0, headPosition: 0 })
      await say(log, 'x', 'x1', 'x2')
      await lists.whenProcessed()
      expect(await lists.status()).toEqual({ ...current, processedPosition: 2, headPosition: 2 })
    })

    test('at which event it stopped, and why; up to there it has come', async () => {
      const { log, ids } = await withBadWord()
      const lists = await stopped(open(log, { fails: isBad }))
      expect(await lists.status()).toEqual({
        phase: 'stopped',
        processedPosition: 1,
        headPosition: 5,
        stoppedAt: [
          {
            eventId: ids['xbad'],
            type: 'Said',
            streamName: 'x',
            globalPosition: 2,
            problem: 'cannot take xbad',
          },
        ],
        skipped: [],
      })
      expect(await lists.words('x')).toEqual(['1x1'])
      expect(lists.failures).toHaveLength(1)
    })

    test('that it has come to right before the event it stopped at, whatever stands there', async () => {
      const [log, server] = [await openDevice(), await openServer()]
      await say(log, 'x', 'x1')
      // The log has entries of its own behind that.
      await sync(log, server)
      await say(log, 'x', 'xbad')
      const head = log.head()
      expect(head).toBeGreaterThan(2)
      const lists = await stopped(open(log, { fails: isBad }))
      expect(await lists.status()).toMatchObject({ phase: 'stopped', processedPosition: head - 1 })
      await lists.whenProcessed(head - 1)
    })

    test('nothing of an event that a rebase took back', async () => {
      const [log, server] = [await openDevice(), await openServer()]
      await createEventStore(log).appendToStream('x', [{ type: 'Said', data: 'xbad' }], {
        onConflict: 'reject',
      })
      const lists = await stopped(open(log, { fails: isBad }))
      expect(await lists.status()).toMatchObject({ phase: 'stopped' })
      await say(server, 'x', 'x1')
      await pull(log, server)
      await lists.whenProcessed()
      expect(await lists.status()).toMatchObject({ phase: 'current', stoppedAt: [] })
      expect(await lists.words('x')).toEqual(['1x1'])
    })

    test('that it is not there where the app has none of its name', async () => {
      const { followers } = open(await openDevice())
      const refusal = { code: 'unknown-projection', facts: { projection: 'nope' } }
      const signal = new AbortController().signal
      await expect(followers.status('nope')).rejects.toMatchObject(refusal)
      await expect(followers.whenProcessed('nope', 0, signal)).rejects.toMatchObject(refusal)
      await expect(followers.resume('nope')).rejects.toMatchObject(refusal)
      await expect(followers.skip('nope', 'x')).rejects.toMatchObject(refusal)
      await expect(followers.rebuild('nope')).rejects.toMatchObject(refusal)
      // Another tab may run another release.
      await followers.skippedElsewhere('nope')
    })
  })

  describe('whenProcessed', () => {
    test('is over at once for what is there, and for nothing', async () => {
      const log = await openDevice()
      const lists = open(log)
      await lists.whenProcessed(0)
      await say(log, 'x', 'x1', 'x2')
      await lists.whenProcessed(1)
      await lists.whenProcessed(2)
      expect(await lists.words('x')).toEqual(['1x1', '1x2'])
    })

    test('waits for what is yet to come', async () => {
      const log = await openDevice()
      const lists = open(log)
      let isOver = false
      const processed = lists.whenProcessed(3).then(() => {
        isOver = true
      })
      await say(log, 'x', 'x1', 'x2')
      await lists.whenProcessed(2)
      expect(isOver).toBe(false)
      await say(log, 'x', 'x3')
      await processed
      expect(await lists.words('x')).toEqual(['1x1', '1x2', '1x3'])
    })

    test('knows what another tab wrote, which nobody told this one of', async () => {
      const database = createMemoryDatabase()
      const [log, other] = [await openDevice(database), await openDevice(database)]
      const lists = open(log)
      await say(other, 'x', 'x1')
      expect(log.head()).toBe(0)
      await lists.whenProcessed(1)
      expect(await lists.words('x')).toEqual(['1x1'])
    })

    test('rejects behind an event whose handler fails, and is over before it', async () => {
      const { log, ids } = await withBadWord()
      const lists = await stopped(open(log, { fails: isBad }))
      const failure = { code: 'handler-failed', facts: { eventId: ids['xbad'] } }
      await lists.whenProcessed(1)
      await expect(lists.whenProcessed(2)).rejects.toMatchObject(failure)
      await expect(lists.whenProcessed()).rejects.toMatchObject(failure)
    })

    test('ends when it is aborted, before or while it waits, and holds nothing of the log any more', async () => {
      const log = await openDevice()
      let listening = 0
      const lists = open(
        foldLogOf(log, {
          onChange(listener, signal) {
            listening++
            signal?.addEventListener('abort', () => listening--, { once: true })
            log.onChange(listener, signal)
          },
        }),
      )
      const before = listening
      const life = new AbortController()
      const processed = lists.whenProcessed(1, life.signal)
      life.abort()
      await expect(processed).rejects.toMatchObject({ name: 'AbortError' })
      await expect(lists.whenProcessed(1, life.signal)).rejects.toMatchObject({ name: 'AbortError' })
      expect(listening).toBe(before)
    })
  })

  test('resumes where a handler failed only for a time', async () => {
    const { log } = await withBadWord()
    let isBroken = true
    const lists = await stopped(open(log, { fails: word => isBroken && isBad(word) }))
    await lists.followers.resume('lists')
    await stopped(lists)
    expect(await lists.status()).toMatchObject({ phase: 'stopped' })
    expect(await lists.words('x')).toEqual(['1x1'])
    isBroken = false
    const seen = watch(lists.projector, 'lists', 'x')
    await lists.followers.resume('lists')
    await seen.called()
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(['1x1', '1xbad', '1x3', '1x4'])
    expect(await lists.status()).toMatchObject({ phase: 'current', skipped: [] })
  })

  describe('skips', () => {
    const without = ['1x1', '1x3', '1x4']

    test('an event on the application’s word, and goes on without it', async () => {
      const { log, ids } = await withBadWord()
      const lists = await stopped(open(log, { fails: isBad }))
      const seen = watch(lists.projector, 'lists', 'x')
      const before = Date.now()
      await lists.followers.skip('lists', ids['xbad']!)
      await seen.called()
      await lists.whenProcessed()
      expect(await lists.latest('x')).toMatchObject({ state: without, pending: 3 })
      const { phase, stoppedAt, skipped } = await lists.status()
      expect({ phase, stoppedAt, skipped }).toEqual({
        phase: 'current',
        stoppedAt: [],
        skipped: [{ eventId: ids['xbad'], type: 'Said', skippedAt: expect.any(Number) }],
      })
      expect(skipped[0]!.skippedAt).toBeGreaterThanOrEqual(before)
      expect(lists.skippedIn).toEqual(['lists'])
      expect(lists.projector.failureOf('lists', 'x')).toBe(null)
    })

    test('and stops at the next one all the same', async () => {
      const { log, ids } = await withBadWord()
      await say(log, 'x', 'x-bad', 'x6')
      const lists = await stopped(open(log, { fails: isBad }))
      await lists.followers.skip('lists', ids['xbad']!)
      await stopped(lists)
      expect(await lists.status()).toMatchObject({ phase: 'stopped', stoppedAt: [{ globalPosition: 6 }] })
      expect(await lists.words('x')).toEqual(without)
    })

    test('no event that it did not stop at', async () => {
      const { log, ids } = await withBadWord()
      const lists = await stopped(open(log, { fails: isBad }))
      for (const eventId of [ids['x1']!, ids['x3']!, 'nonsense']) {
        await expect(lists.followers.skip('lists', eventId)).rejects.toMatchObject({
          code: 'invalid-argument',
          facts: { projection: 'lists', eventId, stoppedAt: [ids['xbad']] },
        })
      }
      await lists.followers.skip('lists', ids['xbad']!)
      await expect(lists.followers.skip('lists', ids['xbad']!)).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      expect(lists.skippedIn).toEqual(['lists'])
    })

    test('after a restart, too, and takes up a snapshot that was made behind it', async () => {
      const database = createMemoryDatabase()
      const log = await openDevice(database)
      await say(log, 'x', 'x1', 'xbad')
      await sayMany(log, 'x', 'x', 60)
      const first = await stopped(open(log, { fails: isBad }))
      await first.followers.skip('lists', (await idsOf(log))['xbad']!)
      await stopped(first)
      const state = await first.words('x')
      expect(state).toEqual(['1x1', ...words('1x', 60)])
      await first.projector.close()
      const lists = await stopped(open(await openDevice(database), { fails: isBad }))
      expect(await lists.words('x')).toEqual(state)
      expect(lists.folded()).toBe(0)
      expect(await lists.status()).toMatchObject({ phase: 'current', skipped: [{ type: 'Said' }] })
    })

    test('an event that a rebase puts in another place', async () => {
      const [log, server] = [await openDevice(), await openServer()]
      await say(log, 'x', 'x1')
      await sync(log, server)
      await say(log, 'x', 'xbad', 'x3')
      const lists = await stopped(open(log, { fails: isBad }))
      await lists.followers.skip('lists', (await idsOf(log))['xbad']!)
      await say(server, 'x', 'x-theirs')
      await pull(log, server)
      await lists.whenProcessed()
      expect(await lists.words('x')).toEqual(['1x1', '1x-theirs', '1x3'])
    })

    test('no longer what a changed handler of its type can take', async () => {
      const { database, log, ids } = await withBadWord()
      const first = await stopped(open(log, { fails: isBad }))
      await first.followers.skip('lists', ids['xbad']!)
      await stopped(first)
      await first.projector.close()
      const mended = await stopped(open(await openDevice(database), { code: '2' }))
      expect(await mended.words('x')).toEqual(['2x1', '2xbad', '2x3', '2x4'])
      expect(await mended.status()).toMatchObject({ phase: 'current', skipped: [] })
      // The old release has its skip still.
      const old = await stopped(open(await openDevice(database), { fails: isBad }))
      expect(await old.words('x')).toEqual(without)
    })

    test.each([
      ['raised version', { version: '2' }],
      [
        'changed way to tell documents apart',
        { handlerCode: { hasher: 1, base: 'mended', handlers: { Said: '1' } } },
      ],
    ])('no longer what is folded again behind a %s', async (_, mended) => {
      const { database, log, ids } = await withBadWord()
      const first = await stopped(open(log, { fails: isBad }))
      await first.followers.skip('lists', ids['xbad']!)
      await first.projector.close()
      const lists = await stopped(open(await openDevice(database), { definition: mended }))
      expect(await lists.words('x')).toEqual(['1x1', '1xbad', '1x3', '1x4'])
    })

    test('what it did, whatever becomes of handlers of other types', async () => {
      const { database, log, ids } = await withBadWord()
      await append(log, 'x', { type: 'Noted', data: 'x5' })
      const both = (noted: string) => ({
        canHandle: ['Said', 'Noted'],
        evolve: {
          Said(state: string[], { data }: { data: string }) {
            if (isBad(data)) throw new Error('cannot')
            return [...state, data]
          },
          Noted: (state: string[], { data }: { data: string }) => [...state, noted + data],
        } as never,
        handlerCode: { hasher: 1, base: 'b', handlers: { Said: '1', Noted: noted } },
      })
      const first = await stopped(open(log, { definition: both('a') }))
      await first.followers.skip('lists', ids['xbad']!)
      await first.projector.close()
      const lists = await stopped(open(await openDevice(database), { definition: both('b') }))
      expect(await lists.words('x')).toEqual(['x1', 'x3', 'x4', 'bx5'])
      expect((await lists.status()).skipped).toHaveLength(1)
    })

    test('not what is written down no more: it stops there again', async () => {
      const { database, log, ids } = await withBadWord()
      const first = await stopped(open(log, { fails: isBad }))
      await first.followers.skip('lists', ids['xbad']!)
      await first.projector.close()
      damage(database, 'skip/')
      const lists = await stopped(open(await openDevice(database), { fails: isBad }))
      expect(await lists.status()).toMatchObject({ phase: 'stopped', skipped: [] })
      expect(await lists.words('x')).toEqual(['1x1'])
      await lists.followers.skip('lists', ids['xbad']!)
      await lists.whenProcessed()
      expect(await lists.words('x')).toEqual(without)
    })

    test('what an upcaster makes another type of, until the upcaster or the handler is another one', async () => {
      const { database, log, ids } = await withBadWord()
      const upcasters = (sign: string) => ({
        upcasters: [
          {
            type: 'Said',
            from: 1,
            to: 'Told',
            toVersion: 1,
            upcast: (data: unknown) => data,
            handlerCode: { hasher: 1, base: '', handlers: { Said: sign } },
          },
        ],
      })
      const told = {
        canHandle: ['Told'],
        evolve: {
          Told(state: string[], { data }: { data: string }) {
            if (isBad(data)) throw new Error('cannot')
            return [...state, data]
          },
        } as never,
        handlerCode: { hasher: 1, base: 'b', handlers: { Told: '1' } },
      }
      const openTold = async (sign: string, definition: Partial<AnyProjection> = told) => {
        const device = await openDevice(database)
        const today = new TodaysEvents(upcasters(sign))
        return stopped(open(foldLogOf(device, { today }), { definition }))
      }
      const first = await openTold('a')
      expect(await first.status()).toMatchObject({ stoppedAt: [{ type: 'Told', globalPosition: 2 }] })
      await first.followers.skip('lists', ids['xbad']!)
      await stopped(first)
      expect(await first.words('x')).toEqual(['x1', 'x3', 'x4'])
      await first.projector.close()
      expect(await (await openTold('a')).words('x')).toEqual(['x1', 'x3', 'x4'])
      for (const changed of [
        await openTold('b'),
        await openTold('a', { ...told, handlerCode: { hasher: 1, base: 'b', handlers: { Told: '2' } } }),
      ])
        expect(await changed.status()).toMatchObject({ phase: 'stopped', skipped: [] })
      await log.close()
    })

    test('what no upcaster can bring up to date', async () => {
      const { log, ids } = await withBadWord()
      const today = new TodaysEvents({
        upcasters: [
          {
            type: 'Said',
            from: 1,
            upcast(data) {
              if (isBad(data as string)) throw new Error('too old')
              return data
            },
          },
        ],
      })
      const lists = await stopped(open(foldLogOf(log, { today })))
      expect(await lists.status()).toMatchObject({ stoppedAt: [{ problem: 'too old' }] })
      await lists.followers.skip('lists', ids['xbad']!)
      await lists.whenProcessed()
      expect(await lists.words('x')).toEqual(without)
    })

    test('in one tab what another one skips, once that one says so', async () => {
      const { database, log, ids } = await withBadWord()
      const here = await stopped(open(log, { fails: isBad }))
      const there = await stopped(open(await openDevice(database), { fails: isBad }))
      await here.followers.skip('lists', ids['xbad']!)
      const seen = watch(there.projector, 'lists', 'x')
      expect(await there.words('x')).toEqual(['1x1'])
      await there.followers.skippedElsewhere('lists')
      await seen.called()
      await there.whenProcessed()
      expect(await there.words('x')).toEqual(without)
      expect((await there.status()).skipped).toHaveLength(1)
      expect(there.skippedIn).toEqual([])
    })

    test('its own event also where another tab is heard of while it is written down', async () => {
      const { log, ids } = await withBadWord()
      let listed = () => {}
      let isHeld = false
      const wasListed = new Promise<void>(resolve => {
        listed = resolve
      })
      let goOn = () => {}
      const released = new Promise<void>(resolve => {
        goOn = resolve
      })
      const { storage } = log
      const slow: EventLog['storage'] = {
        get: key => storage.get(key),
        keys: (...args) => storage.keys(...args),
        put: values => storage.put(values),
        swap: (...args) => storage.swap(...args),
        async list(prefix) {
          const values = await storage.list(prefix)
          if (isHeld) {
            listed()
            await released
          }
          return values
        },
      }
      const lists = await stopped(open(foldLogOf(log, { storage: slow }), { fails: isBad }))
      isHeld = true
      const heard = lists.followers.skippedElsewhere('lists')
      await wasListed
      const skipped = lists.followers.skip('lists', ids['xbad']!)
      await nextTask()
      goOn()
      await Promise.all([heard, skipped])
      await lists.whenProcessed()
      expect(await lists.words('x')).toEqual(without)
    })
  })

  test('keeps skipping when all is folded again because the application says so', async () => {
    const { log, ids } = await withBadWord()
    const lists = await stopped(open(log, { fails: isBad }))
    await lists.followers.skip('lists', ids['xbad']!)
    await stopped(lists)
    lists.folded()
    await lists.followers.rebuild('lists')
    await stopped(lists)
    expect(await lists.words('x')).toEqual(['1x1', '1x3', '1x4'])
    // Of a projection of all streams, that of the other one as well.
    expect(lists.folded()).toBe(kind === 'of single streams' ? 3 : 4)
  })
})

test('a skip is possible right after a restart, before anybody has asked for a document of all streams', async () => {
  const { database, log, ids } = await withBadWord()
  await stopped(openLists(log, { fails: isBad }))
  const lists = openLists(await openDevice(database), { fails: isBad })
  await lists.followers.skip('lists', ids['xbad']!)
  expect(await lists.words('x')).toEqual(['1x1', '1x3', '1x4'])
})

test('a stream that stopped holds no other one back', async () => {
  const { log } = await withBadWord()
  const lists = await stopped(openLists(log, { fails: isBad, definition: BY_STREAM }))
  expect(await lists.words('y')).toEqual(['1y1'])
  expect(lists.projector.failureOf('lists', 'y')).toBe(null)
  expect(lists.projector.failureOf('lists', 'x')).toMatchObject({ code: 'handler-failed' })
})
