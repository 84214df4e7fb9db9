import { afterEach, describe, expect, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { StorageFailed } from '../../src/log/errors.ts'
import { decodePullResponse, encodePushRequest } from '../../src/protocol/sync-messages.ts'
import {
  bearerToken,
  createSyncServer,
  type SyncServer,
  type SyncServerOptions,
} from '../../src/server/index.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'

const servers: SyncServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

/** Tokens name a store and what they may do: `store:ra`. */
const authorize: SyncServerOptions['authorize'] = request => {
  const [storeId, rights = ''] = bearerToken(request)?.split('~') ?? []
  return storeId ? { storeId, read: rights.includes('r'), append: rights.includes('a') } : null
}

function serve(options: Partial<SyncServerOptions> = {}) {
  const databases = new Map<string, MemoryDatabase>()
  const openStorage = (storeId: string) => {
    const database = databases.get(storeId) ?? createMemoryDatabase()
    databases.set(storeId, database)
    return memoryStorage({ database })
  }
  const server = createSyncServer({ openStorage, authorize, ...options })
  servers.push(server)
  const call = (path: string, init: RequestInit = {}, token = 'board~ra') =>
    server.fetch(
      new Request(`http://server${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
      }),
    )
  const post = (body: BodyInit, headers: Record<string, string> = {}, token?: string) =>
    call(
      '/v1/log',
      { method: 'POST', body, headers: { 'content-type': 'application/octet-stream', ...headers } },
      token,
    )
  return { server, call, post, databases }
}

async function device(storeId = 'board'): Promise<EventLog> {
  return openLog({ storage: memoryStorage(), storeId })
}

const say = (log: EventLog, streamName: string, ...texts: string[]) =>
  createEventStore(log).appendToStream(
    streamName,
    texts.map(data => ({ type: 'Said', data })),
  )

async function pushBody(log: EventLog, epoch: string) {
  const commits = (await log.pendingCommits(Infinity)).map(({ entries }) => entries)
  return { commits, body: await encodePushRequest({ epoch, commits }, log.hash) }
}

const epochOf = async (call: ReturnType<typeof serve>['call']) =>
  ((await (await call('/v1/head')).json()) as { epoch: string }).epoch

describe('push and pull', () => {
  test('what one device pushes, another pulls as it was', async () => {
    const { call, post } = serve()
    const one = await device()
    await say(one, 'a', 'one', 'two')
    await say(one, 'b', 'three')
    const epoch = await epochOf(call)
    const { body, commits } = await pushBody(one, epoch)
    const receipt = await post(body)
    expect(receipt.status).toBe(200)
    expect(await receipt.json()).toEqual({ epoch, accepted: 2, after: 0, head: 3, refusal: null })
    const page = decodePullResponse(new Uint8Array(await (await call('/v1/log?after=0')).arrayBuffer()))
    expect(page).toMatchObject({ epoch, after: 0, next: 3, head: 3 })
    expect(page.commits.map(commit => commit.map(({ hash }) => [...hash]))).toEqual(
      commits.map(commit => commit.map(({ hash }) => [...hash])),
    )
  })

  test('the same push again is accepted again, and written once', async () => {
    const { call, post } = serve()
    const one = await device()
    await say(one, 'a', 'one')
    const { body } = await pushBody(one, await epochOf(call))
    await post(body)
    expect(await (await post(body)).json()).toMatchObject({
      accepted: 1,
      after: null,
      head: 1,
      refusal: null,
    })
  })

  test('pages are cut by size, at commits', async () => {
    const { call, post } = serve()
    const one = await device()
    for (let i = 0; i < 20; i++) await say(one, 'a', 'x'.repeat(500))
    await post((await pushBody(one, await epochOf(call))).body)
    const page = decodePullResponse(
      new Uint8Array(await (await call('/v1/log?after=3&maxBytes=2000')).arrayBuffer()),
    )
    expect(page).toMatchObject({ after: 3, next: 6, head: 20 })
    const end = decodePullResponse(new Uint8Array(await (await call('/v1/log?after=20')).arrayBuffer()))
    expect(end).toMatchObject({ after: 20, next: 20, commits: [] })
  })

  test('refuses a stale push with 409, a forged one with 422, and takes what comes before', async () => {
    const { call, post } = serve()
    const [one, two] = [await device(), await device()]
    const epoch = await epochOf(call)
    await say(one, 'a', 'first')
    await say(two, 'b', 'fine')
    await say(two, 'a', 'late')
    await post((await pushBody(one, epoch)).body)
    const stale = await post((await pushBody(two, epoch)).body)
    expect(stale.status).toBe(409)
    expect(await stale.json()).toMatchObject({ accepted: 1, refusal: { reason: 'stale' } })
    const { commits } = await pushBody(two, epoch)
    const forged = [[{ ...commits[0]![0]!, eventId: crypto.getRandomValues(new Uint8Array(16)) }]]
    const invalid = await post(await encodePushRequest({ epoch, commits: forged }, one.hash))
    expect(invalid.status).toBe(422)
    expect(await invalid.json()).toMatchObject({ accepted: 0, refusal: { reason: 'invalid' } })
    const other = await device()
    await say(other, 'c', 'x')
    const [entry] = (await pushBody(other, epoch)).commits[0]!
    const reused = [[{ ...entry!, eventId: commits[0]![0]!.eventId }]]
    expect((await post(await encodePushRequest({ epoch, commits: reused }, one.hash))).status).toBe(409)
  })

  test('refuses a push for another epoch, and a pull from behind the end', async () => {
    const { call, post } = serve()
    const one = await device()
    await say(one, 'a', 'one')
    const answer = await post((await pushBody(one, 'another')).body)
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({
      code: 'epoch-changed',
      facts: { epoch: await epochOf(call) },
    })
    const ahead = await call('/v1/log?after=7')
    expect(ahead.status).toBe(409)
    expect(await ahead.json()).toMatchObject({ code: 'ahead-of-server' })
  })

  test('keeps log and epoch over a restart', async () => {
    const { server, call, post, databases } = serve()
    const one = await device()
    await say(one, 'a', 'one')
    const epoch = await epochOf(call)
    await post((await pushBody(one, epoch)).body)
    await server.close()
    const again = serve({ openStorage: storeId => memoryStorage({ database: databases.get(storeId)! }) })
    expect(await (await again.call('/v1/head')).json()).toMatchObject({ protocol: 1, epoch, position: 1 })
  })
})

describe('who may do what', () => {
  test('401 without a token, 403 without the right', async () => {
    const { call, post } = serve()
    expect((await call('/v1/head', { headers: { authorization: 'Basic abc' } })).status).toBe(401)
    expect((await call('/v1/log', {}, 'board~a')).status).toBe(403)
    const one = await device()
    await say(one, 'a', 'one')
    const { body } = await pushBody(one, await epochOf(call))
    expect((await post(body, {}, 'board~r')).status).toBe(403)
    expect(await (await call('/v1/head')).json()).toMatchObject({ position: 0 })
  })

  test("one tenant never sees or changes what is another one's", async () => {
    const { call, post } = serve()
    const one = await device()
    await say(one, 'a', 'secret')
    await post((await pushBody(one, await epochOf(call))).body)
    expect(await (await call('/v1/head', {}, 'other~ra')).json()).toMatchObject({ position: 0 })
    const { epoch } = (await (await call('/v1/head', {}, 'other~ra')).json()) as { epoch: string }
    const foreign = await post((await pushBody(one, epoch)).body, {}, 'other~ra')
    // The genesis hash holds the store's id: events of another store fit nowhere.
    expect(foreign.status).toBe(409)
    expect(await foreign.json()).toMatchObject({ accepted: 0, refusal: { reason: 'stale' } })
  })

  test('pages of other origins may call only when they are listed', async () => {
    const preflight = {
      method: 'OPTIONS',
      headers: { origin: 'http://app', 'access-control-request-method': 'POST' },
    }
    const listed = serve({ cors: { origins: ['http://app'] } })
    expect((await listed.call('/v1/log', preflight)).headers.get('access-control-allow-origin')).toBe(
      'http://app',
    )
    const unlisted = serve({ cors: { origins: ['http://other'] } })
    expect((await unlisted.call('/v1/log', preflight)).headers.get('access-control-allow-origin')).toBeNull()
  })
})

describe('bad input', () => {
  test('paths, methods and parameters that do not exist', async () => {
    const { call } = serve()
    expect((await call('/elsewhere')).status).toBe(404)
    expect((await call('/v1/log', { method: 'DELETE' })).status).toBe(405)
    for (const query of ['after=-1', 'after=x', 'after=1e3', 'after=0&maxBytes=1.5']) {
      const answer = await call(`/v1/log?${query}`)
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ code: 'malformed' })
    }
  })

  test('bodies of another content, packed, or too large', async () => {
    const { post } = serve({ limits: { maxPushBytes: 1000 } })
    expect((await post('{}', { 'content-type': 'application/json' })).status).toBe(415)
    expect((await post('x', { 'content-encoding': 'gzip' })).status).toBe(415)
    const large = await post(new Uint8Array(1001), { 'content-length': '1' })
    expect(large.status).toBe(413)
    expect(await large.json()).toMatchObject({ code: 'too-large', facts: { maxBytes: 1000 } })
  })

  test('a thousand bodies of noise and of cut and changed pushes get a 4xx, and the server lives on', async () => {
    const { call, post } = serve()
    const one = await device()
    await say(one, 'a', 'one', 'two')
    const { body } = await pushBody(one, await epochOf(call))
    let seed = 1
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    for (let i = 0; i < 1000; i++) {
      const bytes = i % 3 === 0 ? Uint8Array.from({ length: random(300) }, () => random(256)) : body.slice()
      if (i % 3 === 1) bytes[random(bytes.length)]! ^= 1 + random(255)
      const answer = await post(i % 3 === 2 ? bytes.slice(0, random(bytes.length)) : bytes)
      // A changed digest or position is not looked at: what counts is what the entries' hashes cover.
      expect(answer.status === 200 || (answer.status >= 400 && answer.status < 500)).toBe(true)
    }
    expect((await call('/v1/head')).status).toBe(200)
  })

  test('a storage that fails gives 503 and says nothing of the inside', async () => {
    const errors: unknown[] = []
    const openStorage = () =>
      wrapStorage(memoryStorage(), {
        append: async () => {
          throw new StorageFailed('failed', 'disk /dev/secret is on fire')
        },
      })
    const { call, post } = serve({ openStorage, onError: error => errors.push(error) })
    const one = await device()
    await say(one, 'a', 'one')
    const answer = await post((await pushBody(one, await epochOf(call))).body)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).not.toBeNull()
    expect(await answer.text()).not.toContain('secret')
    expect(errors).toHaveLength(1)
    expect((await call('/v1/head')).status).toBe(200)
  })

  test('an authorize hook that throws gives 500, and no more than that', async () => {
    const { call } = serve({
      authorize: () => {
        throw new Error('password in the message')
      },
    })
    const answer = await call('/v1/head')
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('password')
  })

  test('a storage that cannot be opened is tried again by the next request', async () => {
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
})

describe('hints', () => {
  const reader = (response: Response) => {
    const stream = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    return { next: async () => (await stream.read()).value, cancel: () => stream.cancel() }
  }

  test('tell the head at once and after each growth', async () => {
    const { call, post } = serve()
    const epoch = await epochOf(call)
    const response = await call('/v1/hints')
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const hints = reader(response)
    expect(await hints.next()).toBe(`event: head\ndata: {"position":0,"epoch":"${epoch}"}\n\n`)
    const one = await device()
    await say(one, 'a', 'one', 'two')
    await post((await pushBody(one, epoch)).body)
    expect(await hints.next()).toContain('"position":2')
    await hints.cancel()
  })

  test('end when the server closes, and give room when a client goes', async () => {
    const { server, call } = serve({ limits: { maxLiveClients: 1 } })
    const first = reader(await call('/v1/hints'))
    await first.next()
    expect((await call('/v1/hints')).status).toBe(429)
    await first.cancel()
    const second = reader(await call('/v1/hints'))
    await second.next()
    await server.close()
    expect(await second.next()).toBeUndefined()
  })
})
