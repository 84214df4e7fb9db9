// What hostile clients send: none of it may fell the server, change a log in a way that is not one, or let one tenant
// see another's.

import { once } from 'node:events'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { ByteWriter, utf8 } from '../../src/log/bytes.ts'
import type { Entry } from '../../src/log/entry.ts'
import { eventIdOf } from '../../src/log/event-id.ts'
import { HashChain } from '../../src/log/hash-chain.ts'
import { encodePushRequest } from '../../src/protocol/sync-messages.ts'
import { listen } from '../../src/server/node.ts'
import { NO_JSON, ODD_JSON, UNFAITHFUL } from './hostile-json.ts'
import { type Commits, device, forged, pendingOf, pushBody, say, serve } from './test-server.ts'

const signing = { name: 'sync.example.org', keyPair: await generateKeyPair() }

async function oneEntry(streamName = 'a'): Promise<{ one: EventLog; entry: Entry }> {
  const one = await device()
  await say(one, streamName, 'one')
  return { one, entry: (await pendingOf(one))[0]![0]! }
}

/** The entry with these bytes in it, and the hash that goes with them. */
function holding(log: EventLog, entry: Entry, content: Partial<Pick<Entry, 'payload' | 'metadata'>>): Entry {
  const changed = { ...entry, ...content }
  return { ...changed, hash: new HashChain(log.hash).hashOf(changed) }
}

function framed(...frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(frames.reduce((sum, { length }) => sum + length + 4, 0))
  for (const frame of frames) {
    writer.u32(frame.length)
    writer.raw(frame)
  }
  return writer.bytes()
}

describe('JSON that is none', () => {
  test('is refused as the head of a push, with all that comes behind it', async () => {
    const { call, post, epoch } = serve()
    const { one } = await oneEntry()
    const body = await pushBody(one, await epoch())
    const headEnd = 4 + new DataView(body.buffer).getUint32(0)
    for (const [name, json] of Object.entries({ ...NO_JSON, ...UNFAITHFUL })) {
      const answer = await post(new Uint8Array([...framed(json), ...body.subarray(headEnd)]))
      expect([name, answer.status]).toEqual([name, 400])
      expect(await answer.json()).toMatchObject({ code: 'malformed' })
    }
    expect(await (await call('/v1/head')).json()).toMatchObject({ position: 0 })
  })

  test('is refused as what an event says, or what is said of it, though its hash is right', async () => {
    const { call, post, epoch } = serve()
    const { one, entry } = await oneEntry()
    for (const [name, json] of Object.entries({ ...NO_JSON, ...UNFAITHFUL })) {
      for (const place of ['payload', 'metadata'] as const) {
        const commits = [[holding(one, entry, { [place]: json })]]
        const answer = await post(await encodePushRequest({ epoch: await epoch(), commits }, one.hash))
        expect([name, place, answer.status]).toEqual([name, place, 400])
      }
    }
    expect(await (await call('/v1/head')).json()).toMatchObject({ position: 0 })
  })

  test('is refused as an erasure', async () => {
    const { call } = serve()
    for (const [name, body] of Object.entries({ ...NO_JSON, ...UNFAITHFUL })) {
      const headers = { 'content-type': 'application/json' }
      const answer = await call('/v1/erasures', { method: 'POST', body, headers }, 'board~rae')
      expect([name, answer.status]).toEqual([name, 400])
    }
    expect(await (await call('/v1/erasures')).json()).toMatchObject({ count: 0 })
  })

  test('is not what is merely odd: that is taken, and given out as it was, to the byte', async () => {
    const { post, epoch, pull } = serve()
    const said = Object.values(ODD_JSON)
    for (const [i, payload] of said.entries()) {
      const { one, entry } = await oneEntry(`odd-${i}`)
      const commits = [[holding(one, entry, { payload })]]
      const answer = await post(await encodePushRequest({ epoch: await epoch(), commits }, one.hash))
      expect([Object.keys(ODD_JSON)[i], answer.status]).toEqual([Object.keys(ODD_JSON)[i], 200])
    }
    const { commits } = await pull('after=0')
    expect(commits.flat().map(({ payload }) => [...payload])).toEqual(said.map(bytes => [...bytes]))
  })

  test('names of the prototype in a message set nothing', async () => {
    const { call, epoch } = serve()
    const body = `{"__proto__":{"epoch":"${await epoch()}","eventIds":[]},"constructor":{}}`
    const headers = { 'content-type': 'application/json' }
    expect((await call('/v1/erasures', { method: 'POST', body, headers }, 'board~rae')).status).toBe(400)
    expect(Object.hasOwn(Object.prototype, 'epoch')).toBe(false)
  })
})

describe('bodies that lie about their length', () => {
  test('frames that are shorter or longer than they say', async () => {
    const { post, epoch } = serve()
    const { one } = await oneEntry()
    const body = await pushBody(one, await epoch())
    const headEnd = 4 + new DataView(body.buffer).getUint32(0)
    for (const at of [0, headEnd]) {
      for (const length of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
        const lying = body.slice()
        new DataView(lying.buffer).setUint32(at, length)
        expect((await post(lying)).status).toBe(400)
      }
    }
    for (let end = 0; end < body.length; end++) {
      const answer = await post(body.slice(0, end))
      // A head alone is a push of nothing.
      expect([end, answer.status]).toEqual([end, end === headEnd ? 200 : 400])
      if (end === headEnd) expect(await answer.json()).toMatchObject({ accepted: 0, head: 0 })
    }
  })

  test('packed ones are not unpacked, whatever they call themselves', async () => {
    const { post } = serve({ limits: { maxPushBytes: 100_000 } })
    const bomb = gzipSync(new Uint8Array(50_000_000))
    expect(bomb.length).toBeLessThan(100_000)
    for (const encoding of [
      'gzip',
      'GZIP',
      'deflate',
      'br',
      'zstd',
      'gzip, gzip',
      'identity, gzip',
      'x-made-up',
    ]) {
      expect((await post(bomb, { 'content-encoding': encoding })).status).toBe(415)
    }
    // Without a word it is noise.
    expect((await post(bomb)).status).toBe(400)
  })

  test.each<[string, string, RegExp]>([
    [
      'a length that is no number',
      'POST /v1/log HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
    [
      'two lengths',
      'POST /v1/log HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
      /^HTTP\/1.1 400/,
    ],
    [
      'a length and chunks, as requests are smuggled',
      'POST /v1/log HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
    [
      'chunks that are none',
      `${'POST /v1/log HTTP/1.1\r\nhost: x\r\nauthorization: Bearer board~ra\r\n'}content-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
      /^HTTP\/1.1 400/,
    ],
    [
      'headers without an end',
      `GET /v1/head HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`,
      /^HTTP\/1.1 431/,
    ],
    [
      'ten thousand headers',
      `GET /v1/head HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(10_000)}\r\n`,
      /^HTTP\/1.1 (431|401)/,
    ],
    [
      'a header with a line end of its own',
      'GET /v1/head HTTP/1.1\r\nhost: x\r\nx: a\rb\r\n\r\n',
      /^HTTP\/1.1 400/,
    ],
    ['no host', 'GET /v1/head HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400/],
    ['another protocol', 'SSH-2.0-x\r\n\r\n', /^HTTP\/1.1 400/],
    ['a method that is none', 'G@T /v1/head HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1.1 400/],
    ['a path that is none', 'GET v1/head HTTP/1.1\r\nhost: x\r\n\r\n', /^HTTP\/1.1 (400|404|401)/],
    [
      'an address of another server',
      'GET http://other/v1/head HTTP/1.1\r\nhost: x\r\n\r\n',
      /^HTTP\/1.1 401/,
    ],
    ['a host that is none', 'GET /v1/head HTTP/1.1\r\nhost: a b/c\r\n\r\n', /^HTTP\/1.1 400/],
  ])('on a socket: %s', async (_case, sent, expected) => {
    const errors: unknown[] = []
    const { server, call } = serve({ onError: error => errors.push(error) })
    const { url, close } = await listen(server)
    onTestFinished(close)
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.setEncoding('latin1')
    // The server hangs up on what it cannot read, perhaps before all of it is written.
    socket.on('error', () => {})
    let heard = ''
    socket.on('data', (text: string) => {
      heard += text
      if (heard.includes('\r\n\r\n')) socket.destroy()
    })
    socket.write(sent)
    await once(socket, 'close')
    expect(heard).toMatch(expected)
    expect((await call('/v1/head')).status).toBe(200)
    expect(errors).toEqual([])
  })
})

describe('paths and methods', () => {
  const HOSTILE = [
    '/v1/../../etc/passwd',
    '/v1/..%2f..%2fetc/passwd',
    '/v1/%2e%2e/%2e%2e/etc/passwd',
    '/v1/logs/%2e%2e/checkpoint',
    '/v1/logs/..%2f..%2fother/checkpoint',
    '/v1/logs//checkpoint',
    '/v1/logs/%00/checkpoint',
    '/v1/logs/%ff/checkpoint',
    '/v1/logs/%/checkpoint',
    '/v1/logs/EPOCH/tile/',
    '/v1/logs/EPOCH/tile/../../head',
    '/v1/logs/EPOCH/tile/0/..%2f..%2f000',
    '/v1/logs/EPOCH/tile/0/x999/x999/x999/x999/x999/x999/000',
    '/v1/logs/EPOCH/tile/-1/000',
    '/v1/logs/EPOCH/tile/64/000',
    '/v1/logs/EPOCH/tile/0/000.p/0',
    '/v1/logs/EPOCH/tile/0/000.p/256',
    '/v1/logs/EPOCH/tile/0/000.p/1e3',
    '/v1/logs/EPOCH/tile/entries/999',
    '/v1/proof',
    '/v1/proof?eventId=../../x',
    '/v1/proof?eventId=%00',
    '/v1/proof?eventId=%ff%fe',
    `/v1/proof?eventId=${'x'.repeat(10_000)}`,
    '/v1/log?after=99999999999999999999',
    '/v1/log?after=0x10',
    '/v1/log?after=%2b1',
    '/v1/log?maxBytes=NaN',
    '/v1/erasures?after=1e9',
    '/V1/HEAD',
    '//v1/head',
    '/v1//head',
    '/v1/head/',
    '/v1/head;x=1',
    '/v1%2fhead',
    `/v1/${'x'.repeat(50_000)}`,
  ]

  test('lead nowhere: each is a 4xx that tells nothing, and a 401 or 404 to whoever has no token', async () => {
    const errors: unknown[] = []
    const { call, post, epoch } = serve({ signing, onError: error => errors.push(error) })
    const { one } = await oneEntry()
    await post(await pushBody(one, await epoch()))
    for (const template of HOSTILE) {
      const path = template.replace('EPOCH', await epoch())
      const answer = await call(path)
      expect([path, answer.status >= 400 && answer.status < 500]).toEqual([path, true])
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      const stranger = await call(path, { headers: { authorization: '' } })
      expect([401, 404]).toContain(stranger.status)
    }
    expect(errors).toEqual([])
  })

  test('that are none at a path are a 405, for each path and method', async () => {
    const { call } = serve({ signing })
    const paths = ['head', 'log', 'hints', 'proof', 'erasures', 'witness/keys', 'witness/add-checkpoint']
    for (const path of paths) {
      for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'PROPFIND', 'M-SEARCH', 'get2']) {
        const answer = await call(`/v1/${path}`, { method }, 'board~rae')
        expect([path, method, answer.status]).toEqual([path, method, 405])
        expect(answer.headers.get('allow')).not.toBeNull()
      }
    }
  })

  test('headers that mean something elsewhere change nothing here', async () => {
    const { call } = serve()
    const headers = {
      'x-http-method-override': 'DELETE',
      'x-original-url': '/v1/log',
      'x-forwarded-host': 'evil.example',
      'x-store-id': 'other',
      host: 'other',
      cookie: 'storeId=other',
      range: 'bytes=0-0',
      'if-none-match': '*',
      expect: '200-ok',
    }
    const answer = await call('/v1/head?storeId=other', { headers })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ position: 0 })
  })
})

describe('ids that are known already', () => {
  async function pushed() {
    const server = serve()
    const { one, entry } = await oneEntry()
    await say(one, 'a', 'two')
    const epoch = await server.epoch()
    await server.post(await pushBody(one, epoch))
    const send = async (commits: Commits) =>
      server.post(await encodePushRequest({ epoch, commits }, one.hash))
    return { ...server, send, one, entry }
  }

  test.each<[string, (log: EventLog, entry: Entry) => Commits]>([
    ['other words', (log, entry) => [[forged(log, entry, { payload: '"other"' })]]],
    ['another type', (log, entry) => [[forged(log, entry, { type: 'Other' })]]],
    ['another time', (log, entry) => [[forged(log, entry, { recordedAt: 1 })]]],
    ['another salt', (log, entry) => [[forged(log, entry, { salt: new Uint8Array(16) })]]],
    ['another stream', (log, entry) => [[forged(log, entry, { streamName: 'b' })]]],
    ['another place', (log, entry) => [[forged(log, entry, { streamVersion: 3 })]]],
    [
      'another kind',
      (log, entry) => [[forged(log, entry, { kind: 2, payload: '{"changes":[]}', metadata: '{}' })]],
    ],
    ['a second one of the kind', (log, entry) => [[entry, forged(log, entry, { streamVersion: 3 })]]],
  ])('are refused with %s, and the log stays as it was', async (_case, commitsOf) => {
    const { send, one, entry, pull } = await pushed()
    const before = await pull('after=0')
    const answer = await send(commitsOf(one, entry))
    expect([409, 422]).toContain(answer.status)
    expect((await answer.json()) as object).toMatchObject({ accepted: 0, head: 2 })
    expect(await pull('after=0')).toEqual(before)
  })

  test('an event that is new beside one that is known is no commit', async () => {
    const { send, entry, pull } = await pushed()
    const { entry: fresh } = await oneEntry('fresh')
    expect((await send([[entry, fresh]])).status).toBe(409)
    expect((await send([[fresh, entry]])).status).toBe(409)
    expect(await pull('after=0')).toMatchObject({ head: 2 })
  })
})

describe('forged authors', () => {
  test('who says that an event is another one’s work is refused where the log itself says whose it is', async () => {
    const { post, epoch } = serve()
    const { one, entry } = await oneEntry()
    for (const name of [
      'eventId',
      'streamName',
      'streamVersion',
      'globalPosition',
      'hash',
      'recordedAt',
      'status',
    ]) {
      const metadata = `{"metadata":{"${name}":"forged"}}`
      const commits = [[forged(one, entry, { metadata })]]
      const answer = await post(await encodePushRequest({ epoch: await epoch(), commits }, one.hash))
      expect([name, answer.status]).toEqual([name, 400])
    }
  })

  test('an event of another store fits in no place of this one, with or without a new hash', async () => {
    const { post, epoch } = serve()
    const foreign = await device('other')
    await say(foreign, 'a', 'one')
    const [entry] = (await pendingOf(foreign))[0]!
    for (const sent of [entry!, forged(foreign, entry!, { payload: '"mine"' })]) {
      const body = await encodePushRequest({ epoch: await epoch(), commits: [[sent]] }, foreign.hash)
      expect((await post(body)).status).toBe(409)
    }
  })
})

describe('a foreign tenant', () => {
  /** The board has said something secret; `other` has a token for a store of its own, with every right. */
  async function tenants() {
    const server = serve({ signing })
    const one = await device()
    await say(one, 'a-secret-stream', 'a-secret')
    await server.post(await pushBody(one, await server.epoch()))
    const eventId = eventIdOf((await pendingOf(one))[0]![0]!.eventId)
    const asOther = (path: string, init: RequestInit = {}) => server.call(path, init, 'other~rae')
    return { ...server, asOther, eventId, board: await server.epoch() }
  }

  test('gets none of it by its ids, its epoch or its tiles', async () => {
    const { asOther, call, eventId, board } = await tenants()
    expect((await call(`/v1/logs/${board}/tile/entries/000.p/1`)).status).toBe(200)
    const paths = [
      `/v1/proof?eventId=${eventId}`,
      `/v1/logs/${board}/checkpoint`,
      `/v1/logs/${board}/tile/entries/000.p/1`,
      `/v1/logs/${board}/tile/0/000.p/1`,
    ]
    for (const path of paths) {
      const answer = await asOther(path)
      expect(answer.status).toBe(404)
      expect(await answer.text()).not.toMatch(/secret|board/)
    }
    for (const path of ['/v1/log', '/v1/erasures', '/v1/head']) {
      const text = await (await asOther(path)).text()
      expect(text).not.toContain('secret')
      expect(text).not.toContain(board)
    }
  })

  test('erases nothing of it, and takes no device’s name', async () => {
    const { asOther, call, eventId, board, epoch } = await tenants()
    const erase = async (named: string) =>
      asOther('/v1/erasures', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ epoch: named, eventIds: [eventId], reason: null, erasedAt: 0 }),
      })
    expect((await erase(board)).status).toBe(409)
    // It may list what it likes in its own store.
    expect((await erase(await epoch('other~rae'))).status).toBe(200)
    expect(await (await call('/v1/erasures')).json()).toMatchObject({ count: 0 })
    expect(await (await call('/v1/log')).text()).toContain('a-secret')
    const { key } = await createNoteSigner('streamdingo/board/one', await generateKeyPair())
    const named = await asOther('/v1/witness/keys', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: formatVerifierKey(key),
    })
    expect(named.status).toBe(400)
    expect(await named.text()).toContain('streamdingo/other/')
  })
})

test('what a hostile client could not do, a good one does beside it', async () => {
  const { post, epoch, pull } = serve()
  const one = await device()
  await createEventStore(one).appendToStream('a', [{ type: 'Said', data: { text: 'fine' } }])
  for (const json of Object.values(NO_JSON)) await post(framed(utf8('{}'), json))
  expect((await post(await pushBody(one, await epoch()))).status).toBe(200)
  expect(await pull('after=0')).toMatchObject({ next: 1, head: 1 })
})
