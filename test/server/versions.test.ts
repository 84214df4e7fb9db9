// What a server says of the versions that it speaks, to whoever asks and to who comes with another one.

import { describe, expect, test } from 'vitest'
import { decodeVersions } from '../../src/protocol/negotiation.ts'
import { serve } from './test-server.ts'

const limits = { maxPushBytes: 5_000, maxPullBytes: 7_000 }

describe('versions and limits', () => {
  test('are told to anybody, without a token and without a store', async () => {
    const server = serve({ limits })
    const answer = await server.server.fetch(new Request('http://server/versions'))
    expect(answer.status).toBe(200)
    expect(decodeVersions(await answer.json())).toEqual({ versions: [1], features: ['streams'], limits })
    expect(server.databases.size).toBe(0)
  })

  test('are told to pages of the origins that may call', async () => {
    const { server } = serve({ cors: { origins: ['https://app.example.org'] } })
    const origin = async (name: string) => {
      const request = new Request('http://server/versions', { headers: { origin: name } })
      return (await server.fetch(request)).headers.get('access-control-allow-origin')
    }
    expect(await origin('https://app.example.org')).toBe('https://app.example.org')
    expect(await origin('https://other.example.org')).toBeNull()
  })

  test('stand in the head and in each page, so that a first push fits', async () => {
    const server = serve({ limits })
    expect(await (await server.call('/v1/head')).json()).toMatchObject({
      protocol: 1,
      features: ['streams'],
      ...limits,
    })
    expect(await server.pull('after=0')).toMatchObject({ maxPushBytes: 5_000, features: ['streams'] })
  })
})

describe('a version that is not served', () => {
  test.each(['/v2/log', '/v0/head', '/v10/hints'])('%s: is told which ones are', async path => {
    for (const method of ['GET', 'POST']) {
      const answer = await serve().call(path, { method })
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ code: 'unsupported-protocol', facts: { versions: [1] } })
    }
  })

  test('is no path that there is not', async () => {
    for (const path of ['/v1/nothing', '/v1', '/vx/log', '/2/log']) {
      const answer = await serve().call(path)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ code: 'not-found' })
    }
  })
})

test.each([
  {},
  { versions: [], limits },
  { versions: ['1'], limits },
  { versions: [1] },
  { versions: [1], limits: { maxPushBytes: -1, maxPullBytes: 1 } },
  { versions: [1], limits, features: 'streams' },
])('%j: is not taken for what a server says of itself', json => {
  expect(() => decodeVersions(json)).toThrow()
})
