import 'fake-indexeddb/auto'
import { forceCloseDatabase } from 'fake-indexeddb'
import { openDB } from 'idb'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { describeEventStore, describeLogStorage, fixtureBlock } from '../../src/conformance/index.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { indexedDbStorage } from '../../src/storage/indexeddb/index.ts'

let databases = 0
const freshName = (): string => `test-${++databases}`

describeLogStorage('IndexedDB (fake-indexeddb)', async () => {
  const name = freshName()
  return {
    open: async () => {
      const storage = indexedDbStorage({ name })
      await storage.open()
      return storage
    },
    dispose: async () => {},
  }
})

describeEventStore('event store in IndexedDB (fake-indexeddb)', () => {
  const name = freshName()
  return async () =>
    createEventStore(await openLog({ storage: indexedDbStorage({ name }), storeId: 'contract' }))
})

const problem = (name: string) =>
  expect.objectContaining({ code: 'storage-failed', facts: { problem: name } })

describe('what gets in the way', () => {
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
  })

  const opened = async (name = freshName(), more: object = {}) => {
    const storage = indexedDbStorage({ name, ...more })
    await storage.open()
    return storage
  }

  test('no IndexedDB at all', async () => {
    vi.stubGlobal('indexedDB', undefined)
    await expect(indexedDbStorage({ name: freshName() }).open()).rejects.toEqual(problem('unavailable'))
  })

  test('a browser that refuses', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('no', 'SecurityError')
    })
    await expect(indexedDbStorage({ name: freshName() }).open()).rejects.toEqual(problem('unavailable'))
  })

  test('another tab that holds an older version: opening gives up in time and says what to do', async () => {
    const name = freshName()
    // A tab that never hears `versionchange`, as a frozen one.
    const request = indexedDB.open(name, 1)
    await new Promise(resolve => {
      request.onsuccess = resolve
    })
    const deletion = indexedDB.deleteDatabase(name)
    const error = await indexedDbStorage({ name, openTimeoutMs: 30 })
      .open()
      .catch(e => e)
    expect(error).toEqual(problem('blocked'))
    expect(error.message).toContain("Close the app's other tabs")
    request.result.close()
    await new Promise(resolve => {
      deletion.onsuccess = resolve
    })
  })

  test('a newer version of the database', async () => {
    const name = freshName()
    ;(await openDB(name, 99)).close()
    await expect(indexedDbStorage({ name }).open()).rejects.toEqual(problem('version-change'))
  })

  test('an upgrade by another tab: gives way, tells, and refuses every call after', async () => {
    const name = freshName()
    const storage = await opened(name)
    const lost = new Promise<Error>(resolve => storage.onLost(resolve))
    const upgraded = openDB(name, 2)
    expect(await lost).toEqual(problem('version-change'))
    ;(await upgraded).close()
    await expect(storage.head()).rejects.toEqual(problem('version-change'))
    await expect(storage.append(0, [await fixtureBlock()])).rejects.toEqual(problem('version-change'))
  })

  /** Says it once, as Chromium does. */
  const loseDataAtNextOpen = () => {
    const open = indexedDB.open.bind(indexedDB)
    vi.spyOn(indexedDB, 'open').mockImplementationOnce((...args) => {
      const request = open(...args)
      request.addEventListener('upgradeneeded', event => {
        Object.assign(event, { dataLoss: 'total', dataLossMessage: 'corrupt' })
      })
      return request
    })
  }

  test('data that the browser lost is told at every open, until it is accepted once', async () => {
    const name = freshName()
    loseDataAtNextOpen()
    for (let attempt = 0; attempt < 3; attempt++) {
      const error = await indexedDbStorage({ name })
        .open()
        .catch(e => e)
      expect(error).toEqual(problem('data-loss'))
      expect(error.message).toContain('corrupt')
    }
    const accepting = await opened(name, { acceptDataLoss: true })
    expect(await accepting.append(0, [await fixtureBlock()])).toEqual({ type: 'written' })
    expect(await (await opened(name)).head()).toBe(1)
  })

  test('data loss that is accepted beforehand begins an empty log', async () => {
    const name = freshName()
    loseDataAtNextOpen()
    await opened(name, { acceptDataLoss: true })
    expect(await (await opened(name)).head()).toBe(0)
  })

  test('a database that the browser closes: tells, and refuses every call after', async () => {
    const name = freshName()
    const open = indexedDB.open.bind(indexedDB)
    let request!: IDBOpenDBRequest
    vi.spyOn(indexedDB, 'open').mockImplementationOnce((...args) => {
      request = open(...args)
      return request
    })
    const storage = await opened(name)
    const lost = new Promise<Error>(resolve => storage.onLost(resolve))
    forceCloseDatabase(request.result as unknown as Parameters<typeof forceCloseDatabase>[0])
    expect(await lost).toEqual(problem('closed'))
    await expect(storage.head()).rejects.toEqual(problem('closed'))
  })

  test('a connection that is closing, before anybody was told', async () => {
    const storage = await opened()
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => {
      throw new DOMException('closing', 'InvalidStateError')
    })
    await expect(storage.head()).rejects.toEqual(problem('closed'))
  })

  test('closed while it opens: does not open behind the back, and can be opened again', async () => {
    const storage = indexedDbStorage({ name: freshName() })
    const opening = storage.open()
    await storage.close()
    await expect(opening).rejects.toEqual(problem('closed'))
    await expect(storage.head()).rejects.toEqual(problem('closed'))
    await storage.open()
    expect(await storage.head()).toBe(0)
  })

  test.each(['relaxed', 'strict'] as const)('asks for %s durability', async durability => {
    const storage = await opened(freshName(), { durability })
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction')
    await storage.append(0, [await fixtureBlock()])
    expect(transaction).toHaveBeenCalledWith(['blocks', 'values'], 'readwrite', { durability })
  })

  /** Aborts the next write transaction when all its requests have succeeded, as a full disk does. */
  const failNextCommit = (errorName: string) => {
    const add = vi.spyOn(IDBObjectStore.prototype, 'add')
    add.mockImplementationOnce(function (this: IDBObjectStore, value, key) {
      add.mockRestore()
      const { transaction } = this
      const request = this.add(value, key)
      Object.defineProperty(transaction, 'error', { get: () => new DOMException('no', errorName) })
      request.addEventListener('success', () => transaction.abort())
      return request
    })
  }

  test('a full disk: typed, nothing written, reads go on, and writing resumes', async () => {
    const storage = await opened()
    await storage.append(0, [await fixtureBlock()])
    failNextCommit('QuotaExceededError')
    await expect(
      storage.append(1, [await fixtureBlock({ first: 2 })], { key: new Uint8Array(1) }),
    ).rejects.toEqual(problem('quota'))
    expect(await storage.head()).toBe(1)
    expect(await storage.get('key')).toBeUndefined()
    expect(await storage.append(1, [await fixtureBlock({ first: 2 })])).toEqual({ type: 'written' })
  })

  test('a transaction that fails for any other reason is not taken for a conflict', async () => {
    const storage = await opened()
    failNextCommit('UnknownError')
    await expect(storage.append(0, [await fixtureBlock()])).rejects.toEqual(problem('failed'))
    expect(await storage.head()).toBe(0)
  })

  test('a call that never settles', async () => {
    const storage = await opened(freshName(), { operationTimeoutMs: 20 })
    vi.spyOn(IDBObjectStore.prototype, 'openKeyCursor').mockImplementation(
      () => new (IDBRequest as unknown as new () => IDBRequest<IDBCursor | null>)(),
    )
    await expect(storage.head()).rejects.toEqual(problem('timeout'))
  })

  test('an append that came too late is taken back', async () => {
    const name = freshName()
    const storage = await opened(name, { operationTimeoutMs: 20 })
    const other = await openDB(name)
    const inTheWay = other.transaction(['blocks', 'values'], 'readwrite')
    let isHeld = true
    const held = (async () => {
      while (isHeld) await inTheWay.objectStore('values').get('key')
    })()
    await expect(storage.append(0, [await fixtureBlock()])).rejects.toEqual(problem('timeout'))
    isHeld = false
    await held
    await inTheWay.done
    expect(await storage.head()).toBe(0)
    expect(await storage.append(0, [await fixtureBlock()])).toEqual({ type: 'written' })
  })
})
