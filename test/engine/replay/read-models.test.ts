// Rows of read models are what the log says, whatever happens to it, and to who writes them.

import 'fake-indexeddb/auto'
import Dexie from 'dexie'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { dexieRows, readModelStores, shownTable } from '../../../src/dexie/index.ts'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import type { FoldLog } from '../../../src/engine/replay/fold.ts'
import { Followers } from '../../../src/engine/replay/followers.ts'
import { openReadModels, type ReadModels } from '../../../src/engine/replay/read-models.ts'
import type { HandlerFailure } from '../../../src/engine/replay/report-once.ts'
import type { Event } from '../../../src/log/event.ts'
import type { ReadModelDefinition } from '../../../src/model/read-model.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { append, foldLogOf, interruptOnce, openDevice, openServer, pull, push, sync } from './replicas.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 240_000 })

type Word = Readonly<{ id: string; n: number; last: string }>
type Said = Event<'Said', { word: string }>
type Forgot = Event<'Forgot', { word: string }>
type Shifted = Event<'Shifted', { by: number }>

const tables = { words: 'id, last' }

/** Counts words, and remembers in which stream each came last. */
function wordsOf({
  step = 1,
  fails = () => false as boolean,
} = {}): ReadModelDefinition<{ words: Word }, Said | Forgot | Shifted> {
  return {
    tables,
    canHandle: ['Said', 'Forgot', 'Shifted'],
    evolve: {
      Said: ({ words }, { data: { word }, metadata }) => {
        if (word === 'bad' && fails()) throw new Error('cannot')
        words.upsert(word, row => ({ id: word, n: (row?.n ?? 0) + step, last: metadata.streamName }))
      },
      Forgot: ({ words }, { data: { word } }) => words.delete(word),
      // By an index: of all words that came last in this stream.
      Shifted: ({ words }, { data: { by }, metadata }) =>
        words.updateWhere('last', metadata.streamName, row =>
          row.n + by > 0 ? { ...row, n: row.n + by } : null,
        ),
    },
    handlerCode: {
      hasher: 1,
      base: '',
      handlers: { Said: `said ${step}`, Forgot: 'forgot', Shifted: 'shifted' },
    },
  }
}

/** What the rows have to be: folded here, by the order in which events count. */
async function expectedOf(log: EventLog, step = 1, skipped: readonly string[] = []): Promise<Word[]> {
  const rows = new Map<string, Word>()
  for await (const { type, data, metadata } of createEventStore(log).readAll()) {
    const { word = '', by = 0 } = data as Partial<Said['data'] & Shifted['data']>
    const { streamName: last, eventId } = metadata
    if (skipped.includes(eventId)) continue
    if (type === 'Said') rows.set(word, { id: word, n: (rows.get(word)?.n ?? 0) + step, last })
    else if (type === 'Forgot') rows.delete(word)
    else if (type === 'Shifted') {
      for (const row of [...rows.values()].filter(one => one.last === last)) {
        if (row.n + by > 0) rows.set(row.id, { ...row, n: row.n + by })
        else rows.delete(row.id)
      }
    }
  }
  return [...rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}

let databases = 0
const freshName = () => `rows-${++databases}`

function databaseNamed(name: string): Dexie {
  const db = new Dexie(name)
  db.version(1).stores(readModelStores(tables))
  return db
}

const opened: ReadModels[] = []
afterEach(() => Promise.all(opened.splice(0).map(one => one.close())))

/** A tab that writes the rows. */
async function openWords(log: FoldLog, name: string, definition = wordsOf(), mostTakenBack = 10_000) {
  const failures: HandlerFailure[] = []
  const errors: unknown[] = []
  const models = await openReadModels({
    log,
    rows: dexieRows(databaseNamed(name)),
    models: { words: definition },
    mostTakenBack,
    onHandlerFailed: failure => failures.push(failure),
    onError: error => errors.push(error),
  })
  opened.push(models)
  const followers = new Followers({ log, followers: models.followers })
  return { models, followers, failures, errors, close: () => models.close() }
}

async function rowsIn(name: string): Promise<Word[]> {
  const db = databaseNamed(name)
  const table = await shownTable<Word>(db, 'words')
  const rows = await table.orderBy('id').toArray()
  db.close()
  return rows
}

const said = (word: string) => ({ type: 'Said', data: { word } })
const forgot = (word: string) => ({ type: 'Forgot', data: { word } })
const shifted = (by: number) => ({ type: 'Shifted', data: { by } })

async function idsIn(log: EventLog): Promise<string[]> {
  const ids: string[] = []
  for await (const { metadata } of createEventStore(log).readAll()) ids.push(metadata.eventId)
  return ids
}

describe('rows', () => {
  test('follow the log, and hold what is not confirmed', async () => {
    const [log, name] = [await openDevice(), freshName()]
    const { models, followers } = await openWords(log, name)
    await append(log, 'a', said('tea'), said('milk'), said('tea'))
    await append(log, 'b', said('milk'), shifted(5), { type: 'Other', data: null })
    await models.process()
    expect(await rowsIn(name)).toEqual([
      { id: 'milk', n: 7, last: 'b' },
      { id: 'tea', n: 2, last: 'a' },
    ])
    expect(await followers.status('words')).toEqual({
      phase: 'current',
      processedPosition: 6,
      headPosition: 6,
      stoppedAt: [],
      skipped: [],
    })
  })

  test('are gone on with after a restart, and not made again', async () => {
    const [database, name] = [createMemoryDatabase(), freshName()]
    let handled = 0
    const counted = () => {
      handled++
      return false
    }
    const definition = wordsOf({ fails: counted })
    const first = await openDevice(database)
    const before = await openWords(first, name, definition)
    await append(first, 'a', said('bad'), said('bad'))
    await before.models.process()
    await before.close()
    await append(first, 'a', said('bad'))
    await first.close()
    const log = await openDevice(database)
    const { models } = await openWords(log, name, definition)
    await models.process()
    expect(handled).toBe(3)
    expect(await rowsIn(name)).toEqual([{ id: 'bad', n: 3, last: 'a' }])
  })

  test('of two tabs that write at once are written once', async () => {
    const [database, name] = [createMemoryDatabase(), freshName()]
    const logs = [await openDevice(database), await openDevice(database)] as const
    const tabs = await Promise.all(logs.map(log => openWords(log, name)))
    for (let round = 0; round < 20; round++) {
      await append(logs[round % 2]!, 'a', said('tea'), shifted(1))
      await logs[(round + 1) % 2]!.catchUp()
      await Promise.all(tabs.map(({ models }) => models.process()))
    }
    expect(await rowsIn(name)).toEqual(await expectedOf(logs[0]))
    expect(await rowsIn(name)).toEqual([{ id: 'tea', n: 40, last: 'a' }])
  })

  test('what a rebase took back is taken back, by before-images and not from the first event', async () => {
    const [log, server, name] = [await openDevice(), await openServer(), freshName()]
    let handled = 0
    const { models } = await openWords(
      log,
      name,
      wordsOf({
        fails: () => {
          handled++
          return false
        },
      }),
    )
    await append(log, 'a', ...Array.from({ length: 50 }, () => said('bad')))
    await sync(log, server)
    await models.process()
    await append(log, 'a', said('bad'), forgot('bad'))
    await models.process()
    expect(await rowsIn(name)).toEqual([])
    await append(server, 'a', said('theirs'))
    handled = 0
    await pull(log, server)
    await models.process()
    expect(await rowsIn(name)).toEqual([{ id: 'theirs', n: 1, last: 'a' }])
    expect(handled).toBe(1)
    await push(log, server)
    await pull(log, server)
    await models.process()
    expect(await rowsIn(name)).toEqual(await expectedOf(log))
  })

  test('a changed handler has them made anew aside, and those from before are shown until then', async () => {
    const [database, name] = [createMemoryDatabase(), freshName()]
    const log = await openDevice(database)
    const before = await openWords(log, name)
    await append(log, 'a', said('tea'), said('tea'))
    await before.models.process()
    await before.close()
    const seen: unknown[] = []
    const watched = foldLogOf(log, {
      readAll: interruptOnce(
        (...args: Parameters<EventLog['readAll']>) => log.readAll(...args),
        async () => {
          seen.push(await rowsIn(name))
        },
      ),
    })
    const after = await openWords(watched, name, wordsOf({ step: 10 }))
    await after.models.process()
    expect(seen).toEqual([[{ id: 'tea', n: 2, last: 'a' }]])
    expect(await rowsIn(name)).toEqual([{ id: 'tea', n: 20, last: 'a' }])
    expect((await after.followers.status('words')).phase).toBe('current')
  })

  test('a changed handler of a type that never came changes nothing', async () => {
    const [log, name] = [await openDevice(), freshName()]
    const first = await openWords(log, name)
    await append(log, 'a', shifted(1))
    await first.models.process()
    await first.close()
    let reads = 0
    const counting = foldLogOf(log, {
      readAll: options => {
        if ((options?.from ?? 1) === 1 && options?.to !== 1) reads++
        return log.readAll(options)
      },
    })
    const second = await openWords(counting, name, wordsOf({ step: 10 }))
    await second.models.process()
    expect(reads).toBe(0)
  })

  test('are kept by the tab that was opened last, where two have other handlers', async () => {
    const [database, name] = [createMemoryDatabase(), freshName()]
    const logs = [await openDevice(database), await openDevice(database)] as const
    const old = await openWords(logs[0], name)
    await append(logs[0], 'a', said('tea'))
    await old.models.process()
    const later = await openWords(logs[1], name, wordsOf({ step: 10 }))
    await Promise.all([later.models.process(), old.models.process()])
    await append(logs[0], 'a', said('tea'))
    await logs[1].catchUp()
    await Promise.all([later.models.process(), old.models.process()])
    expect(await rowsIn(name)).toEqual([{ id: 'tea', n: 20, last: 'a' }])
    await old.models.process()
    expect(await old.followers.status('words')).toMatchObject({ phase: 'taken-over', processedPosition: 2 })
    expect((await later.followers.status('words')).phase).toBe('current')
    const progress = async () => {
      const db = databaseNamed(name)
      const [record] = await db.table('readModels$progress').toArray()
      db.close()
      return record.switches
    }
    const switches = await progress()
    await Promise.all([later.models.process(), old.models.process()])
    expect(await progress()).toBe(switches)
  })

  test('what was erased is in no table when the rows are as the log says', async () => {
    const [log, server, name] = [await openDevice(), await openServer(), freshName()]
    const { models } = await openWords(log, name)
    await append(log, 'a', said('secret'), said('tea'))
    await sync(log, server)
    await append(log, 'a', said('secret'), said('hidden'))
    await models.process()
    const ids = await idsIn(log)
    await log.erasures.erase([ids[0]!, ids[2]!, ids[3]!])
    await models.process()
    expect(await rowsIn(name)).toEqual([{ id: 'tea', n: 1, last: 'a' }])
    const db = databaseNamed(name)
    await db.open()
    const everything = JSON.stringify(await Promise.all(db.tables.map(table => table.toArray())))
    db.close()
    expect(everything).toContain('tea')
    expect(everything).not.toContain('hidden')
    expect(everything).not.toContain('secret')
  })

  test('a healed block has all rows made anew', async () => {
    const [log, name] = [await openDevice(), freshName()]
    let tell: (healed: Parameters<Parameters<EventLog['onChange']>[0]>[0]) => void = () => {}
    const { models } = await openWords(
      foldLogOf(log, {
        onChange: (listener, signal) => {
          tell = listener
          log.onChange(listener, signal)
        },
      }),
      name,
    )
    await append(log, 'a', said('tea'))
    await models.process()
    const db = databaseNamed(name)
    await (await shownTable<Word>(db, 'words')).put({ id: 'forged', n: 1, last: 'a' })
    db.close()
    const nothing = { supersededFrom: null, amendedFrom: null, unconfirmedFrom: null, erasedFrom: null }
    tell({ after: 1, head: 1, ...nothing, healedFrom: 1, cursor: log.cursor() })
    await models.process()
    expect(await rowsIn(name)).toEqual([{ id: 'tea', n: 1, last: 'a' }])
  })

  test('of another log are made anew, and so are those whose progress nobody can read', async () => {
    const name = freshName()
    const other = await openDevice()
    const before = await openWords(other, name)
    await append(other, 'a', said('theirs'))
    await before.models.process()
    await before.close()
    const log = await openDevice()
    await append(log, 'a', said('ours'))
    const mine = await openWords(log, name)
    await mine.models.process()
    expect(await rowsIn(name)).toEqual([{ id: 'ours', n: 1, last: 'a' }])
    await mine.close()
    const db = databaseNamed(name)
    await db
      .table('readModels$progress')
      .toCollection()
      .modify(record => {
        record.shown.progress = 'nonsense'
      })
    db.close()
    const again = await openWords(log, name)
    await again.models.process()
    expect(await rowsIn(name)).toEqual([{ id: 'ours', n: 1, last: 'a' }])
  })
})

describe('a handler that fails', () => {
  test('stops the rows before its event; what came before is there, and it can be tried again', async () => {
    const [log, name] = [await openDevice(), freshName()]
    let isBroken = true
    const { models, followers, failures } = await openWords(log, name, wordsOf({ fails: () => isBroken }))
    await append(log, 'a', said('tea'), said('bad'), said('tea'))
    await models.process()
    expect(await rowsIn(name)).toEqual([{ id: 'tea', n: 1, last: 'a' }])
    const status = await followers.status('words')
    expect(status).toMatchObject({ phase: 'stopped', processedPosition: 1 })
    expect(status.stoppedAt).toMatchObject([
      { type: 'Said', streamName: 'a', globalPosition: 2, problem: 'cannot' },
    ])
    await append(log, 'a', said('milk'))
    await models.process()
    expect(failures).toHaveLength(1)
    isBroken = false
    await followers.resume('words')
    expect(await rowsIn(name)).toEqual(await expectedOf(log))
  })

  test('stops them where a function that it passed on fails with the row', async () => {
    const [log, name] = [await openDevice(), freshName()]
    const definition = wordsOf()
    const { Said: add } = definition.evolve
    const picky: typeof definition = {
      ...definition,
      evolve: {
        ...definition.evolve,
        Said: (rows, event) => {
          add!(rows, event)
          rows.words.update(event.data.word, row => {
            if (row.n === 3) throw new Error('thrice')
            return row
          })
        },
      },
    }
    const { models, followers } = await openWords(log, name, picky)
    await append(log, 'a', said('tea'))
    await models.process()
    await append(log, 'a', said('tea'), said('tea'), said('tea'))
    await models.process()
    expect(await rowsIn(name)).toEqual([{ id: 'tea', n: 2, last: 'a' }])
    expect((await followers.status('words')).stoppedAt).toMatchObject([
      { globalPosition: 3, problem: 'thrice' },
    ])
  })

  test('can be passed by, until it is mended', async () => {
    const [log, name] = [await openDevice(), freshName()]
    const broken = wordsOf({ fails: () => true })
    const first = await openWords(log, name, broken)
    await append(log, 'a', said('tea'), said('bad'), said('milk'))
    await first.models.process()
    const [stopped] = (await first.followers.status('words')).stoppedAt
    const { eventId } = stopped!
    await first.followers.skip('words', eventId)
    expect(await rowsIn(name)).toEqual(await expectedOf(log, 1, [eventId]))
    expect((await first.followers.status('words')).skipped).toMatchObject([{ eventId, type: 'Said' }])
    await first.close()
    const again = await openWords(log, name, broken)
    await again.models.process()
    expect(again.failures).toEqual([])
    await again.close()
    const mended = await openWords(log, name, wordsOf({ step: 2 }))
    await mended.models.process()
    expect(await rowsIn(name)).toEqual(await expectedOf(log, 2))
  })

  test('while all is made anew leaves those from before, but not where something of them was erased', async () => {
    const [log, name] = [await openDevice(), freshName()]
    const first = await openWords(log, name)
    await append(log, 'a', said('secret'), said('bad'), said('tea'))
    await first.models.process()
    await first.close()
    const broken = await openWords(log, name, wordsOf({ step: 2, fails: () => true }))
    await broken.models.process()
    expect(await rowsIn(name)).toEqual(await expectedOf(log))
    const [id] = await idsIn(log)
    await log.erasures.erase([id!])
    await broken.models.process()
    expect(await rowsIn(name)).toEqual([])
    expect((await broken.followers.status('words')).phase).toBe('stopped')
  })
})

test('whatever happens, the rows are what the log says', async () => {
  const word = fc.constantFrom('tea', 'milk', 'bad', 'salt')
  const event = fc.oneof(
    { weight: 4, arbitrary: word.map(said) },
    word.map(forgot),
    fc.integer({ min: -2, max: 3 }).map(shifted),
  )
  const stream = fc.constantFrom('a', 'b')
  const act = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        does: fc.constant('append' as const),
        stream,
        events: fc.array(event, { minLength: 1, maxLength: 6 }),
      }),
    },
    ...(['sync', 'process', 'restart', 'rebuild', 'both'] as const).map(does =>
      fc.record({ does: fc.constant(does) }),
    ),
    fc.record({ does: fc.constant('race' as const), stream, event }),
    fc.record({ does: fc.constant('erase' as const), which: fc.nat() }),
    fc.record({
      does: fc.constant('amend' as const),
      which: fc.nat(),
      kind: fc.constantFrom('remove' as const, 'move' as const, 'replace' as const, 'insert' as const),
      event,
    }),
    fc.record({ does: fc.constant('release' as const), step: fc.constantFrom(1, 2) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 3, maxLength: 14 }),
      fc.constantFrom(1, 10_000),
      async (acts, mostTakenBack) => {
        const [database, name, server] = [createMemoryDatabase(), freshName(), await openServer()]
        let log = await openDevice(database)
        let step = 1
        let words = await openWords(log, name, wordsOf(), mostTakenBack)
        const reopen = async () => {
          await words.close()
          await log.close()
          log = await openDevice(database)
          words = await openWords(log, name, wordsOf({ step }), mostTakenBack)
        }
        for (const one of acts) {
          switch (one.does) {
            case 'append':
              await append(log, one.stream, ...one.events)
              break
            case 'process':
              await words.models.process()
              break
            case 'sync':
              await sync(log, server)
              break
            case 'race':
              await append(server, one.stream, one.event)
              await pull(log, server)
              break
            case 'restart':
              await reopen()
              break
            case 'release':
              step = one.step
              await reopen()
              break
            case 'both': {
              const otherLog = await openDevice(database)
              const other = await openWords(otherLog, name, wordsOf({ step }), mostTakenBack)
              await Promise.all([words.models.process(), other.models.process()])
              expect(other.errors).toEqual([])
              await other.close()
              await otherLog.close()
              break
            }
            case 'rebuild':
              await words.followers.rebuild('words')
              break
            default: {
              const ids = await idsIn(log)
              const eventId = ids[one.which % ids.length]
              if (eventId === undefined) break
              if (one.does === 'erase') await log.erasures.erase([eventId])
              else await amend(log, eventId, one)
            }
          }
        }
        await words.models.process()
        expect(words.failures).toEqual([])
        expect(words.errors).toEqual([])
        expect(await rowsIn(name)).toEqual(await expectedOf(log, step))
        expect((await words.followers.status('words')).phase).toBe('current')
        await words.close()
        await log.close()
      },
    ),
    { numRuns: 300 },
  )
})

async function amend(
  log: EventLog,
  eventId: string,
  { kind, event }: Readonly<{ kind: 'remove' | 'move' | 'replace' | 'insert'; event: Event }>,
): Promise<void> {
  const store = createEventStore(log)
  let streamName = ''
  for await (const { metadata } of store.readAll()) {
    if (metadata.eventId === eventId) streamName = metadata.streamName
  }
  const changes = {
    remove: { kind: 'remove', eventId },
    move: { kind: 'move', eventId, after: null },
    replace: { kind: 'replace', eventId, event },
    insert: { kind: 'insert', after: eventId, event },
  } as const
  await store.amendStream(streamName, [changes[kind]], { reason: 'a test' })
}
