import { afterEach, expect, test, vi } from 'vitest'
import { listen } from '../../src/server/node.ts'
import { serve } from './test-server.ts'

afterEach(() => {
  vi.useRealTimers()
})

const nobody = { headers: { authorization: '' } }

test('says that the server lives and can serve, without a token, and nothing more', async () => {
  const { call } = serve()
  for (const path of ['/healthz', '/healthz/ready']) {
    const answer = await call(path, nobody)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ status: 'ok' })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect((await call(path, { ...nobody, method: 'HEAD' })).status).toBe(200)
  }
  for (const path of ['/healthz/', '/healthz/ready/x', '/healthz/live']) {
    expect((await call(path, nobody)).status).toBe(404)
  }
})

test('a storage that cannot be reached makes it not ready, and does not say why', async () => {
  const errors: unknown[] = []
  const { call } = serve({
    checkStorage: async () => {
      throw new Error('password authentication failed')
    },
    onError: error => errors.push(error),
  })
  const answer = await call('/healthz/ready', nobody)
  expect(answer.status).toBe(503)
  expect(await answer.json()).toEqual({ status: 'unavailable' })
  expect(errors).toHaveLength(1)
  expect((await call('/healthz', nobody)).status).toBe(200)
})

test('a storage that does not answer is none', async () => {
  vi.useFakeTimers()
  const { call } = serve({ checkStorage: () => new Promise(() => {}) })
  const answer = call('/healthz/ready', nobody)
  await vi.advanceTimersByTimeAsync(5_000)
  expect((await answer).status).toBe(503)
})

test('asking often asks the storage once a second, and sees that it is back', async () => {
  vi.useFakeTimers()
  let asked = 0
  let isThere = false
  const { call } = serve({
    checkStorage: async () => {
      asked++
      if (!isThere) throw new Error('away')
    },
  })
  const statuses = async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => call('/healthz/ready', nobody)))
    return new Set(answers.map(({ status }) => status))
  }
  expect(await statuses()).toEqual(new Set([503]))
  expect(asked).toBe(1)
  isThere = true
  await vi.advanceTimersByTimeAsync(1_001)
  expect(await statuses()).toEqual(new Set([200]))
  expect(asked).toBe(2)
})

test('a server that closes lives, and is not ready', async () => {
  const { call, server } = serve()
  await server.close()
  expect((await call('/healthz', nobody)).status).toBe(200)
  expect((await call('/healthz/ready', nobody)).status).toBe(503)
})

test('is reached below the base path', async () => {
  const { server } = serve()
  const { url, close } = await listen(server, { basePath: '/sync' })
  expect((await fetch(`${url}/sync/healthz`)).status).toBe(200)
  expect((await fetch(`${url}/sync/healthz/ready`)).status).toBe(200)
  expect((await fetch(`${url}/healthz`)).status).toBe(404)
  await close()
})
