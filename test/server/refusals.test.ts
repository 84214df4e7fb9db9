import { describe, expect, test } from 'vitest'
import { StorageFailed } from '../../src/log/errors.ts'
import { encodePushRequest } from '../../src/protocol/sync-messages.ts'
import type { ErrorContext } from '../../src/server/index.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { device, forged, pendingOf, pushBody, say, serve } from './test-server.ts'

describe('bad input', () => {
  test('paths, methods and parameters that do not exist', async () => {
    const { call } = serve()
    expect((await call('/elsewhere')).status).toBe(404)
    expect((await call('/v1/log/')).status).toBe(404)
    const wrongMethod = await call('/v1/log', { method: 'DELETE' })
    expect(wrongMethod.status).toBe(405)
    expect(wrongMethod.headers.get('allow')).toBe('GET,POST')
    expect(await wrongMethod.json()).toMatchObject({ code: 'method' })
    expect((await call('/v1/hints', { method: 'HEAD' })).status).toBe(405)
    for (const query of ['after=-1', 'after=x', 'after=', 'after=1e3', 'after=0&maxBytes=1.5']) {
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

  test('a body without an end is read no further than the bound', async () => {
    const { call } = serve({ limits: { maxPushBytes: 1000 } })
    let sent = 0
    let isCancelled = false
    const body = new ReadableStream({
      pull: controller => {
        sent++
        controller.enqueue(new Uint8Array(100))
      },
      cancel: () => {
        isCancelled = true
      },
    })
    const headers = { 'content-type': 'application/octet-stream' }
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit
    expect((await call('/v1/log', init)).status).toBe(413)
    expect(sent).toBeLessThan(20)
    expect(isCancelled).toBe(true)
  })

  test('a body that somebody has a copy of is refused as any other', async () => {
    const copies: Request[] = []
    const { post } = serve({
      limits: { maxPushBytes: 1000 },
      authorize: request => {
        copies.push(request.clone())
        return { storeId: 'board', read: true, append: true }
      },
    })
    expect((await post(new Uint8Array(1001))).status).toBe(413)
  })

  test('a body that breaks off is the fault of the client', async () => {
    const errors: unknown[] = []
    const { call } = serve({ onError: error => errors.push(error) })
    const body = new ReadableStream({
      pull: controller => controller.error(new Error('the connection is gone')),
    })
    const headers = { 'content-type': 'application/octet-stream' }
    const answer = await call('/v1/log', { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'incomplete' })
    expect(errors).toEqual([])
  })

  test('events that would trip every reader, and names that are the log’s own', async () => {
    const { call, post, epoch } = serve()
    const one = await device()
    await say(one, 'a', 'one')
    const [entry] = (await pendingOf(one))[0]!
    const attacks = [
      { metadata: 'null' },
      { metadata: '{"tags":5}' },
      { metadata: '{"metadata":{"streamName":"another"}}' },
      { payload: '1e999' },
      { payload: '['.repeat(20_000) },
      { streamName: '$sync' },
      { kind: 1 },
    ]
    for (const attack of attacks) {
      const commits = [[forged(one, entry!, attack)]]
      const answer = await post(await encodePushRequest({ epoch: await epoch(), commits }, one.hash))
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ code: 'malformed' })
    }
    expect(await (await call('/v1/head')).json()).toMatchObject({ position: 0 })
  })

  test('a thousand bodies of noise and of cut and changed pushes get a 4xx, and the server lives on', {
    timeout: 30_000,
  }, async () => {
    const errors: unknown[] = []
    const { call, post, epoch } = serve({ onError: error => errors.push(error) })
    const one = await device()
    await say(one, 'a', 'one', 'two')
    const body = await pushBody(one, await epoch())
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
    expect(errors).toEqual([])
  })
})

describe('failures of the server', () => {
  const failingAppend = (fails: () => boolean) => () => {
    const storage = memoryStorage()
    return wrapStorage(storage, {
      append: async (...args) => {
        if (fails()) throw new StorageFailed('failed', 'disk /dev/secret is on fire')
        return storage.append(...args)
      },
    })
  }

  test('a storage that fails gives 503 and says nothing of the inside; then the same push goes through', async () => {
    const told: [unknown, ErrorContext][] = []
    let isFailing = true
    const { call, post, epoch } = serve({
      openStorage: failingAppend(() => isFailing),
      onError: (error, context) => told.push([error, context]),
    })
    const one = await device()
    await say(one, 'a', 'one')
    const body = await pushBody(one, await epoch())
    const answer = await post(body)
    expect(answer.status).toBe(503)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await answer.text()).not.toContain('secret')
    expect(told).toEqual([[expect.any(StorageFailed), { storeId: 'board', request: 'POST /v1/log' }]])
    expect((await call('/v1/head')).status).toBe(200)
    isFailing = false
    expect((await post(body)).status).toBe(200)
  })

  test('an authorize hook that throws gives 500, and no more than that, whatever it throws', async () => {
    for (const thrown of [new Error('password in the message'), 'password']) {
      const told: ErrorContext[] = []
      const { call } = serve({
        authorize: () => {
          throw thrown
        },
        onError: (_error, context) => told.push(context),
      })
      const answer = await call('/v1/head')
      expect(answer.status).toBe(500)
      expect(await answer.text()).not.toContain('password')
      expect(told).toEqual([{ storeId: null, request: 'GET /v1/head' }])
    }
  })

  test('an error hook that throws changes no answer', async () => {
    const { call } = serve({
      openStorage: () => {
        throw new Error('no database')
      },
      onError: () => {
        throw new Error('the logger failed, too')
      },
    })
    expect((await call('/v1/head')).status).toBe(500)
  })
})
