// The sync server on PostgreSQL: embedded, and on a server where one answers.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { hexOf } from '../../src/log/bytes.ts'
import { decodePullResponse } from '../../src/protocol/sync-messages.ts'
import {
  type OpenPostgresOptions,
  openPostgres,
  type PostgresDatabase,
} from '../../src/storage/postgres/index.ts'
import { hasPostgres, POSTGRES_NAME, POSTGRES_URL, runSql } from '../support/postgres.ts'
import { type Commits, device, pendingOf, pushBody, say, serve } from './test-server.ts'

const SCHEMA = `streamdingo_server_test_${process.pid}`

const hasServer = await hasPostgres()

const hashesOf = (commits: Commits) => commits.map(commit => commit.map(({ hash }) => hexOf(hash)))

function describeServer(name: string, options: OpenPostgresOptions): void {
  describe(name, () => {
    let database: PostgresDatabase
    let isOpen = false
    beforeAll(async () => {
      database = await openPostgres(options)
      isOpen = true
    }, 60_000)
    afterAll(async () => {
      if (isOpen) await database.close()
    })

    /** A store of the test's own. */
    function store() {
      const storeId = crypto.randomUUID()
      const token = `${storeId}~ra`
      const start = () => {
        const { server, call, post, epoch } = serve({ openStorage: id => database.storage(id) })
        return {
          close: () => server.close(),
          epoch: () => epoch(token),
          get: (path: string) => call(path, {}, token),
          post: (body: BodyInit) => post(body, {}, token),
        }
      }
      const openDevice = (): Promise<EventLog> => device(storeId)
      return { storeId, start, openDevice }
    }

    test('keeps what was pushed, with its epoch, over a restart', async () => {
      const { start, openDevice } = store()
      const before = start()
      const one = await openDevice()
      await say(one, 'a', 'one', 'two')
      await say(one, 'b', 'drei €')
      const epoch = await before.epoch()
      const body = await pushBody(one, epoch)
      expect((await before.post(body)).status).toBe(200)
      await before.close()
      const after = start()
      expect(await (await after.get('/v1/head')).json()).toMatchObject({ epoch, position: 3 })
      expect(await (await after.post(body)).json()).toMatchObject({ accepted: 2, after: null, head: 3 })
    })

    test('gives the entries that were pushed, and another device takes them', async () => {
      const { start, openDevice } = store()
      const server = start()
      const one = await openDevice()
      for (let i = 0; i < 30; i++) await say(one, `s-${i % 3}`, `${i}`)
      await server.post(await pushBody(one, await server.epoch()))
      const answer = await server.get('/v1/log?after=0')
      const page = decodePullResponse(new Uint8Array(await answer.arrayBuffer()))
      expect(hashesOf(page.commits)).toEqual(hashesOf(await pendingOf(one)))
      const two = await openDevice()
      expect(await two.applyRemote(page)).toMatchObject({ confirmed: 30 })
    })

    test('of many who push to one stream through two servers one gets in, and nothing is torn', async () => {
      const { storeId, start, openDevice } = store()
      const servers = [start(), start()] as const
      const epoch = await servers[0].epoch()
      expect(await servers[1].epoch()).toBe(epoch)
      const bodies = await Promise.all(
        Array.from({ length: 6 }, async (_, i) => {
          const log = await openDevice()
          await say(log, 'contended', `from ${i}`)
          await say(log, `own-${i}`, 'x')
          return pushBody(log, epoch)
        }),
      )
      const answers = await Promise.all(bodies.map((body, i) => servers[i % 2 === 0 ? 0 : 1].post(body)))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409, 409])
      for (const server of servers) {
        expect(await (await server.get('/v1/head')).json()).toMatchObject({ position: 2 })
      }
      const log = await openLog({ storage: database.storage(storeId), storeId, isAuthority: true })
      expect(await log.verify()).toMatchObject({ ok: true })
      await log.close()
    })

    test('answers with 503 when the database is gone', async () => {
      const { start, openDevice } = store()
      const server = start()
      const one = await openDevice()
      await say(one, 'a', 'one')
      const body = await pushBody(one, await server.epoch())
      isOpen = false
      await database.close()
      for (const path of ['/v1/head', '/v1/log', '/v1/hints']) {
        expect((await server.get(path)).status).toBe(503)
      }
      expect(await (await server.post(body)).json()).toMatchObject({ code: 'unavailable' })
    })
  })
}

describeServer('on PGlite', {})

describe.skipIf(!hasServer)(POSTGRES_NAME, () => {
  describeServer('on a PostgreSQL server', { connectionString: POSTGRES_URL, schema: SCHEMA })
  afterAll(() => runSql(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`))
})
