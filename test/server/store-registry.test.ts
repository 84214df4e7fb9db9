import { describe, expect, test, vi } from 'vitest'
import { StorageFailed } from '../../src/log/errors.ts'
import type { SyncServerOptions } from '../../src/server/index.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { device, pushBody, say, serve } from './test-server.ts'

/** Storages that say when they are opened and closed, and that cannot be opened twice at once. */
function watched(
  overrides: (storage: LogStorage) => Partial<LogStorage> = () => ({}),
  mayClose: Promise<void> = Promise.resolve(),
) {
  const journal: string[] = []
  const open = new Set<string>()
  const databases = new Map<string, ReturnType<typeof createMemoryDatabase>>()
  const openStorage: SyncServerOptions['openStorage'] = storeId => {
    const database = databases.get(storeId) ?? createMemoryDatabase()
    databases.set(storeId, database)
    const storage = memoryStorage({ database })
    return wrapStorage(storage, {
      open: async () => {
        if (open.has(storeId)) throw new Error(`${storeId} is open already`)
        open.add(storeId)
        journal.push(`open ${storeId}`)
        await storage.open()
      },
      close: async () => {
        await mayClose
        await storage.close()
        if (open.delete(storeId)) journal.push(`close ${storeId}`)
      },
      ...overrides(storage),
    })
  }
  return { journal, openStorage }
}

describe('stores', () => {
  test('are opened once, however many ask at once, and stay open', async () => {
    const { journal, openStorage } = watched()
    const { call } = serve({ openStorage })
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('/v1/head')))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    const epochs = new Set(await Promise.all(answers.map(async answer => (await answer.json()).epoch)))
    expect(epochs.size).toBe(1)
    await call('/v1/log')
    expect(journal).toEqual(['open board'])
  })

  test('that nobody uses are closed, the longest unused first, and opened again with all they had', async () => {
    const { journal, openStorage } = watched()
    const { call, post, epoch } = serve({ openStorage, limits: { maxIdleStores: 2 } })
    const one = await device('a')
    await say(one, 's', 'kept')
    await post(await pushBody(one, await epoch('a~ra')), {}, 'a~ra')
    const first = await epoch('a~ra')
    for (const store of ['b', 'a', 'c']) await call('/v1/head', {}, `${store}~r`)
    await vi.waitFor(() => expect(journal).toEqual(['open a', 'open b', 'open c', 'close b']))
    await call('/v1/head', {}, 'd~r')
    await vi.waitFor(() => expect(journal.slice(4)).toEqual(['open d', 'close a']))
    const again = await (await call('/v1/head', {}, 'a~r')).json()
    expect(again).toMatchObject({ position: 1, epoch: first })
  })

  test('with a live client are not closed', async () => {
    const { journal, openStorage } = watched()
    const { call } = serve({ openStorage, limits: { maxIdleStores: 0 } })
    const hints = await call('/v1/hints', {}, 'a~r')
    await call('/v1/head', {}, 'b~r')
    await call('/v1/head', {}, 'c~r')
    expect(journal).not.toContain('close a')
    await hints.body!.cancel()
    await call('/v1/head', {}, 'a~r')
    await vi.waitFor(() => expect(journal).toContain('close a'))
  })

  test('that are being closed are opened again only when that is done', async () => {
    let finish = () => {}
    const finished = new Promise<void>(resolve => {
      finish = resolve
    })
    const { journal, openStorage } = watched(() => ({}), finished)
    const take = vi.fn(openStorage)
    const { call } = serve({ openStorage: take, limits: { maxIdleStores: 0 } })
    await call('/v1/head')
    const again = call('/v1/head')
    await new Promise(resolve => setImmediate(resolve))
    expect(take).toHaveBeenCalledTimes(1)
    finish()
    expect((await again).status).toBe(200)
    expect(take).toHaveBeenCalledTimes(2)
    expect(journal.slice(0, 3)).toEqual(['open board', 'close board', 'open board'])
  })

  test('that cannot be opened are tried again by the next request', async () => {
    let tries = 0
    const { call } = serve({
      openStorage: () => {
        if (++tries === 1) throw new StorageFailed('unavailable', 'starting up')
        return memoryStorage()
      },
    })
    expect((await call('/v1/head')).status).toBe(503)
    expect((await call('/v1/head')).status).toBe(200)
  })

  test('whose epoch cannot be read are closed again', async () => {
    let isFailing = true
    const { journal, openStorage } = watched(storage => ({
      get: async key => {
        if (isFailing && key === 'server/epoch') throw new StorageFailed('unavailable', 'gone')
        return storage.get(key)
      },
    }))
    const { call } = serve({ openStorage })
    expect((await call('/v1/head')).status).toBe(503)
    expect(journal).toEqual(['open board', 'close board'])
    isFailing = false
    expect((await call('/v1/head')).status).toBe(200)
  })

  test('that lose their storage end their live streams and are opened anew', async () => {
    let lose: (error: Error) => void = () => {}
    const { journal, openStorage } = watched(() => ({
      onLost: listener => {
        lose = listener
      },
    }))
    const told: unknown[] = []
    const { call } = serve({ openStorage, onError: (error, { storeId }) => told.push([error, storeId]) })
    const hints = (await call('/v1/hints')).body!.getReader()
    await hints.read()
    const lost = new StorageFailed('closed', 'the database restarts')
    lose(lost)
    expect(await hints.read()).toEqual({ done: true, value: undefined })
    expect(told).toEqual([[lost, 'board']])
    expect((await call('/v1/head')).status).toBe(200)
    expect(journal).toEqual(['open board', 'close board', 'open board'])
  })

  test('are all closed with the server, which then says that it is closed', async () => {
    const { journal, openStorage } = watched()
    const { server, call } = serve({ openStorage })
    await call('/v1/head', {}, 'a~r')
    await call('/v1/head', {}, 'b~r')
    await server.close()
    await server.close()
    expect(journal).toEqual(['open a', 'open b', 'close a', 'close b'])
    const late = await call('/v1/head', {}, 'a~r')
    expect(late.status).toBe(503)
    expect(await late.json()).toMatchObject({ code: 'unavailable' })
    expect(journal).toHaveLength(4)
  })

  test('that are still being opened when the server closes are closed, too', async () => {
    const { journal, openStorage } = watched()
    const { server, call } = serve({ openStorage })
    const answer = call('/v1/head')
    await server.close()
    expect([200, 503]).toContain((await answer).status)
    expect(journal.filter(line => line.startsWith('open'))).toHaveLength(
      journal.filter(line => line.startsWith('close')).length,
    )
  })

  test('keep log and epoch over a restart', async () => {
    const { openStorage } = watched()
    const before = serve({ openStorage })
    const one = await device()
    await say(one, 'a', 'one')
    const epoch = await before.epoch()
    await before.post(await pushBody(one, epoch))
    await before.server.close()
    const after = serve({ openStorage })
    expect(await (await after.call('/v1/head')).json()).toMatchObject({ epoch, position: 1 })
  })
})
