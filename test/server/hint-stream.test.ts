import { afterEach, describe, expect, test, vi } from 'vitest'
import { encodePushRequest } from '../../src/protocol/sync-messages.ts'
import { type Access, Unavailable } from '../../src/server/index.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { device, pendingOf, pushBody, say, serve, type TestServer } from './test-server.ts'

afterEach(() => {
  vi.useRealTimers()
})

async function listen({ call }: TestServer) {
  const response = await call('/v1/hints')
  const stream = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  return { response, next: async () => (await stream.read()).value, cancel: () => stream.cancel() }
}

const head = (position: number, epoch: string) =>
  `event: head\ndata: ${JSON.stringify({ position, epoch, erasures: 0 })}\n\n`

describe('hints', () => {
  test('tell the head at once and after each growth', async () => {
    const server = serve()
    const epoch = await server.epoch()
    const hints = await listen(server)
    expect(hints.response.headers.get('content-type')).toBe('text/event-stream')
    expect(hints.response.headers.get('cache-control')).toBe('no-store')
    expect(await hints.next()).toBe(head(0, epoch))
    const one = await device()
    await say(one, 'a', 'one', 'two')
    await server.post(await pushBody(one, epoch))
    expect(await hints.next()).toBe(head(2, epoch))
    await say(one, 'a', 'three')
    const commits = (await pendingOf(one)).slice(1)
    await server.post(await encodePushRequest({ epoch, commits }, one.hash))
    expect(await hints.next()).toBe(head(3, epoch))
    await hints.cancel()
  })

  test('keep nothing for a client that does not read: it gets the newest head when it does', async () => {
    const server = serve()
    const epoch = await server.epoch()
    const stream = (await server.call('/v1/hints')).body!.getReader()
    const one = await device()
    for (let i = 0; i < 20; i++) await say(one, 'a', `${i}`)
    for (const commit of await pendingOf(one)) {
      await server.post(await encodePushRequest({ epoch, commits: [commit] }, one.hash))
    }
    const decoder = new TextDecoder()
    const read = async () => decoder.decode((await stream.read()).value)
    expect(await read()).toBe(head(0, epoch))
    expect(await read()).toBe(head(20, epoch))
    await stream.cancel()
  })

  test('to many at once are no leak: Node warns of none, and all of them end with the server', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const server = serve()
    const listeners = await Promise.all(Array.from({ length: 20 }, () => listen(server)))
    for (const { next } of listeners) await next()
    await server.server.close()
    for (const { next } of listeners) expect(await next()).toBeUndefined()
    // It tells of them only when nothing else is left to do.
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })

  test('are heard of by every client of a store, and by those of no other', async () => {
    const server = serve()
    const epoch = await server.epoch()
    const [left, right] = [await listen(server), await listen(server)]
    const other = (await server.call('/v1/hints', {}, 'other~r')).body!.getReader()
    for (const hints of [left, right]) await hints.next()
    await other.read()
    const one = await device()
    await say(one, 'a', 'one')
    await server.post(await pushBody(one, epoch))
    for (const hints of [left, right]) expect(await hints.next()).toBe(head(1, epoch))
    const nothing = Symbol()
    expect(await Promise.race([other.read(), Promise.resolve(nothing)])).toBe(nothing)
    for (const hints of [left, right]) await hints.cancel()
  })

  test('tell within a minute of what another server on the database wrote, or that it is another one', async () => {
    vi.useFakeTimers()
    const database = createMemoryDatabase()
    const openStorage = () => memoryStorage({ database })
    const [one, two] = [serve({ openStorage }), serve({ openStorage })]
    const epoch = await one.epoch()
    const hints = await listen(one)
    expect(await hints.next()).toBe(head(0, epoch))
    const author = await device()
    await say(author, 'a', 'one')
    await two.post(await pushBody(author, epoch))
    const next = hints.next()
    await vi.advanceTimersByTimeAsync(15_000)
    expect(await next).toBe(':\n\n')
    for (let i = 0; i < 2; i++) {
      await vi.advanceTimersByTimeAsync(15_000)
      expect(await hints.next()).toBe(':\n\n')
    }
    await vi.advanceTimersByTimeAsync(15_000)
    const told = [await hints.next(), await hints.next()]
    expect(told).toContain(head(1, epoch))
    await two.server.rotateEpoch('board')
    let isOpen = true
    const reading = (async () => {
      while (isOpen) isOpen = (await hints.next()) !== undefined
    })()
    await vi.advanceTimersByTimeAsync(60_000)
    await reading
    expect(isOpen).toBe(false)
  })

  test('come with a heartbeat while nothing happens', async () => {
    vi.useFakeTimers()
    const server = serve()
    const hints = await listen(server)
    await hints.next()
    const beat = hints.next()
    await vi.advanceTimersByTimeAsync(15_000)
    expect(await beat).toBe(':\n\n')
    expect(vi.getTimerCount()).toBe(1)
    await hints.cancel()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('end with a reason when the credentials end, and not before', async () => {
    vi.useFakeTimers()
    const expiresAt = Date.now() + 100_000
    let asked = 0
    const server = serve({
      authorize: () => {
        asked++
        return Date.now() < expiresAt ? { storeId: 'board', read: true, append: false, expiresAt } : null
      },
      limits: { recheckMs: 1e12 },
    })
    const hints = await listen(server)
    await hints.next()
    for (let i = 0; i < 6; i++) {
      await vi.advanceTimersByTimeAsync(15_000)
      expect(await hints.next()).toBe(':\n\n')
    }
    expect(asked).toBe(1)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await hints.next()).toBe('event: end\ndata: {"reason":"unauthenticated"}\n\n')
    expect(await hints.next()).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each<[string, Access | null, string]>([
    ['are withdrawn', null, 'unauthenticated'],
    ['give no right to read any more', { storeId: 'board', read: false, append: true }, 'forbidden'],
    ['are for another store now', { storeId: 'other', read: true, append: true }, 'forbidden'],
    ['have ended', { storeId: 'board', read: true, append: true, expiresAt: 0 }, 'unauthenticated'],
  ])(
    'are looked at again while they live: they end when the credentials %s',
    async (_case, access, reason) => {
      vi.useFakeTimers()
      let now: Access | null = { storeId: 'board', read: true, append: true }
      const server = serve({ authorize: () => now, limits: { recheckMs: 20_000, maxLiveClients: 1 } })
      const hints = await listen(server)
      await hints.next()
      now = access
      await vi.advanceTimersByTimeAsync(15_000)
      expect(await hints.next()).toBe(':\n\n')
      await vi.advanceTimersByTimeAsync(5_000)
      expect(await hints.next()).toBe(`event: end\ndata: {"reason":"${reason}"}\n\n`)
      now = { storeId: 'board', read: true, append: true }
      // Its room is free again.
      expect((await listen(server)).response.status).toBe(200)
    },
  )

  test('live on while nobody knows, but never past the end of the credentials', async () => {
    vi.useFakeTimers()
    const errors: unknown[] = []
    const expiresAt = Date.now() + 50_000
    let fails = false
    const server = serve({
      authorize: () => {
        if (fails) throw new Unavailable('the sign-in server is away')
        return { storeId: 'board', read: true, append: false, expiresAt }
      },
      limits: { recheckMs: 10_000 },
      onError: error => errors.push(error),
    })
    const hints = await listen(server)
    await hints.next()
    fails = true
    for (let i = 0; i < 4; i++) {
      await vi.advanceTimersByTimeAsync(10_000)
      expect(await hints.next()).toBe(':\n\n')
    }
    expect(errors).toHaveLength(4)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await hints.next()).toContain('"unauthenticated"')
  })

  test('end when the server closes', async () => {
    const server = serve()
    const hints = await listen(server)
    await hints.next()
    await server.server.close()
    expect(await hints.next()).toBeUndefined()
  })

  test('have room for so many clients, and for another one when one goes', async () => {
    const server = serve({ limits: { maxLiveClients: 1 } })
    const first = await listen(server)
    const refused = await server.call('/v1/hints')
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).not.toBeNull()
    expect(await refused.json()).toMatchObject({ code: 'too-many-clients' })
    // A client of another store takes no room here.
    const other = await server.call('/v1/hints', {}, 'other~r')
    expect(other.status).toBe(200)
    await other.body!.cancel()
    await first.cancel()
    const second = await listen(server)
    expect(second.response.status).toBe(200)
    await second.cancel()
  })

  test('that are asked for with HEAD take no room', async () => {
    const server = serve({ limits: { maxLiveClients: 1 } })
    for (let i = 0; i < 3; i++) {
      expect((await server.call('/v1/hints', { method: 'HEAD' })).status).toBe(405)
    }
    const hints = await listen(server)
    expect(hints.response.status).toBe(200)
    await hints.cancel()
  })
})
