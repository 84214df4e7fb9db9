// An exported log takes the place of another one as a whole, or nothing happens.

import { beforeAll, describe, expect, test } from 'vitest'
import { importLog } from '../../../src/engine/backup/import-log.ts'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { openLog } from '../../../src/engine/open-log.ts'
import { type LogFileHead, logFileStart, readLogFile } from '../../../src/integrity/log-file.ts'
import { StorageFailed } from '../../../src/log/errors.ts'
import { newEventId } from '../../../src/log/event-id.ts'
import { createSha256 } from '../../../src/log/sha256/create-sha256.ts'
import type { ImportProgress } from '../../../src/model/import.ts'
import type { LogStorage } from '../../../src/storage/log-storage.ts'
import {
  createMemoryDatabase,
  type MemoryDatabase,
  memoryStorage,
} from '../../../src/storage/memory/index.ts'
import { exported } from '../../support/exported-log.ts'
import { wrapStorage } from '../../support/wrap-storage.ts'

const STORE = 'shop'
const hash = await createSha256()

const open = (database: MemoryDatabase, storeId = STORE): Promise<EventLog> =>
  openLog({ storage: memoryStorage({ database }), storeId })

const say = (log: EventLog, streamName: string, ...texts: string[]) =>
  createEventStore(log).appendToStream(
    streamName,
    texts.map(data => ({ type: 'Said', data })),
  )

async function textsIn(log: EventLog): Promise<unknown[]> {
  const texts: unknown[] = []
  for await (const { data } of createEventStore(log).readAll()) texts.push(data)
  return texts
}

async function databaseWith(...texts: string[]): Promise<MemoryDatabase> {
  const database = createMemoryDatabase()
  const log = await open(database)
  for (const text of texts) await say(log, 'a', text)
  await log.close()
  return database
}

async function fileOf(database: MemoryDatabase, storeId = STORE): Promise<Buffer<ArrayBuffer>> {
  const log = await open(database, storeId)
  const file = await exported(log)
  await log.close()
  return file
}

type Wish = Readonly<{
  replace?: boolean
  storage?: LogStorage
  onProgress?: (progress: ImportProgress) => void
  signal?: AbortSignal
}>

function take(file: Uint8Array<ArrayBuffer>, database: MemoryDatabase, wish: Wish = {}): Promise<void> {
  return importLog({
    storage: memoryStorage({ database }),
    storeId: STORE,
    hash,
    file: new Blob([file]),
    replace: false,
    onProgress: () => {},
    signal: new AbortController().signal,
    ...wish,
  })
}

/** All that is stored, to be compared. */
const contentOf = ({ blocks, values }: MemoryDatabase) => structuredClone({ blocks, values })

let file: Buffer<ArrayBuffer>
beforeAll(async () => {
  file = await fileOf(await databaseWith('one', 'two', 'three'))
})

describe('a log that is imported', () => {
  test('is the one that was exported, to its root', async () => {
    const original = await databaseWith('one', 'two')
    const database = createMemoryDatabase()
    await take(await fileOf(original), database)
    const [before, log] = [await open(original), await open(database)]
    const [expected, report] = [await before.verify(), await log.verify()]
    expect(report).toMatchObject({ ok: true, rootHash: (expected as { rootHash: string }).rootHash })
    expect(log.pendingCount()).toBe(2)
    await say(log, 'a', 'three')
    expect(await textsIn(log)).toEqual(['one', 'two', 'three'])
    for (const one of [before, log]) await one.close()
  })

  test('of nothing is empty', async () => {
    const database = createMemoryDatabase()
    await take(await fileOf(createMemoryDatabase()), database)
    expect(database.blocks).toEqual([])
  })

  test('tells how far it is: first what is verified, then what is written', async () => {
    const told: ImportProgress[] = []
    await take(file, createMemoryDatabase(), { onProgress: progress => told.push(progress) })
    expect(told).toEqual([
      { phase: 'verifying', done: 3, total: 3 },
      { phase: 'writing', done: 3, total: 3 },
    ])
  })

  test('takes the place of events only where that is asked for, and what would go is said', async () => {
    const database = await databaseWith('mine', 'mine, too')
    const before = contentOf(database)
    await expect(take(file, database)).rejects.toMatchObject({
      code: 'import-refused',
      facts: { problem: 'not-empty', pending: 2, head: 2 },
    })
    expect(contentOf(database).blocks).toEqual(before.blocks)
    await take(file, database, { replace: true })
    const log = await open(database)
    expect(await textsIn(log)).toEqual(['one', 'two', 'three'])
    expect(await log.verify()).toMatchObject({ ok: true })
    await log.close()
  })

  test('takes the place of a log without an event, whatever the store noted for itself', async () => {
    const database = createMemoryDatabase()
    const empty = await open(database)
    await empty.recordVerdict({
      id: newEventId(),
      finding: 'wiped',
      action: 'went-on',
      at: 1,
      atRisk: { events: 3, unsynced: 3, bytes: null },
      detail: 'The log had 3 entries, and has 0',
      foundAt: 1,
    })
    await empty.close()
    expect(database.blocks).toHaveLength(1)
    await take(file, database)
    const log = await open(database)
    expect(await textsIn(log)).toEqual(['one', 'two', 'three'])
    expect([...database.values.keys()].filter(key => key.startsWith('verdict/'))).toHaveLength(1)
    await log.close()
  })

  test('takes the place of one that cannot be read any more', async () => {
    const database = await databaseWith('lost')
    database.values.clear()
    database.blocks[0] = { ...database.blocks[0]!, bytes: new Uint8Array(50) }
    await expect(take(file, database)).rejects.toMatchObject({
      facts: { problem: 'not-empty', pending: null },
    })
    await take(file, database, { replace: true })
    const log = await open(database)
    expect(await textsIn(log)).toEqual(['one', 'two', 'three'])
    await log.close()
  })

  test('is refused where another tab wrote meanwhile, and nothing of that is lost', async () => {
    const database = await databaseWith('mine')
    const inner = memoryStorage({ database })
    const storage = wrapStorage(inner, {
      resetToStaged: async (...args) => {
        const other = await open(database)
        await say(other, 'a', 'and this')
        await other.close()
        return inner.resetToStaged!(...args)
      },
    })
    await expect(take(file, database, { storage, replace: true })).rejects.toMatchObject({
      code: 'import-refused',
      facts: { problem: 'in-use' },
    })
    const log = await open(database)
    expect(await textsIn(log)).toEqual(['mine', 'and this'])
    expect([...database.values.keys()].filter(key => key.startsWith('import/'))).toEqual([])
    await log.close()
  })
})

describe('a file that does not hold', () => {
  const refused = (problem: string) => ({ code: 'import-refused', facts: { problem } })

  /** The file with another head, whose digest is mended. */
  async function withHead(bytes: Buffer<ArrayBuffer>, change: Partial<LogFileHead>) {
    const { head, blocks } = await readLogFile(new Blob([bytes]), hash)
    return Buffer.concat([logFileStart({ ...head, ...change }, hash), bytes.subarray(blocks[0]!.start - 4)])
  }

  test('is refused with any byte changed, and nothing is written', async () => {
    const database = createMemoryDatabase()
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file)
      changed[at]! ^= 1
      const error = await take(changed, database).then(
        () => null,
        failure => failure,
      )
      const codes = ['import-refused', 'unsupported-format']
      expect(codes, `byte ${at}`).toContain(error?.code)
      expect([database.blocks, [...database.values]], `byte ${at}`).toEqual([[], []])
    }
  })

  test('is refused where it was cut off, or goes on', async () => {
    const database = createMemoryDatabase()
    for (let length = 0; length < file.length; length += 7) {
      await expect(take(file.subarray(0, length), database)).rejects.toMatchObject(refused('damaged'))
    }
    const longer = Buffer.concat([file, Buffer.of(0)])
    await expect(take(longer, database)).rejects.toMatchObject(refused('damaged'))
    expect([database.blocks, [...database.values]]).toEqual([[], []])
  })

  test('is refused with the place of what was changed', async () => {
    const changed = Buffer.from(file)
    changed[changed.indexOf('"two"') + 1]! ^= 1
    await expect(take(changed, createMemoryDatabase())).rejects.toMatchObject({
      code: 'import-refused',
      message: expect.stringContaining('position 2'),
    })
  })

  test('is refused when it is of another store, also where its head says it is not', async () => {
    const database = createMemoryDatabase()
    const log = await open(database, 'stop')
    await say(log, 'a', 'theirs')
    await log.close()
    const foreign = await fileOf(database, 'stop')
    await expect(take(foreign, createMemoryDatabase())).rejects.toMatchObject({
      facts: { problem: 'other-store', fileStoreId: 'stop', storeId: STORE },
    })
    const renamed = await withHead(foreign, { storeId: STORE })
    await expect(take(renamed, createMemoryDatabase())).rejects.toMatchObject({
      facts: { problem: 'damaged', at: 1 },
    })
  })

  test('is refused when its head says something else of what is pending', async () => {
    for (const lie of [{ pending: 2 }, { confirmedThrough: 1 }, { size: 2 }]) {
      const forged = await withHead(file, lie)
      await expect(take(forged, createMemoryDatabase())).rejects.toMatchObject(refused('damaged'))
    }
  })

  test('is refused when it was changed between its verification and its copying', async () => {
    const database = createMemoryDatabase()
    const inner = memoryStorage({ database })
    let at = 0
    const changing = new Blob([file])
    const slice = changing.slice.bind(changing)
    let isVerified = false
    changing.slice = (...args) => {
      if (!isVerified) return slice(...args)
      const other = Buffer.from(file)
      at = other.indexOf('"two"') + 1
      other[at]! ^= 1
      return new Blob([other]).slice(...args)
    }
    const storage = wrapStorage(inner, {
      open: () => {
        isVerified = true
        return inner.open()
      },
    })
    const importing = importLog({
      storage,
      storeId: STORE,
      hash,
      file: changing,
      replace: false,
      onProgress: () => {},
      signal: new AbortController().signal,
    })
    await expect(importing).rejects.toMatchObject(refused('damaged'))
    expect(at).toBeGreaterThan(0)
    expect([database.blocks, [...database.values.keys()].filter(key => key.startsWith('import/'))]).toEqual([
      [],
      [],
    ])
  })

  test('is nothing for a storage that is nobody’s device', async () => {
    const { resetToStaged: _, ...others } = wrapStorage(memoryStorage(), {})
    await expect(take(file, createMemoryDatabase(), { storage: others })).rejects.toMatchObject(
      refused('no-device'),
    )
  })
})

describe('an import that ends early', () => {
  /** Some blocks, so that there is something to be half done. */
  async function largeFile(): Promise<Buffer<ArrayBuffer>> {
    const database = createMemoryDatabase()
    const log = await open(database)
    for (let n = 0; n < 4; n++) await say(log, `s-${n}`, 'x'.repeat(700_000))
    await log.close()
    return fileOf(database)
  }

  test('by an abort leaves the store as it was, and says so', async () => {
    const large = await largeFile()
    for (const phase of ['verifying', 'writing'] as const) {
      const database = await databaseWith('mine')
      const before = contentOf(database).blocks
      const aborting = new AbortController()
      const onProgress = (progress: ImportProgress) => progress.phase === phase && aborting.abort()
      await expect(
        take(large, database, { replace: true, onProgress, signal: aborting.signal }),
      ).rejects.toMatchObject({ code: 'aborted' })
      expect(database.blocks).toEqual(before)
      expect([...database.values.keys()].filter(key => key.startsWith('import/'))).toEqual([])
    }
  })

  test('by a crash at any call to the storage leaves the store as it was, or as it is in the file', async () => {
    const large = await largeFile()
    const seen = { old: 0, new: 0 }
    for (let callsLeft = 0, isDone = false; !isDone; callsLeft++) {
      for (const isAfter of [false, true]) {
        const database = await databaseWith('mine')
        const crash = await crashingAfter(callsLeft, isAfter, database)
        const outcome = await take(large, database, { replace: true, storage: crash.storage }).then(
          () => 'done',
          () => 'crashed',
        )
        if (outcome === 'done') isDone = true
        const log = await open(database)
        const texts = await textsIn(log)
        expect([1, 4]).toContain(texts.length)
        if (texts.length === 1) expect(texts).toEqual(['mine'])
        expect(outcome === 'done' ? texts.length : 4).toBe(4)
        expect(await log.verify()).toMatchObject({ ok: true })
        seen[texts.length === 1 ? 'old' : 'new']++
        await log.close()
        // Nor is the way barred for the next one.
        await take(large, database, { replace: true })
        expect([...database.values.keys()].filter(key => key.startsWith('import/'))).toEqual([])
      }
    }
    expect(seen.old).toBeGreaterThan(10)
    expect(seen.new).toBeGreaterThan(1)
  })

  /** Does nothing any more behind so many calls; the last one is done, or not. */
  async function crashingAfter(calls: number, isAfter: boolean, database: MemoryDatabase) {
    const inner = memoryStorage({ database })
    let left = calls
    const crash = async <T>(call: () => Promise<T>): Promise<T> => {
      if (left-- > 0) return call()
      if (isAfter && left === -1) await call()
      throw new StorageFailed('closed', 'The process ended')
    }
    return {
      storage: wrapStorage(inner, {
        open: () => crash(() => inner.open()),
        head: () => crash(() => inner.head()),
        read: range => crash(() => inner.read(range)),
        get: key => crash(() => inner.get(key)),
        list: prefix => crash(() => inner.list(prefix)),
        keys: (...args) => crash(() => inner.keys(...args)),
        put: values => crash(() => inner.put(values)),
        swap: (...args) => crash(() => inner.swap(...args)),
        append: (...args) => crash(() => inner.append(...args)),
        resetToStaged: (...args) => crash(() => inner.resetToStaged!(...args)),
      }),
    }
  }

  test('leaves nothing behind once the store has rested', async () => {
    const database = await databaseWith('mine')
    database.values.set('import/staged/0000000000000001-1', new Uint8Array(10))
    let ran = () => {}
    const hasRun = new Promise<void>(resolve => {
      ran = resolve
    })
    const runAlone = async (work: () => Promise<void>) => {
      await work()
      ran()
    }
    const log = await openLog({
      storage: memoryStorage({ database }),
      storeId: STORE,
      compaction: { idleMs: 0, runAlone },
    })
    await hasRun
    expect([...database.values.keys()].filter(key => key.startsWith('import/'))).toEqual([])
    await log.close()
  })
})

describe('what was erased', () => {
  const erasable = async (database: MemoryDatabase) => {
    const id = newEventId()
    const log = await open(database)
    await createEventStore(log).appendToStream('a', [{ type: 'Said', id, data: 'a-secret' }])
    return { id, log }
  }

  test('before the export stays so, and is listed', async () => {
    const original = await databaseWith('one')
    const { id, log } = await erasable(original)
    await log.erasures.erase([id], { reason: 'asked for' })
    await log.close()
    const database = createMemoryDatabase()
    await take(await fileOf(original), database)
    for (let opening = 0; opening < 2; opening++) {
      const imported = await open(database)
      expect(imported.erasures.list()).toMatchObject([{ eventIds: [id], reason: 'asked for' }])
      expect(await imported.verify()).toMatchObject({ ok: true })
      expect(await textsIn(imported)).toEqual(['one'])
      await imported.close()
    }
  })

  test('here after the export stays so, though the file has it', async () => {
    const database = await databaseWith('one')
    const { id, log } = await erasable(database)
    const before = await exported(log)
    expect(before.includes('a-secret')).toBe(true)
    await log.erasures.erase([id], { reason: 'asked for' })
    await log.close()
    await take(before, database, { replace: true })
    const imported = await open(database)
    await imported.erasures.resume()
    expect(await textsIn(imported)).toEqual(['one'])
    expect(imported.erasures.list()).toMatchObject([{ eventIds: [id], reason: 'asked for' }])
    expect(await imported.verify()).toMatchObject({ ok: true })
    const stored = [...database.blocks.map(({ bytes }) => bytes), ...database.values.values()]
    expect(stored.some(bytes => Buffer.from(bytes).includes('a-secret'))).toBe(false)
    await imported.close()
  })
})
