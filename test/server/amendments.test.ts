// The server takes amendments as this release writes them, and nothing else that calls itself one.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { AMENDMENT_TYPE } from '../../src/log/amendment.ts'
import { hexOf, utf8 } from '../../src/log/bytes.ts'
import { type Entry, KIND_AMENDMENT, KIND_EVENT, KIND_SYSTEM } from '../../src/log/entry.ts'
import { erasedForm } from '../../src/log/erased-entry.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { HashChain } from '../../src/log/hash-chain.ts'
import { decodePullResponse, encodePushRequest } from '../../src/protocol/sync-messages.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import {
  type OpenPostgresOptions,
  openPostgres,
  type PostgresDatabase,
} from '../../src/storage/postgres/index.ts'
import { hasPostgres, POSTGRES_NAME, POSTGRES_URL, runSql } from '../support/postgres.ts'
import { device, pendingOf, pushBody, say, serve } from './test-server.ts'

/** A device whose stream has A B C, and X behind A by an amendment: two commits. */
async function amendedDevice(storeId = 'board') {
  const log = await device(storeId)
  await say(log, 'a', 'A', 'B', 'C')
  const store = createEventStore(log)
  const [first] = (await store.readStream('a')).events
  const amendmentId = newEventId()
  const amendments = [
    { kind: 'insert', after: first!.metadata.eventId, event: { type: 'Said', data: 'X' } },
  ] as const
  await store.amendStream('a', amendments, { amendmentId, reason: 'left out \0, in haste' })
  const [events, amendment] = (await pendingOf(log)) as [Entry[], [inserted: Entry, amendment: Entry]]
  return { log, amendmentId, events, amendment }
}

type Part = Partial<Omit<Entry, 'payload' | 'metadata'>> &
  Readonly<{ from: Entry; payload?: unknown; metadata?: string }>

/** A commit in which all links and hashes hold, whatever else does not: what a hostile client can make. */
function linkedBehind(last: Entry, parts: readonly Part[], log: EventLog): Entry[] {
  const chain = new HashChain(log.hash)
  const heads = new Map([[last.streamName, { version: last.streamVersion, hash: last.hash }]])
  return parts.map(({ from, payload, metadata, ...rest }) => {
    const changed = {
      ...from,
      ...(payload !== undefined && { payload: utf8(textOf(payload)) }),
      ...(metadata !== undefined && { metadata: utf8(metadata) }),
      ...rest,
    }
    const { streamName } = changed
    const head = heads.get(streamName) ?? { version: 0, hash: chain.genesis(log.storeId, streamName) }
    const unlinked = { ...changed, streamVersion: head.version + 1, previous: head.hash }
    const linked = { ...unlinked, hash: chain.hashOf(unlinked) }
    heads.set(streamName, { version: linked.streamVersion, hash: linked.hash })
    return linked
  })
}

/** Text is what it is; all else is sent as JSON. */
const textOf = (payload: unknown): string => (typeof payload === 'string' ? payload : JSON.stringify(payload))

const remove = (version: unknown) => ({ reason: '', changes: [{ kind: 'remove', version }] })
const changing = (...changes: unknown[]) => ({ reason: '', changes })

type Forge = (x: Entry, amendment: Entry) => Part[]

/** In the place of the amendment of version 5, behind X of version 4. */
const payload =
  (value: unknown): Forge =>
  (x, amendment) => [{ from: x }, { from: amendment, payload: value }]
/** In its place with nothing before, at version 4. */
const alone =
  (part: Omit<Part, 'from'>): Forge =>
  (_x, amendment) => [{ from: amendment, ...part }]

const INVALID: readonly (readonly [string, Forge])[] = [
  ['of another type', (x, from) => [{ from: x }, { from, type: 'Amended' }]],
  ['of a later schema version', (x, from) => [{ from: x }, { from, schemaVersion: 2 }]],
  ['with metadata', (x, from) => [{ from: x }, { from, metadata: '{"metadata":{"customer":"c-17"}}' }]],
  ['that is no object', payload(null)],
  ['without changes', payload({ reason: '' })],
  ['with an empty list of changes', payload(changing())],
  ['with changes that are no list', payload({ reason: '', changes: { length: 1 } })],
  ['with a change that is none', payload(changing(null))],
  ['with a change that is not known', alone({ payload: changing({ kind: 'swap', version: 1, after: 2 }) })],
  ['without a reason', alone({ payload: { changes: remove(1).changes } })],
  ['with a reason of too many characters', alone({ payload: { ...remove(1), reason: 'x'.repeat(1_025) } })],
  [
    'with too many changes',
    alone({ payload: changing(...new Array(10_001).fill({ kind: 'remove', version: 1 })) }),
  ],
  ['of a version before the first', alone({ payload: remove(0) })],
  ['of a version that is not there yet', alone({ payload: remove(5) })],
  ['of its own version', alone({ payload: remove(4) })],
  ['of half a version', alone({ payload: remove(1.5) })],
  ['of a version in words', alone({ payload: remove('1') })],
  [
    'behind a version that is not there',
    alone({ payload: changing({ kind: 'move', version: 1, after: 9 }) }),
  ],
  ['behind itself', alone({ payload: changing({ kind: 'move', version: 2, after: 2 }) })],
  ['behind nothing', alone({ payload: changing({ kind: 'move', version: 2 }) })],
  [
    'that replaces by what it does not bring',
    alone({ payload: changing({ kind: 'replace', version: 1, by: 2 }) }),
  ],
  [
    'that inserts what was there before',
    alone({ payload: changing({ kind: 'insert', version: 3, after: 1 }) }),
  ],
  [
    'that inserts another event than the one before it',
    (x, from) => [
      { from: x },
      { from: x, eventId: new Uint8Array(16).fill(7) },
      { from, payload: changing({ kind: 'insert', version: 4, after: 1 }) },
    ],
  ],
  [
    'that inserts in another order than they came',
    (x, from) => [
      { from: x },
      { from: x, eventId: new Uint8Array(16).fill(7) },
      {
        from,
        payload: changing({ kind: 'insert', version: 5, after: 1 }, { kind: 'insert', version: 4, after: 1 }),
      },
    ],
  ],
  [
    'that inserts an event of another stream',
    (x, from) => [
      { from: x, streamName: 'b' },
      { from, payload: changing({ kind: 'insert', version: 3, after: 1 }) },
    ],
  ],
  [
    'that inserts an amendment',
    (_x, from) => [
      { from, eventId: new Uint8Array(16).fill(7), payload: remove(2) },
      { from, payload: changing({ kind: 'insert', version: 4, after: 1 }) },
    ],
  ],
]

const MALFORMED: readonly (readonly [string, string, Forge])[] = [
  ['that is no JSON', 'json', payload('{')],
  [
    'with a lone surrogate',
    'entry',
    payload('{"reason":"\\ud800","changes":[{"kind":"remove","version":1}]}'),
  ],
  ['in a stream of the system', 'entry', (_x, from) => [{ from, streamName: '$sync' }]],
  ['as an entry of the system', 'entry', (x, from) => [{ from: x }, { from, kind: KIND_SYSTEM }]],
  ['of a kind that nobody knows', 'newer', (x, from) => [{ from: x }, { from, kind: 3 }]],
]

describe('a push', () => {
  /** A server that has the events, and pushes forged commits behind them. */
  async function server() {
    const served = serve()
    const { log, amendmentId, events, amendment } = await amendedDevice()
    const epoch = await served.epoch()
    const push = async (...commits: Entry[][]) =>
      served.post(await encodePushRequest({ epoch, commits }, log.hash))
    expect((await push(events)).status).toBe(200)
    const forged = (forge: Forge) => push(linkedBehind(events.at(-1)!, forge(...amendment), log))
    const hasNothingMore = async () =>
      expect(await (await served.call('/v1/head')).json()).toMatchObject({ position: 3 })
    return { ...served, log, amendmentId, amendment, push, forged, hasNothingMore }
  }

  test('of an amendment is taken, once, and given to others as it is', async () => {
    const { push, amendment, pull } = await server()
    expect(await (await push(amendment)).json()).toMatchObject({ accepted: 1, head: 5, refusal: null })
    expect(await (await push(amendment)).json()).toMatchObject({ accepted: 1, after: null, refusal: null })
    const two = await device()
    await two.applyRemote(await pull('after=0'))
    const { events } = await createEventStore(two).readStream('a')
    expect(events.map(({ data }) => data)).toEqual(['A', 'X', 'B', 'C'])
    expect(await createEventStore(two).amendments('a')).toMatchObject([{ reason: 'left out \0, in haste' }])
  })

  test('of what is forged as these are is taken where it is well-formed', async () => {
    const { forged } = await server()
    const answer = await forged((x, amendment) => [
      { from: x },
      {
        from: amendment,
        payload: changing({ kind: 'insert', version: 4, after: 0 }, { kind: 'remove', version: 2 }),
      },
    ])
    expect([answer.status, await answer.json()]).toMatchObject([200, { refusal: null }])
  })

  test.each(INVALID)('of an amendment %s is refused', async (_name, forge) => {
    const { forged, hasNothingMore } = await server()
    const answer = await forged(forge)
    expect([answer.status, await answer.json()]).toMatchObject([
      422,
      { accepted: 0, refusal: { reason: 'invalid', detail: expect.stringContaining('no amendment') } },
    ])
    await hasNothingMore()
  })

  test.each(MALFORMED)('of an amendment %s is malformed', async (_name, fault, forge) => {
    const { forged, hasNothingMore } = await server()
    const answer = await forged(forge)
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'malformed', facts: { fault } }])
    await hasNothingMore()
  })

  test('of an amendment without its content is refused: where events stand, all must know', async () => {
    const { push, amendment, log, hasNothingMore } = await server()
    const [x, change] = amendment
    const erased = erasedForm(change, new HashChain(log.hash).bodyOf(change))
    const answer = await push([x, erased])
    expect([answer.status, await answer.json()]).toMatchObject([422, { refusal: { reason: 'invalid' } }])
    await hasNothingMore()
  })

  test('of an event that has the type of an amendment is one of an event, and amends nothing', async () => {
    const { forged, pull } = await server()
    const answer = await forged((_x, from) => [{ from, kind: KIND_EVENT, payload: remove(1) }])
    expect(answer.status).toBe(200)
    const two = await device()
    await two.applyRemote(await pull('after=0'))
    expect(await createEventStore(two).amendments('a')).toEqual([])
    const { events } = await createEventStore(two).readStream('a')
    expect(events.map(({ type, data }) => [type, data]).slice(2)).toEqual([
      ['Said', 'C'],
      [AMENDMENT_TYPE, remove(1)],
    ])
  })

  test('of an amendment whose id somebody had erased is taken with its content, and the log holds', async () => {
    const { call, epoch, push, amendment, amendmentId, pull, databases } = await server()
    const erasure = { epoch: await epoch(), eventIds: [amendmentId], reason: null, erasedAt: 1 }
    const headers = { 'content-type': 'application/json' }
    const erase = () =>
      call('/v1/erasures', { method: 'POST', body: JSON.stringify(erasure), headers }, 'board~rae')
    expect((await erase()).status).toBe(200)
    expect((await push(amendment)).status).toBe(200)
    expect((await erase()).status).toBe(200)
    const two = await device()
    await two.applyRemote(await pull('after=0'))
    await two.erasures.take(erasure)
    expect(await createEventStore(two).amendments('a')).toHaveLength(1)
    const storage = memoryStorage({ database: databases.get('board')! })
    const here = await openLog({ storage, storeId: 'board', isAuthority: true })
    for (const log of [two, here]) expect(await log.verify()).toMatchObject({ ok: true, events: 5 })
    await here.close()
    expect(await (await call('/v1/erasures')).json()).toMatchObject({ count: 1 })
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

    test('keeps amendments to the byte, in their order, over a restart', async () => {
      const storeId = crypto.randomUUID()
      const token = `${storeId}~ra`
      const start = () => serve({ openStorage: id => database!.storage(id) })
      const before = start()
      const { log } = await amendedDevice(storeId)
      const epoch = await before.epoch(token)
      expect((await before.post(await pushBody(log, epoch), {}, token)).status).toBe(200)
      await before.server.close()
      const answer = await start().call('/v1/log?after=0', {}, token)
      const page = decodePullResponse(new Uint8Array(await answer.arrayBuffer()))
      const readable = (entries: readonly Entry[]) =>
        entries.map(({ kind, hash, payload, metadata }) => [
          kind,
          hexOf(hash),
          hexOf(payload),
          hexOf(metadata),
        ])
      expect(page.commits.map(readable)).toEqual((await pendingOf(log)).map(readable))
      const two = await device(storeId)
      await two.applyRemote(page)
      const { events } = await createEventStore(two).readStream('a')
      expect(events.map(({ data }) => data)).toEqual(['A', 'X', 'B', 'C'])
      const here = await openLog({ storage: database!.storage(storeId), storeId, isAuthority: true })
      expect(await here.verify()).toMatchObject({ ok: true, events: 5 })
      expect(await createEventStore(here).amendments('a')).toMatchObject([{ streamVersion: 5 }])
      await here.close()
      if (schema) {
        const rows = await runSql<{ kind: number; json: { changes: unknown } | null }>(
          `SELECT kind, payload_json AS json FROM "${schema}".streamdingo_entries WHERE store_id = '${storeId}' ORDER BY position`,
        )
        // Of what has a U+0000 in it, PostgreSQL makes no jsonb.
        expect(rows.map(({ kind, json }) => [kind, json])).toEqual([
          [KIND_EVENT, 'A'],
          [KIND_EVENT, 'B'],
          [KIND_EVENT, 'C'],
          [KIND_EVENT, 'X'],
          [KIND_AMENDMENT, null],
        ])
      }
    })
  })
}

const SCHEMA = `streamdingo_amendment_test_${process.pid}`

describeOnPostgres('an embedded PostgreSQL', {})
describe.skipIf(!(await hasPostgres()))(POSTGRES_NAME, () => {
  describeOnPostgres('a server', { connectionString: POSTGRES_URL, schema: SCHEMA }, SCHEMA)
})
