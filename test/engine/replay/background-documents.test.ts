// A projection in the background: what it gives, when, and what it does with what comes in between.

import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { StorageFailed } from '../../../src/log/errors.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { IN_BACKGROUND, type ListsOptions, OVER_ALL, openLists, say, sayMany, watch, words } from './lists.ts'
import { foldLogOf, haltingLog, openDevice, openServer, pull, push, sync } from './replicas.ts'

type Log = Parameters<typeof openLists>[0]

const open = (log: Log, options: ListsOptions = {}) =>
  openLists(log, { ...options, definition: { ...IN_BACKGROUND, ...options.definition } })

/** A store in which a fold by code 1 has come to the end of 200 words, and left its snapshots. */
async function foldedBefore() {
  const database = createMemoryDatabase()
  const log = await openDevice(database)
  await sayMany(log, 'a', 'x', 200)
  const first = open(log)
  await first.whenProcessed()
  await first.projector.close()
  return { database, log }
}

const all = (code: string, n = 200) => words(`${code}x`, n)

async function idOf(log: EventLog, word: string): Promise<string> {
  for await (const events of log.readAll()) {
    const event = events.find(({ data }) => data === word)
    if (event) return event.metadata.eventId
  }
  throw new Error(`nobody said ${word}`)
}

describe('a projection in the background', () => {
  test('gives at once what there is, and catches up by itself', async () => {
    const log = await openDevice()
    await sayMany(log, 'a', 'x', 100)
    const halting = haltingLog(log, 50)
    const { projector, latest, words: wordsOf, status } = open(halting.log)
    await halting.reached
    expect(await wordsOf('x')).toEqual(all('1', 50))
    expect(await status()).toEqual({
      phase: 'catching-up',
      processedPosition: 50,
      headPosition: 100,
      stoppedAt: [],
      skipped: [],
    })
    const seen = watch(projector, 'lists', 'x')
    halting.goOn()
    await seen.called()
    expect(await latest('x')).toMatchObject({ state: all('1', 100), streamVersion: 100, pending: 100 })
    expect(await status()).toMatchObject({ phase: 'current', processedPosition: 100 })
    await say(log, 'a', 'x101')
    seen.calls()
    await seen.called()
    expect(await wordsOf('x')).toEqual(all('1', 101))
  })

  test('folds what comes without anybody asking, and each event once', async () => {
    const log = await openDevice()
    const lists = open(log)
    await sayMany(log, 'a', 'x', 30)
    await lists.whenProcessed()
    await say(log, 'a', 'x31')
    await lists.whenProcessed()
    expect(lists.folded()).toBe(31)
  })

  test('tells who watches a document when that one changed, and not when others did', async () => {
    const log = await openDevice()
    const lists = open(log)
    const [x, y] = ['x', 'y'].map(id => watch(lists.projector, 'lists', id)) as [
      ReturnType<typeof watch>,
      ReturnType<typeof watch>,
    ]
    await say(log, 'a', 'x1')
    await lists.whenProcessed()
    expect([x.calls(), y.calls()]).toEqual([1, 0])
  })

  test('resumes from its checkpoint after a restart', async () => {
    const { database, log } = await foldedBefore()
    await say(log, 'a', 'x201', 'x202')
    const lists = open(await openDevice(database))
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('1', 202))
    expect(lists.folded()).toBe(2)
    expect(lists.reports).toMatchObject([{ reason: 'tail', from: 200, replayed: 2 }])
  })

  test('is at once what it was at the end of its checkpoint, while it folds the rest', async () => {
    const { database, log } = await foldedBefore()
    await sayMany(log, 'a', 'y', 40)
    const halting = haltingLog(await openDevice(database), 220)
    const lists = open(halting.log)
    await halting.reached
    expect(await lists.words('x')).toEqual(all('1'))
    expect(await lists.status()).toMatchObject({ phase: 'catching-up', processedPosition: 220 })
    halting.goOn()
  })

  test('has a document for each stream where nothing says which document an event belongs to', async () => {
    const log = await openDevice()
    const lists = open(log, { definition: { getDocumentId: undefined as never } })
    await say(log, 'a', 'x1', 'x2')
    await say(log, 'b', 'x3')
    await lists.whenProcessed()
    expect(await lists.words('a')).toEqual(['1x1', '1x2'])
    expect(await lists.words('b')).toEqual(['1x3'])
    expect(await lists.words('x')).toBe(null)
  })

  test('folds no further once it is closed, and writes nothing any more', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await sayMany(log, 'a', 'x', 200)
    const halting = haltingLog(log, 100)
    const lists = open(halting.log)
    await halting.reached
    const closed = lists.projector.close()
    halting.goOn()
    await closed
    // What was read before it went on is folded.
    expect(lists.folded()).toBeLessThan(130)
    const before = [...database.values.keys()]
    await expect(lists.whenProcessed()).rejects.toMatchObject({ code: 'store-closed' })
    expect([...database.values.keys()]).toEqual(before)
  })

  test('gives a document as it was, also one behind an event that is skipped', async () => {
    const log = await openDevice()
    const fails = (word: string) => word === 'x2'
    await say(log, 'a', 'x1', 'x2', 'x3')
    const first = open(log, { fails })
    await expect(first.whenProcessed()).rejects.toMatchObject({ code: 'handler-failed' })
    await first.followers.skip('lists', await idOf(log, 'x2'))
    // Nothing was asked of this one before.
    const lists = openLists(log, { fails, definition: OVER_ALL })
    expect((await lists.projector.at('lists', 'x', { position: 3 }))?.state).toEqual(['1x1', '1x3'])
  })
})

describe('behind a changed handler', () => {
  test('the old state is given until all is folded again; the status says how far that is', async () => {
    const { log } = await foldedBefore()
    const halting = haltingLog(log, 100)
    const lists = open(halting.log, { code: '2' })
    const seen = watch(lists.projector, 'lists', 'x')
    expect(await lists.words('x')).toEqual(all('1'))
    await halting.reached
    expect(await lists.words('x')).toEqual(all('1'))
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding', processedPosition: 100 })
    const processed = lists.whenProcessed(10)
    expect(await Promise.race([processed, 'not yet'])).toBe('not yet')
    expect(seen.calls()).toBe(0)
    halting.goOn()
    await processed
    expect(seen.calls()).toBeGreaterThan(0)
    expect(await lists.words('x')).toEqual(all('2'))
    expect(await lists.status()).toMatchObject({ phase: 'current', processedPosition: 200 })
    expect(lists.folded()).toBe(200)
  })

  test('closed in the middle and opened again, it goes on from there, and gives the old state until it is through', async () => {
    const { database, log } = await foldedBefore()
    const halting = haltingLog(log, 180)
    const interrupted = open(halting.log, { code: '2' })
    await halting.reached
    const closed = interrupted.projector.close()
    halting.goOn()
    await closed
    const again = haltingLog(await openDevice(database), 190)
    const lists = open(again.log, { code: '2' })
    await again.reached
    expect(await lists.words('x')).toEqual(all('1'))
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding', processedPosition: 190 })
    again.goOn()
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('2'))
    // From the snapshot that was made in passing at 160.
    expect(lists.folded()).toBe(40)
  })

  test('once it was through, the old state is never given again', async () => {
    const { database, log } = await foldedBefore()
    const second = open(log, { code: '2' })
    await second.whenProcessed()
    await second.projector.close()
    await sayMany(log, 'a', 'y', 20)
    const halting = haltingLog(await openDevice(database), 210)
    const lists = open(halting.log, { code: '2' })
    expect(await lists.words('x')).toEqual(all('2'))
    await halting.reached
    expect(await lists.status()).toMatchObject({ phase: 'catching-up', processedPosition: 210 })
    halting.goOn()
    await lists.whenProcessed()
    expect(lists.folded()).toBe(20)
  })

  test('it is written down that it was through, however many documents there are', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await sayMany(log, 'a', 'x', 200)
    const definition = { getDocumentId: ({ data }: { data: string }) => data } as never
    for (const code of ['1', '2']) {
      const lists = open(log, { code, definition })
      await lists.whenProcessed()
      await lists.projector.close()
    }
    const lists = open(await openDevice(database), { code: '2', definition })
    await lists.whenProcessed()
    expect(lists.folded()).toBe(0)
    expect(await lists.words('x200')).toEqual(['2x200'])
  })

  test('what is said meanwhile is in the new state, not in the old one', async () => {
    const { log } = await foldedBefore()
    const halting = haltingLog(log, 100)
    const lists = open(halting.log, { code: '2' })
    await halting.reached
    await say(log, 'a', 'x201')
    expect(await lists.words('x')).toEqual(all('1'))
    halting.goOn()
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('2', 201))
  })

  test('that fails in the middle, the old state stays, with the failure, until the application has it go on', async () => {
    const { log } = await foldedBefore()
    let isBroken = true
    const lists = open(log, { code: '2', fails: word => isBroken && word === 'x150' })
    const seen = watch(lists.projector, 'lists', 'x')
    await expect(lists.whenProcessed(160)).rejects.toMatchObject({ code: 'handler-failed' })
    expect(seen.calls()).toBeGreaterThan(0)
    expect(await lists.words('x')).toEqual(all('1'))
    expect(lists.projector.failureOf('lists', 'x')).toMatchObject({ code: 'handler-failed' })
    expect(await lists.status()).toMatchObject({
      phase: 'stopped',
      processedPosition: 149,
      stoppedAt: [{ globalPosition: 150, problem: 'cannot take x150' }],
    })
    // By the new code, that one is not there either.
    await expect(lists.whenProcessed(10)).rejects.toMatchObject({ code: 'handler-failed' })
    isBroken = false
    await lists.followers.resume('lists')
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('2'))
    expect(lists.projector.failureOf('lists', 'x')).toBe(null)
  })

  test.each([
    ['all is confirmed', 0],
    ['the last ones wait', 20],
  ])('how much is pending is right where %s', async (_, waiting) => {
    const database = createMemoryDatabase()
    const [log, server] = [await openDevice(database), await openServer()]
    await sayMany(log, 'a', 'x', 200 - waiting)
    await sync(log, server)
    const first = open(log)
    await first.whenProcessed()
    await sayMany(log, 'a', 'y', waiting)
    await first.whenProcessed()
    await first.projector.close()
    const halting = haltingLog(log, 100)
    const lists = open(halting.log, { code: '2' })
    await halting.reached
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding' })
    expect(await lists.latest('x')).toMatchObject({ state: all('1', 200 - waiting), pending: 0 })
    if (waiting > 0) {
      expect(await lists.latest('y')).toMatchObject({ pending: waiting })
      await push(log, server)
      await pull(log, server)
      expect(await lists.latest('y')).toMatchObject({ pending: 0 })
    }
    halting.goOn()
    await lists.whenProcessed()
    expect(await lists.latest('x')).toMatchObject({ pending: 0, streamVersion: 200 - waiting })
  })

  test('a rebase in the middle leaves the confirmed part of the old state to be given', async () => {
    const database = createMemoryDatabase()
    const [log, server] = [await openDevice(database), await openServer()]
    await sayMany(log, 'a', 'x', 200)
    await sync(log, server)
    const first = open(log)
    await first.whenProcessed()
    await sayMany(log, 'a', 'y', 20)
    await first.whenProcessed()
    await first.projector.close()
    const halting = haltingLog(log, 100)
    const lists = open(halting.log, { code: '2' })
    await halting.reached
    expect(await lists.words('y')).toEqual(words('1y', 20))
    await say(server, 'a', 'z1')
    const seen = watch(lists.projector, 'lists', 'y')
    await pull(log, server)
    expect(seen.calls()).toBeGreaterThan(0)
    expect(await lists.words('y')).toBe(null)
    expect(await lists.latest('x')).toMatchObject({ state: all('1'), pending: 0 })
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding' })
    halting.goOn()
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('2'))
    expect(await lists.words('z')).toEqual(['2z1'])
    expect(await lists.latest('y')).toMatchObject({ state: words('2y', 20), pending: 20 })
  })

  test('what another code left when it was interrupted is not taken for the confirmed part of the old state', async () => {
    const database = createMemoryDatabase()
    const [log, server] = [await openDevice(database), await openServer()]
    await sayMany(log, 'a', 'x', 100)
    await sync(log, server)
    const spaced = { snapshot: { every: 20, keep: { spaced: false } } }
    for (const isFirst of [true, false]) {
      const lists = open(log, { definition: spaced })
      await lists.whenProcessed()
      await lists.projector.close()
      if (isFirst) await sayMany(log, 'a', 'x', 100)
    }
    // All but the last ten are confirmed now.
    await push(log, server, 1)
    while (log.pendingCount() > 10) {
      await push(log, server, 1)
      await pull(log, server)
    }
    const halting = haltingLog(log, 180)
    const interrupted = open(halting.log, { code: '2' })
    await halting.reached
    const closed = interrupted.projector.close()
    halting.goOn()
    await closed
    await say(server, 'a', 'z1')
    const again = haltingLog(log, 50)
    const lists = open(again.log, { code: '3' })
    await again.reached
    await pull(log, server)
    expect(await lists.words('x')).toEqual(all('1', 100))
    again.goOn()
    await lists.whenProcessed()
    expect(await lists.latest('x')).toMatchObject({ streamVersion: 200, pending: 10 })
  })

  test('an amendment in the middle is in the new state; the old one is given until then', async () => {
    const { log } = await foldedBefore()
    const halting = haltingLog(log, 100)
    const lists = open(halting.log, { code: '2' })
    await halting.reached
    const removed = { kind: 'remove', eventId: await idOf(log, 'x7') } as const
    await createEventStore(log).amendStream('a', [removed], { reason: 'a slip' })
    expect(await lists.words('x')).toEqual(all('1'))
    halting.goOn()
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('2').filter(word => word !== '2x7'))
  })

  test('content that is erased in the middle is given no more, neither from the old state nor from what is folded so far', async () => {
    const { log } = await foldedBefore()
    const halting = haltingLog(log, 100)
    const lists = open(halting.log, { code: '2' })
    await halting.reached
    expect(await lists.words('x')).toContain('1x42')
    const seen = watch(lists.projector, 'lists', 'x')
    await log.erasures.erase([await idOf(log, 'x42')])
    expect(seen.calls()).toBeGreaterThan(0)
    const asked = lists.words('x')
    halting.goOn()
    expect(await asked).toEqual(all('2').filter(word => word !== '2x42'))
  })

  test('content that is erased while the old state is fetched is given no more', async () => {
    const { log } = await foldedBefore()
    const secret = await idOf(log, 'x42')
    let isErased = false
    const erasing = foldLogOf(log, {
      async *readAll(options = {}) {
        // Whoever reads one event looks what a snapshot stands on that is not erased as yet.
        if (!isErased && options.from === options.to) {
          isErased = true
          await log.erasures.erase([secret])
        }
        yield* log.readAll(options)
      },
    })
    const lists = open(erasing, { code: '2' })
    expect((await lists.words('x')) ?? []).not.toContain('1x42')
    await lists.whenProcessed()
    expect(isErased).toBe(true)
    expect(await lists.words('x')).toEqual(all('2').filter(word => word !== '2x42'))
  })

  test('what stands of the old state is given where what came behind it was erased before', async () => {
    const { log } = await foldedBefore()
    await log.erasures.erase([await idOf(log, 'x42')])
    const halting = haltingLog(log, 100)
    const lists = open(halting.log, { code: '2' })
    await halting.reached
    expect(await lists.words('x')).toEqual(all('1', 40))
    halting.goOn()
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('2').filter(word => word !== '2x42'))
  })
})

describe('what is taken back', () => {
  test('by an erasure is given no more, however long folding again takes', async () => {
    const log = await openDevice()
    await sayMany(log, 'a', 'x', 140)
    const halting = haltingLog(log, 60)
    const lists = open(halting.log)
    await halting.reached
    await log.erasures.erase([await idOf(log, 'x42')])
    const asked = lists.words('x')
    halting.goOn()
    expect(await asked).toEqual(all('1', 140).filter(word => word !== '1x42'))
    // But for the next block, what comes further on is folded when that was taken back, and only then.
    expect(lists.folded()).toBe(70 + 139)
  })

  test('by an amendment of what is pending is not counted as processed', async () => {
    const [log, server] = [await openDevice(), await openServer()]
    await sayMany(log, 'a', 'x', 50)
    await sync(log, server)
    await sayMany(log, 'a', 'y', 50)
    const halting = haltingLog(log, Infinity)
    const lists = open(halting.log)
    await lists.whenProcessed()
    const head = log.head()
    halting.haltBehind(head - 30)
    const removed = { kind: 'remove', eventId: await idOf(log, 'y2') } as const
    await createEventStore(log).amendStream('a', [removed], { reason: 'a slip' })
    await halting.reached
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding', processedPosition: head - 30 })
    halting.goOn()
    await lists.whenProcessed()
    expect(await lists.latest('y')).toMatchObject({ streamVersion: 49, pending: 49 })
  })

  test('by an amendment is given until all is folded as it is now', async () => {
    const log = await openDevice()
    await sayMany(log, 'a', 'x', 100)
    const halting = haltingLog(log, Infinity)
    const lists = open(halting.log)
    await lists.whenProcessed()
    halting.haltBehind(90)
    const removed = { kind: 'remove', eventId: await idOf(log, 'x42') } as const
    await createEventStore(log).amendStream('a', [removed], { reason: 'a slip' })
    await halting.reached
    expect(await lists.words('x')).toEqual(all('1', 100))
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding' })
    halting.goOn()
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('1', 100).filter(word => word !== '1x42'))
  })

  test('by a rebase is given no more: who asks waits for what is there instead', async () => {
    const [log, server] = [await openDevice(), await openServer()]
    await say(log, 'a', 'x1')
    await sync(log, server)
    await say(log, 'a', 'x-mine')
    const lists = open(log)
    await lists.whenProcessed()
    await say(server, 'a', 'x-theirs')
    await pull(log, server)
    expect(await lists.latest('x')).toMatchObject({ state: ['1x1', '1x-theirs', '1x-mine'], pending: 1 })
  })
})

describe('a rebuild that is asked for', () => {
  test('folds all again while the old state is given', async () => {
    const { log } = await foldedBefore()
    const halting = haltingLog(log, 100)
    const lists = open(halting.log)
    await lists.whenProcessed()
    expect(lists.folded()).toBe(0)
    await lists.followers.rebuild('lists')
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding', processedPosition: 0 })
    await halting.reached
    expect(await lists.latest('x')).toMatchObject({ state: all('1'), pending: 200 })
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding', processedPosition: 100 })
    halting.goOn()
    await lists.whenProcessed()
    expect(await lists.status()).toMatchObject({ phase: 'current', processedPosition: 200 })
    expect(lists.folded()).toBe(200)
    expect(lists.reports.at(-1)).toMatchObject({ from: 0, replayed: 200, converged: false })
  })

  test('and is interrupted goes on after a restart; the old state is given until then', async () => {
    const { database, log } = await foldedBefore()
    const halting = haltingLog(log, 180)
    const interrupted = open(halting.log)
    await interrupted.whenProcessed()
    await interrupted.followers.rebuild('lists')
    await halting.reached
    const closed = interrupted.projector.close()
    halting.goOn()
    await closed
    const again = haltingLog(await openDevice(database), 190)
    const lists = open(again.log)
    await again.reached
    expect(await lists.words('x')).toEqual(all('1'))
    expect(await lists.status()).toMatchObject({ phase: 'rebuilding', processedPosition: 190 })
    again.goOn()
    await lists.whenProcessed()
    expect(lists.folded()).toBe(40)
    await lists.projector.close()
    // Done once, it is done.
    const next = open(await openDevice(database))
    await next.whenProcessed()
    expect(next.folded()).toBe(0)
    expect(await next.words('x')).toEqual(all('1'))
  })

  test('of which nothing is left to read is begun anew: what was folded before is not taken for it', async () => {
    const { database, log } = await foldedBefore()
    const first = open(log)
    await first.followers.rebuild('lists')
    await first.whenProcessed()
    await first.projector.close()
    const key = [...database.values.keys()].find(one => one.startsWith('build/'))!
    database.values.set(
      key,
      database.values.get(key)!.map(byte => byte ^ 1),
    )
    const lists = open(await openDevice(database))
    await lists.whenProcessed()
    expect(lists.folded()).toBe(200)
  })

  test('in the middle of another one gives the state from before the first', async () => {
    const { log } = await foldedBefore()
    const halting = haltingLog(log, 100)
    const lists = open(halting.log, { code: '2' })
    await halting.reached
    const rebuilt = lists.followers.rebuild('lists')
    halting.goOn()
    await rebuilt
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('2'))
    expect(lists.folded()).toBeGreaterThan(300)
  })

  test('of documents that are folded when asked for gives none but the new ones', async () => {
    const { log } = await foldedBefore()
    let suffix = ''
    const definition = {
      ...OVER_ALL,
      evolve: (state: readonly string[], { data }: { data: string }) => [...state, data + suffix],
    } as never
    const lists = openLists(log, { code: 'inline', definition })
    expect(await lists.words('x')).toEqual(words('x', 200))
    suffix = '!'
    await lists.followers.rebuild('lists')
    expect(await lists.words('x')).toEqual(words('x', 200).map(word => `${word}!`))
    expect(await lists.status()).toMatchObject({ phase: 'current', processedPosition: 200 })
  })

  test('of documents of single streams keeps nothing of what was being folded when it was asked for', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await sayMany(log, 'a', 'x', 200)
    let suffix = ''
    const definition = {
      getDocumentId: undefined,
      evolve: (state: readonly string[], { data }: { data: string }) => [...state, data + suffix],
    } as never
    let goOn = () => {}
    const released = new Promise<void>(resolve => {
      goOn = resolve
    })
    let reach = () => {}
    const reached = new Promise<void>(resolve => {
      reach = resolve
    })
    let isFirst = true
    const halting = foldLogOf(log, {
      async *readStream(...args) {
        const holds = isFirst
        isFirst = false
        for await (const events of log.readStream(...args)) {
          yield events.slice(0, 100)
          if (holds) {
            reach()
            await released
          }
          yield events.slice(100)
        }
      },
    })
    const lists = openLists(halting, { definition })
    const asked = lists.words('a')
    await reached
    suffix = '!'
    await lists.followers.rebuild('lists')
    goOn()
    await asked
    await lists.projector.close()
    const next = openLists(await openDevice(database), { definition })
    expect(await next.words('a')).toEqual(words('x', 200).map(word => `${word}!`))
  })
})

describe('a storage that fails', () => {
  test.each([
    ['in the background', IN_BACKGROUND],
    ['for those who watch', OVER_ALL],
  ])('while it folds %s is told to who asks, and it goes on with the next change', async (_, definition) => {
    const log = await openDevice()
    let isBroken = false
    const failing = foldLogOf(log, {
      readAll: options => {
        if (isBroken) throw new StorageFailed('failed', 'no')
        return log.readAll(options)
      },
    })
    const lists = openLists(failing, { definition })
    await say(log, 'a', 'x1', 'y1')
    await lists.whenProcessed()
    const seen = watch(lists.projector, 'lists', 'y')
    isBroken = true
    await say(log, 'a', 'x2')
    await seen.called()
    await expect(lists.latest('y')).rejects.toMatchObject({ code: 'storage-failed' })
    await expect(lists.whenProcessed()).rejects.toMatchObject({ code: 'storage-failed' })
    isBroken = false
    seen.calls()
    await say(log, 'a', 'x3')
    // Who was told of the failure is told of its end, too.
    await seen.called()
    expect(await lists.words('y')).toEqual(['1y1'])
    expect(await lists.words('x')).toEqual(['1x1', '1x2', '1x3'])
  })

  test('when it begins is told to who asks; who asks again has it try again', async () => {
    const { log } = await foldedBefore()
    let isBroken = true
    const storage: EventLog['storage'] = {
      ...log.storage,
      get: key => log.storage.get(key),
      keys: (...args) => log.storage.keys(...args),
      put: values => log.storage.put(values),
      swap: (...args) => log.storage.swap(...args),
      list: prefix =>
        isBroken ? Promise.reject(new StorageFailed('failed', 'no')) : log.storage.list(prefix),
    }
    const lists = open(foldLogOf(log, { storage }))
    await expect(lists.latest('x')).rejects.toMatchObject({ code: 'storage-failed' })
    isBroken = false
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('1'))
  })
})

test.each([
  ['in the background', IN_BACKGROUND],
  ['for those who ask', OVER_ALL],
])(
  'where the storage fails while it takes back what was amended, what is folded %s is right later on',
  async (_, definition) => {
    const [log, server] = [await openDevice(), await openServer()]
    await sayMany(log, 'a', 'x', 100)
    await sync(log, server)
    let isBroken = false
    let refused = 0
    const { storage } = log
    const failing: EventLog['storage'] = {
      async get(key) {
        if (!isBroken) return storage.get(key)
        refused++
        throw new StorageFailed('failed', 'no')
      },
      list: prefix => storage.list(prefix),
      keys: (...args) => storage.keys(...args),
      put: values => storage.put(values),
      swap: (...args) => storage.swap(...args),
    }
    const lists = openLists(foldLogOf(log, { storage: failing }), { definition })
    await lists.whenProcessed()
    const removed = { kind: 'remove', eventId: await idOf(log, 'x7') } as const
    isBroken = true
    await createEventStore(log).amendStream('a', [removed], { reason: 'a slip' })
    await lists.whenProcessed().catch(() => {})
    expect(refused).toBeGreaterThan(0)
    isBroken = false
    await say(log, 'a', 'x101')
    await lists.whenProcessed()
    expect(await lists.words('x')).toEqual(all('1', 101).filter(word => word !== '1x7'))
  },
)

test('a fold that stopped tells all who watch, and again when it goes on', async () => {
  const log = await openDevice()
  let isBroken = true
  const fails = (word: string) => isBroken && word === 'x1'
  for (const definition of [OVER_ALL, IN_BACKGROUND]) {
    isBroken = true
    const lists = openLists(log, { fails, definition })
    await lists.latest('y')
    const seen = watch(lists.projector, 'lists', 'y')
    await say(log, 'a', 'x1')
    await seen.called()
    expect(await lists.words('y')).toBe(null)
    expect(lists.projector.failureOf('lists', 'y')).toMatchObject({ code: 'handler-failed' })
    isBroken = false
    seen.calls()
    await lists.followers.resume('lists')
    await seen.called()
    await lists.whenProcessed()
    expect(lists.projector.failureOf('lists', 'y')).toBe(null)
  }
})
