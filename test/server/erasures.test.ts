import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { decodePullResponse } from '../../src/protocol/sync-messages.ts'
import {
  type OpenPostgresOptions,
  openPostgres,
  type PostgresDatabase,
} from '../../src/storage/postgres/index.ts'
import { hasPostgres, POSTGRES_NAME, POSTGRES_URL, runSql } from '../support/postgres.ts'
import { placesOf } from '../support/stored-text.ts'
import { device, pushBody, serve } from './test-server.ts'

const JSON_BODY = { 'content-type': 'application/json' }

type TestServer = Pick<ReturnType<typeof serve>, 'call'>

const erase = ({ call }: TestServer, body: unknown, token = 'board~rae', headers: object = JSON_BODY) =>
  call(
    '/v1/erasures',
    { method: 'POST', body: JSON.stringify(body), headers: headers as Record<string, string> },
    token,
  )

/** Appends and pushes events with these texts; returns their ids. */
async function pushed(
  server: Pick<ReturnType<typeof serve>, 'epoch' | 'post'>,
  texts: readonly string[],
  storeId = 'board',
) {
  const log = await device(storeId)
  const events = texts.map(data => ({ type: 'Said', id: newEventId(), data }))
  await createEventStore(log).appendToStream('a', events)
  const token = `${storeId}~ra`
  expect((await server.post(await pushBody(log, await server.epoch(token)), {}, token)).status).toBe(200)
  await log.close()
  return events.map(({ id }) => id)
}

describe('the list of erasures', () => {
  test('is asked for by number, and has what was erased when the answer comes', async () => {
    const server = serve()
    const [first, second] = await pushed(server, ['a-secret', 'kept'])
    const epoch = await server.epoch()
    const database = server.databases.get('board')!
    expect(placesOf('a-secret', database)).not.toEqual([])
    const erasure = { eventIds: [first!.toUpperCase()], reason: 'asked for', erasedAt: 12 }
    const answer = await erase(server, { epoch, ...erasure })
    expect([answer.status, await answer.json()]).toEqual([200, { epoch, count: 1 }])
    expect(placesOf('a-secret', database)).toEqual([])

    const listed = await (await server.call('/v1/erasures?after=0')).json()
    expect(listed).toEqual({ epoch, after: 0, count: 1, erasures: [{ ...erasure, eventIds: [first] }] })
    expect(await (await server.call('/v1/erasures?after=1')).json()).toMatchObject({ count: 1, erasures: [] })
    const page = await server.pull('after=0')
    expect(page.erasures).toBe(1)
    expect(page.commits.flat().map(({ kind }) => kind)).toEqual([0x80, 0])

    expect((await erase(server, { epoch, ...erasure })).status).toBe(200)
    expect((await erase(server, { epoch, ...erasure, eventIds: [second] })).status).toBe(200)
    expect(await (await server.call('/v1/erasures?after=1')).json()).toMatchObject({
      count: 2,
      erasures: [{ eventIds: [second] }],
    })
  })

  test('is in pages, none left out', async () => {
    const server = serve()
    const epoch = await server.epoch()
    const ids = (count: number) => Array.from({ length: count }, () => newEventId())
    const sent = [ids(10_000), ids(10_000), ids(9_000), ids(1)]
    for (const eventIds of sent) await erase(server, { epoch, eventIds, reason: null, erasedAt: 1 })
    const received: string[][] = []
    while (received.length < sent.length) {
      const answer = await server.call(`/v1/erasures?after=${received.length}`)
      const { erasures } = (await answer.json()) as { erasures: { eventIds: string[] }[] }
      expect(erasures.length).toBeGreaterThan(0)
      received.push(...erasures.map(({ eventIds }) => eventIds))
    }
    expect(received).toEqual(sent)
  })

  test('is heard of by live clients at once', async () => {
    const server = serve()
    const [id] = await pushed(server, ['a-secret'])
    const epoch = await server.epoch()
    const reader = (await server.call('/v1/hints')).body!.getReader()
    const next = async () => new TextDecoder().decode((await reader.read()).value)
    expect(await next()).toContain('"erasures":0')
    await erase(server, { epoch, eventIds: [id], reason: null, erasedAt: 1 })
    expect(await next()).toContain(`{"position":1,"epoch":"${epoch}","erasures":1}`)
    await reader.cancel()
  })

  test('takes nothing from who may not erase, and nothing for another log', async () => {
    const server = serve()
    const [id] = await pushed(server, ['a-secret'])
    const epoch = await server.epoch()
    const erasure = { epoch, eventIds: [id], reason: null, erasedAt: 1 }
    for (const token of ['board~ra', 'board~re'])
      expect((await erase(server, erasure, token)).status).toBe(403)
    expect((await server.call('/v1/erasures', {}, 'board~ae')).status).toBe(403)
    const other = await erase(server, { ...erasure, epoch: 'another' })
    expect([other.status, await other.json()]).toMatchObject([
      409,
      { code: 'epoch-changed', facts: { epoch } },
    ])
    // The token says whose log it is.
    expect(
      (await erase(server, { ...erasure, epoch: await server.epoch('foreign~rae') }, 'foreign~rae')).status,
    ).toBe(200)
    expect(placesOf('a-secret', server.databases.get('board')!)).not.toEqual([])
    expect((await server.call('/v1/erasures', { method: 'DELETE' })).headers.get('allow')).toBe('GET,POST')
  })

  test.each([
    ['no object', []],
    ['no epoch', { eventIds: [newEventId()], reason: null, erasedAt: 1 }],
    ['an empty epoch', { epoch: '', eventIds: [newEventId()], reason: null, erasedAt: 1 }],
    ['no list of ids', { epoch: 'e', eventIds: 'all', reason: null, erasedAt: 1 }],
    ['no ids', { epoch: 'e', eventIds: [], reason: null, erasedAt: 1 }],
    [
      'too many ids',
      { epoch: 'e', eventIds: new Array(10_001).fill(newEventId()), reason: null, erasedAt: 1 },
    ],
    ['an id that is none', { epoch: 'e', eventIds: ['*'], reason: null, erasedAt: 1 }],
    ['an id of another kind', { epoch: 'e', eventIds: [{ $ne: null }], reason: null, erasedAt: 1 }],
    ['a long reason', { epoch: 'e', eventIds: [newEventId()], reason: 'x'.repeat(1_025), erasedAt: 1 }],
    ['no time', { epoch: 'e', eventIds: [newEventId()], reason: null, erasedAt: -1 }],
  ])('refuses %s', async (_name, body) => {
    const answer = await erase(serve(), body)
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'malformed' }])
  })

  test('refuses bodies that are no JSON, of another kind, or too large', async () => {
    const server = serve()
    const post = (body: string, headers: object = JSON_BODY) =>
      server.call(
        '/v1/erasures',
        { method: 'POST', body, headers: headers as Record<string, string> },
        'board~rae',
      )
    expect((await post('{')).status).toBe(400)
    expect((await post('['.repeat(20_000))).status).toBe(400)
    expect((await post('{}', { 'content-type': 'application/octet-stream' })).status).toBe(415)
    expect((await post(' '.repeat(600 * 1024))).status).toBe(413)
  })
})

function describeOnPostgres(name: string, options: OpenPostgresOptions, schema?: string): void {
  describe(name, () => {
    let database: PostgresDatabase | undefined
    beforeAll(async () => {
      database = await openPostgres(options)
    }, 60_000)
    afterAll(async () => {
      await database?.close()
      if (schema) await runSql(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
    })

    test('rows have nothing left of what was erased, for every server on the database', async () => {
      const storeId = crypto.randomUUID()
      const token = `${storeId}~rae`
      const [one, two] = [
        serve({ openStorage: id => database!.storage(id) }),
        serve({ openStorage: id => database!.storage(id) }),
      ]
      const texts = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? `a-secret-${i}` : `kept-${i}`))
      const ids = await pushed(one, texts, storeId)
      const epoch = await one.epoch(token)
      expect(await pageOf(two)).toContain('a-secret')
      const eventIds = ids.filter((_, i) => i % 3 === 0)
      expect((await erase(one, { epoch, eventIds, reason: null, erasedAt: 1 }, token)).status).toBe(200)
      for (const server of [one, two]) {
        const page = await pageOf(server)
        expect(page).not.toContain('a-secret')
        for (let i = 1; i < 300; i += 3) expect(page).toContain(`kept-${i}`)
        expect(await (await server.call('/v1/erasures', {}, token)).json()).toMatchObject({ count: 1 })
      }
      if (schema) {
        const rows = await runSql<{ row: string }>(
          `SELECT entry::text || convert_from(payload, 'UTF8') AS row FROM "${schema}".streamdingo_entries AS entry WHERE store_id = '${storeId}'`,
        )
        expect(rows).toHaveLength(300)
        expect(rows.filter(({ row }) => row.includes('a-secret'))).toEqual([])
      }
      const log = await device(storeId)
      for (let after = 0; after < 300; ) {
        const answer = await one.call(`/v1/log?after=${after}`, {}, token)
        const { commits, next } = decodePullResponse(new Uint8Array(await answer.arrayBuffer()))
        await log.applyRemote({ epoch, after, commits, next })
        after = next
      }
      expect(await log.verify()).toMatchObject({ ok: true, events: 300 })
      await log.close()

      async function pageOf(server: TestServer): Promise<string> {
        const answer = await server.call('/v1/log?after=0', {}, token)
        return Buffer.from(await answer.arrayBuffer()).toString('latin1')
      }
    })
  })
}

const SCHEMA = `streamdingo_erasure_test_${process.pid}`

describeOnPostgres('an embedded PostgreSQL', {})
describe.skipIf(!(await hasPostgres()))(POSTGRES_NAME, () => {
  describeOnPostgres('a server', { connectionString: POSTGRES_URL, schema: SCHEMA }, SCHEMA)
})
