import { describe, expect, test } from 'vitest'
import { encodePushRequest } from '../../src/protocol/sync-messages.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { device, forged, pendingOf, pushBody, say, serve } from './test-server.ts'

describe('push and pull', () => {
  test('what one device pushes, another pulls as it was', async () => {
    const { post, epoch, pull } = serve()
    const one = await device()
    await say(one, 'a', 'one', 'two')
    await say(one, 'b', 'three')
    const receipt = await post(await pushBody(one, await epoch()))
    expect(receipt.status).toBe(200)
    expect(await receipt.json()).toEqual({
      epoch: await epoch(),
      accepted: 2,
      after: 0,
      head: 3,
      checkpoint: null,
      refusal: null,
    })
    const page = await pull('after=0')
    expect(page).toMatchObject({ epoch: await epoch(), after: 0, next: 3, head: 3 })
    const hashesOf = (commits: typeof page.commits) =>
      commits.map(commit => commit.map(({ hash }) => [...hash]))
    expect(hashesOf(page.commits)).toEqual(hashesOf(await pendingOf(one)))
  })

  test('the head says what the server holds and takes', async () => {
    const { call, epoch } = serve({ limits: { maxPushBytes: 1000, maxPullBytes: 500 } })
    expect(await (await call('/v1/head')).json()).toEqual({
      protocol: 1,
      epoch: await epoch(),
      position: 0,
      maxPushBytes: 1000,
      maxPullBytes: 500,
      features: [],
      keys: null,
    })
  })

  test('the same push again is accepted again, and written once', async () => {
    const { post, epoch } = serve()
    const one = await device()
    await say(one, 'a', 'one')
    const body = await pushBody(one, await epoch())
    await post(body)
    const again = await post(body)
    expect(again.status).toBe(200)
    expect(await again.json()).toMatchObject({ accepted: 1, after: null, head: 1, refusal: null })
  })

  test('an empty push is a receipt for nothing', async () => {
    const { post, epoch } = serve()
    const body = await encodePushRequest({ epoch: await epoch(), commits: [] }, (await device()).hash)
    expect(await (await post(body)).json()).toMatchObject({ accepted: 0, head: 0, refusal: null })
  })

  test('pages are cut by size, at commits', async () => {
    const { post, epoch, pull } = serve()
    const one = await device()
    for (let i = 0; i < 20; i++) await say(one, 'a', 'x'.repeat(500))
    await post(await pushBody(one, await epoch()))
    expect(await pull('after=3&maxBytes=2000')).toMatchObject({ after: 3, next: 6, head: 20 })
    expect(await pull('after=20')).toMatchObject({ after: 20, next: 20, commits: [] })
    // A commit is never cut, however little is asked for.
    expect(await pull('after=0&maxBytes=0')).toMatchObject({ next: 1 })
  })

  test('the server bounds a page, whatever is asked for', async () => {
    const { post, epoch, pull } = serve({ limits: { maxPullBytes: 2000 } })
    const one = await device()
    for (let i = 0; i < 20; i++) await say(one, 'a', 'x'.repeat(500))
    await post(await pushBody(one, await epoch()))
    expect(await pull('after=0&maxBytes=1000000')).toMatchObject({ next: 3 })
    expect(await pull('after=0')).toMatchObject({ next: 3 })
  })

  test('refuses a stale push with 409, and takes what comes before', async () => {
    const { post, epoch } = serve()
    const [one, two] = [await device(), await device()]
    await say(one, 'a', 'first')
    await say(two, 'b', 'fine')
    await say(two, 'a', 'late')
    await post(await pushBody(one, await epoch()))
    const stale = await post(await pushBody(two, await epoch()))
    expect(stale.status).toBe(409)
    expect(await stale.json()).toMatchObject({ accepted: 1, head: 2, refusal: { reason: 'stale' } })
  })

  test('refuses a forged event with 422', async () => {
    const { post, epoch } = serve()
    const one = await device()
    await say(one, 'a', 'one')
    const [entry] = (await pendingOf(one))[0]!
    const commits = [[{ ...entry!, recordedAt: 0 }]]
    const invalid = await post(await encodePushRequest({ epoch: await epoch(), commits }, one.hash))
    expect(invalid.status).toBe(422)
    expect(await invalid.json()).toMatchObject({ accepted: 0, head: 0, refusal: { reason: 'invalid' } })
  })

  test('refuses a known id with other content with 409', async () => {
    const { post, epoch } = serve()
    const one = await device()
    await say(one, 'a', 'one')
    await post(await pushBody(one, await epoch()))
    const commits = [[forged(one, (await pendingOf(one))[0]![0]!, { payload: '"other"' })]]
    const reused = await post(await encodePushRequest({ epoch: await epoch(), commits }, one.hash))
    expect(reused.status).toBe(409)
    expect(await reused.json()).toMatchObject({ accepted: 0, refusal: { reason: 'id-reused' } })
  })

  test('refuses an event that does not link to its stream', async () => {
    const { post, epoch } = serve()
    const one = await device()
    await say(one, 'a', 'one', 'two')
    const [, second] = (await pendingOf(one))[0]!
    const commits = [[second!]]
    const unlinked = await post(await encodePushRequest({ epoch: await epoch(), commits }, one.hash))
    expect(unlinked.status).toBe(409)
    expect(await unlinked.json()).toMatchObject({ accepted: 0, refusal: { reason: 'stale' } })
  })

  test('refuses a push for another epoch, and a pull from behind the end', async () => {
    const { call, post, epoch } = serve()
    const one = await device()
    await say(one, 'a', 'one')
    const answer = await post(await pushBody(one, 'another'))
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({ code: 'epoch-changed', facts: { epoch: await epoch() } })
    const ahead = await call('/v1/log?after=7')
    expect(ahead.status).toBe(409)
    expect(await ahead.json()).toMatchObject({ code: 'ahead-of-server', facts: { after: 7, head: 0 } })
  })

  test('of two devices that push to one stream at once, one is told to pull first', async () => {
    const { post, epoch } = serve()
    const bodies = await Promise.all(
      ['one', 'two'].map(async text => {
        const log = await device()
        await say(log, 'a', text)
        return pushBody(log, await epoch())
      }),
    )
    const statuses = (await Promise.all(bodies.map(body => post(body)))).map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, 409])
  })
})

describe('two servers on one database', () => {
  async function pair() {
    const database = createMemoryDatabase()
    const openStorage = () => memoryStorage({ database })
    return [serve({ openStorage }), serve({ openStorage })] as const
  }

  test('a pull from one has what the other took', async () => {
    const [left, right] = await pair()
    expect(await right.epoch()).toBe(await left.epoch())
    const one = await device()
    await say(one, 'a', 'one')
    await left.post(await pushBody(one, await left.epoch()))
    expect(await right.pull('after=1')).toMatchObject({ after: 1, next: 1, head: 1 })
    expect(await (await right.call('/v1/head')).json()).toMatchObject({ position: 1 })
  })

  test('a push to one may stand on what the other took', async () => {
    const [left, right] = await pair()
    const one = await device()
    await say(one, 'a', 'one')
    await right.epoch()
    await left.post(await pushBody(one, await left.epoch()))
    await say(one, 'a', 'two')
    const rest = (await pendingOf(one)).slice(1)
    const body = await encodePushRequest({ epoch: await left.epoch(), commits: rest }, one.hash)
    expect((await right.post(body)).status).toBe(200)
  })

  test('that made an epoch at once serve the one that stayed', async () => {
    const database = createMemoryDatabase()
    let arrived = 0
    let meet = () => {}
    const bothLooked = new Promise<void>(resolve => {
      meet = resolve
    })
    const openStorage = () => {
      const storage = memoryStorage({ database })
      return wrapStorage(storage, {
        get: async key => {
          const value = await storage.get(key)
          // Both have looked and found none before either writes one.
          if (key === 'server/epoch' && ++arrived === 2) meet()
          if (key === 'server/epoch') await bothLooked
          return value
        },
      })
    }
    const [left, right] = [serve({ openStorage }), serve({ openStorage })]
    await Promise.all([left.epoch(), right.epoch()])
    expect(await left.epoch()).toBe(await right.epoch())
  })
})

describe('who may do what', () => {
  test('401 without a token, 403 without the right', async () => {
    const { call, post, epoch } = serve()
    const anonymous = await call('/v1/head', { headers: { authorization: 'Basic abc' } })
    expect(anonymous.status).toBe(401)
    expect(anonymous.headers.get('www-authenticate')).toBe('Bearer')
    for (const path of ['/v1/head', '/v1/log', '/v1/hints']) {
      expect((await call(path, {}, 'board~a')).status).toBe(403)
    }
    const one = await device()
    await say(one, 'a', 'one')
    expect((await post(await pushBody(one, await epoch()), {}, 'board~r')).status).toBe(403)
    expect(await (await call('/v1/head')).json()).toMatchObject({ position: 0 })
  })

  test('a path does not say whether it exists to whoever has no token', async () => {
    const { call } = serve()
    const nobody = { headers: { authorization: '' } }
    expect((await call('/v1/elsewhere', nobody)).status).toBe(401)
    expect((await call('/v1/elsewhere')).status).toBe(404)
  })

  test("one tenant never sees or changes what is another one's", async () => {
    const { call, post, epoch } = serve()
    const one = await device()
    await say(one, 'a', 'secret')
    await post(await pushBody(one, await epoch()))
    expect(await (await call('/v1/head', {}, 'other~ra')).json()).toMatchObject({ position: 0 })
    expect(await (await call('/v1/log', {}, 'other~ra')).text()).not.toContain('secret')
    const foreign = await post(await pushBody(one, await epoch('other~ra')), {}, 'other~ra')
    // The genesis hash holds the store's id: events of another store fit nowhere.
    expect(foreign.status).toBe(409)
    expect(await foreign.json()).toMatchObject({ accepted: 0, refusal: { reason: 'stale' } })
    expect(await epoch('other~ra')).not.toBe(await epoch())
  })

  test('pages of other origins may call only when they are listed, and read the failures, too', async () => {
    const preflight = {
      method: 'OPTIONS',
      headers: { origin: 'http://app', 'access-control-request-method': 'POST' },
    }
    const listed = serve({ cors: { origins: ['http://app'] } })
    const allowed = await listed.call('/v1/log', preflight)
    expect(allowed.headers.get('access-control-allow-origin')).toBe('http://app')
    expect(allowed.headers.get('access-control-allow-headers')).toContain('authorization')
    const failed = await listed.call('/v1/head', { headers: { origin: 'http://app', authorization: '' } })
    expect(failed.status).toBe(401)
    expect(failed.headers.get('access-control-allow-origin')).toBe('http://app')
    expect(failed.headers.get('access-control-expose-headers')).toContain('retry-after')
    const unlisted = serve({ cors: { origins: ['http://other'] } })
    expect((await unlisted.call('/v1/log', preflight)).headers.get('access-control-allow-origin')).toBeNull()
    expect((await serve().call('/v1/log', preflight)).headers.get('access-control-allow-origin')).toBeNull()
  })

  test('nothing is kept by a cache or taken for a page', async () => {
    const { call } = serve()
    for (const path of ['/v1/head', '/v1/log', '/elsewhere']) {
      const { headers } = await call(path)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
    }
  })
})
