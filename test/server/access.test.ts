import { describe, expect, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { encodePushRequest } from '../../src/protocol/sync-messages.ts'
import { type Access, bearerToken, createTokenBuckets, Unavailable } from '../../src/server/index.ts'
import { device, pendingOf, pushBody, say, serve } from './test-server.ts'

describe('appending by stream', () => {
  /** Pushes one commit a stream, or all streams in one, by a token that may append as `append` says. */
  async function push(append: Access['append'], ...streams: (string | string[])[]) {
    const server = serve({ authorize: () => ({ storeId: 'board', read: true, append }) })
    const one = await device()
    for (const names of streams) {
      const commit = [names]
        .flat()
        .map(name => ({ streamName: name, events: [{ type: 'Said', data: name }] }))
      await createEventStore(one).appendToStreams(commit)
    }
    const answer = await server.post(await pushBody(one, await server.epoch()))
    return { answer, server, one }
  }

  test.each<[string, Access['append'], string]>([
    ['a whole name', ['cart-1'], 'cart-1'],
    ['the beginning of a name', ['cart-*'], 'cart-1'],
    ['a beginning that is the name', ['cart-*'], 'cart-'],
    ['one of several', ['user-*', 'cart-1'], 'cart-1'],
    ['every name', ['*'], 'cart-1'],
    ['a function', name => name.endsWith('-1'), 'cart-1'],
  ])('is let through by %s', async (_case, append, stream) => {
    const { answer } = await push(append, stream)
    expect(answer.status).toBe(200)
  })

  test.each<[string, Access['append'], string]>([
    ['another name', ['cart-1'], 'cart-10'],
    ['another beginning', ['cart-*'], 'xcart-1'],
    ['letters of another case', ['cart-*'], 'Cart-1'],
    ['what a pattern of another kind would match', ['c.rt-1', '^cart', 'cart-?'], 'cart-1'],
    ['a function', name => name.endsWith('-1'), 'cart-2'],
  ])('is refused for %s, with the stream, and nothing is written', async (_case, append, stream) => {
    const { answer, server } = await push(append, stream)
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({
      accepted: 0,
      head: 0,
      refusal: { reason: 'forbidden', detail: `this token may not append to stream "${stream}"` },
    })
    expect(await (await server.call('/v1/head')).json()).toMatchObject({ position: 0 })
  })

  test('is for a commit as a whole, and ends the push there: what stands before it is taken', async () => {
    const { answer, server } = await push(['cart-*'], 'cart-1', ['cart-2', 'user-1'], 'cart-3')
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ accepted: 1, head: 1, refusal: { reason: 'forbidden' } })
    expect(await server.pull('after=0')).toMatchObject({ next: 1, commits: [[{ streamName: 'cart-1' }]] })
  })

  test('a commit before it that does not fit is the one that is told of', async () => {
    const { server } = await push(['cart-*'], 'cart-1')
    const two = await device()
    await say(two, 'cart-1', 'late')
    await say(two, 'user-1', 'no')
    const answer = await server.post(await pushBody(two, await server.epoch()))
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({ refusal: { reason: 'stale' } })
  })

  test('a list of nothing is no right to append', async () => {
    const { answer } = await push([], 'cart-1')
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ code: 'forbidden' })
  })

  test('a pattern that is none is the fault of the server, and lets nothing through', async () => {
    for (const pattern of ['*-1', 'cart-*-x', '**']) {
      const { answer } = await push([pattern], 'cart-1')
      expect(answer.status).toBe(500)
    }
  })
})

describe('who is let in', () => {
  test('a right that names no store lets nobody in: all who lack a claim would share one', async () => {
    for (const storeId of ['', undefined, null, 7]) {
      const errors: unknown[] = []
      const { call } = serve({
        authorize: () => ({ storeId, read: true, append: true }) as Access,
        onError: error => errors.push(error),
      })
      expect((await call('/v1/head')).status).toBe(500)
      expect(errors).toHaveLength(1)
    }
  })

  test('who cannot be known now is told to come later, and whoever runs the server is told', async () => {
    const errors: unknown[] = []
    const { call } = serve({
      authorize: () => {
        throw new Unavailable('keys at https://inside.example')
      },
      onError: error => errors.push(error),
    })
    const answer = await call('/v1/head')
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).not.toBeNull()
    expect(await answer.text()).not.toContain('inside')
    expect(errors).toHaveLength(1)
  })

  test('a bearer token is what RFC 6750 says, and nothing else', () => {
    const tokenOf = (authorization: string) =>
      bearerToken(new Request('http://server', { headers: { authorization } }))
    expect(tokenOf('Bearer a.b-c_d~e+f/g==')).toBe('a.b-c_d~e+f/g==')
    expect(tokenOf('bearer abc')).toBe('abc')
    for (const header of [
      '',
      'Bearer',
      'Bearer ',
      'Bearer a b',
      'Bearer a,b',
      'Basic abc',
      'xBearer abc',
      'Bearer =a',
    ]) {
      expect(tokenOf(header)).toBeNull()
    }
  })
})

describe('how often', () => {
  const BY_TOKEN = (request: Request) => {
    const [storeId = '', subject = ''] = bearerToken(request)!.split('~')
    return { storeId, subject, read: true, append: true }
  }

  /** A clock that stands still: what is allowed does not come again. */
  const buckets = (burst: number) => createTokenBuckets({ perSecond: 0.1, burst, now: () => 0 })

  test('is counted by subject, and by store for all of its subjects', async () => {
    const { call } = serve({ authorize: BY_TOKEN, rates: { subject: buckets(2), store: buckets(3) } })
    const statuses = async (token: string, times: number) => {
      const found: number[] = []
      for (let i = 0; i < times; i++) found.push((await call('/v1/head', {}, token)).status)
      return found
    }
    expect(await statuses('board~ann', 3)).toEqual([200, 200, 429])
    expect(await statuses('board~bob', 2)).toEqual([200, 429])
    expect(await statuses('other~ann', 1)).toEqual([200])
  })

  test('is counted by address before anybody looks who it is', async () => {
    let asked = 0
    const { server } = serve({
      authorize: () => {
        asked++
        return null
      },
      rates: { address: buckets(1) },
    })
    const from = (address: string) => server.fetch(new Request('http://server/v1/head'), { address })
    expect((await from('10.0.0.1')).status).toBe(401)
    const refused = await from('10.0.0.1')
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('10')
    expect(await refused.json()).toMatchObject({
      code: 'too-many-requests',
      facts: { retryAfterSeconds: 10 },
    })
    expect((await from('10.0.0.2')).status).toBe(401)
    expect(asked).toBe(2)
  })

  test('is asked before a body is read', async () => {
    const { call } = serve({ authorize: BY_TOKEN, rates: { store: buckets(0) } })
    let isRead = false
    const body = new ReadableStream(
      {
        pull: () => {
          isRead = true
        },
      },
      { highWaterMark: 0 },
    )
    const headers = { 'content-type': 'application/octet-stream' }
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit
    expect((await call('/v1/log', init)).status).toBe(429)
    expect(isRead).toBe(false)
  })

  test('a body that names too large a length is refused before it is read', async () => {
    const { call } = serve({ limits: { maxPushBytes: 1000 } })
    const body = new ReadableStream(
      { pull: () => Promise.reject(new Error('it was read')) },
      { highWaterMark: 0 },
    )
    const headers = { 'content-type': 'application/octet-stream', 'content-length': '1001' }
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit
    expect((await call('/v1/log', init)).status).toBe(413)
  })

  test('what was let through comes again with time, up to the burst', () => {
    let now = 0
    const { take } = createTokenBuckets({ perSecond: 2, burst: 3, now: () => now })
    expect([take('a'), take('a'), take('a'), take('a')]).toEqual([0, 0, 0, 500])
    now = 499
    expect(take('a')).toBe(1)
    now = 500
    expect([take('a'), take('a')]).toEqual([0, 500])
    expect(take('b')).toBe(0)
    now = 60_000
    expect([take('a'), take('a'), take('a'), take('a')]).toEqual([0, 0, 0, 500])
  })

  test('remembers so many, and forgets whom it let through longest ago', () => {
    const { take } = createTokenBuckets({ perSecond: 1, burst: 1, maxKeys: 2, now: () => 0 })
    expect([take('a'), take('b'), take('a'), take('c')]).toEqual([0, 0, 1000, 0])
    expect([take('b'), take('c'), take('a')]).toEqual([1000, 1000, 0])
  })
})

describe('pages of other origins', () => {
  test('are listed by origin, and by nothing else', () => {
    for (const origin of [
      '*',
      'null',
      'app.example.org',
      'https://app.example.org/',
      'https://*.example.org',
      '',
    ]) {
      expect(() => serve({ cors: { origins: [origin] } })).toThrow(TypeError)
    }
    serve({
      cors: { origins: ['https://app.example.org', 'http://localhost:5173', 'capacitor://localhost'] },
    })
  })

  test('get answers that no cache gives to another origin, and never with credentials', async () => {
    const { call } = serve({ cors: { origins: ['http://app'] } })
    for (const origin of ['http://app', 'http://app.evil', 'null']) {
      const { headers } = await call('/v1/head', { headers: { origin } })
      expect(headers.get('vary')?.toLowerCase()).toContain('origin')
      expect(headers.get('access-control-allow-credentials')).toBeNull()
      expect(headers.get('access-control-allow-origin')).toBe(origin === 'http://app' ? origin : null)
      const preflight = await call('/v1/log', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', authorization: '' },
      })
      expect(preflight.status).toBe(204)
      expect(preflight.headers.get('vary')?.toLowerCase()).toContain('origin')
      expect(preflight.headers.get('access-control-allow-methods')).toBe('GET,POST')
      expect(preflight.headers.get('access-control-allow-credentials')).toBeNull()
    }
  })
})

test('a repeated push of what is there already is judged by the right of now', async () => {
  let append: Access['append'] = true
  const { post, epoch } = serve({ authorize: () => ({ storeId: 'board', read: true, append }) })
  const one = await device()
  await say(one, 'a', 'one')
  const body = await encodePushRequest({ epoch: await epoch(), commits: await pendingOf(one) }, one.hash)
  expect((await post(body)).status).toBe(200)
  append = ['b']
  expect((await post(body)).status).toBe(403)
})
