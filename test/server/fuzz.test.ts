// Ten thousand requests of a client that means no good, made by a seed: the server answers them all, tells nothing of
// another tenant, holds exactly what it said that it took, and serves a good client all the while.

import { expect, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { hexOf, textOf } from '../../src/log/bytes.ts'
import { eventIdOf } from '../../src/log/event-id.ts'
import {
  decodePullResponse,
  decodePushReceipt,
  decodePushRequest,
  encodePushRequest,
} from '../../src/protocol/sync-messages.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import { type Commits, device, pendingOf, say, serve, type TestServer } from './test-server.ts'

// The seed fixes what is asked and in which order. Ids, keys and salts are drawn anew in each run.
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 10_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_260_101)

const GOOD = 'good-tenant~ra'
const BAD = 'bad-tenant~rae'
/** In every name and text of the good tenant, and nowhere else. */
const SECRET = 'zq-secret-zq'

const signing = { name: 'sync.example.org', keyPair: await generateKeyPair() }

/** mulberry32: small, and the same everywhere. */
function randomBy(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    below,
    chance: (p: number) => next() < p,
    pick: <T>(from: readonly T[]): T => from[below(from.length)]!,
  }
}

type Random = ReturnType<typeof randomBy>
type Bytes = Uint8Array<ArrayBuffer>

/** A tenant's client with a log of its own, whose commits can be had one by one. */
async function author(storeId: string) {
  const log = await device(storeId)
  let sent = 0
  return {
    log,
    async append(streamName: string, text: string): Promise<Commits> {
      await say(log, streamName, text)
      const commits = (await pendingOf(log)).slice(sent)
      sent += commits.length
      return commits
    },
  }
}

test(`${REQUESTS} hostile requests: none fells the server, leaks, or makes a log that is none`, {
  // Some ten seconds; this is for a machine that is busy.
  timeout: 120_000,
}, async () => {
  const errors: unknown[] = []
  const limits = { maxPushBytes: 64 * 1024, maxPullBytes: 32 * 1024 }
  const server = serve({ signing, limits, onError: error => errors.push(error) })
  const random = randomBy(SEED)
  const good = await author('good-tenant')
  const bad = await author('bad-tenant')
  // What is made for the good one's store, and says nothing secret.
  const stray = await author('good-tenant')
  const [goodEpoch, badEpoch] = [await server.epoch(GOOD), await server.epoch(BAD)]
  const taken = { good: [] as string[], bad: [] as string[] }
  const bodies: Bytes[] = [await encodePushRequest({ epoch: badEpoch, commits: [] }, bad.log.hash)]
  const ids: string[] = [crypto.randomUUID()]

  const statuses = new Map<number, number>()
  for (let i = 0; i < REQUESTS; i++) {
    if (i % 50 === 0) await serveTheGoodOne(i)
    if (i % 200 === 0) await learn(i)
    const request = hostileRequest()
    const answer = await server.server.fetch(request.clone())
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    expect([i, answer.status < 500]).toEqual([i, true])
    await look(request, answer)
  }

  expect(errors).toEqual([])
  // It has been through the doors, and not only before them.
  for (const status of [200, 400, 401, 403, 404, 405, 409, 413, 415]) {
    expect([status, (statuses.get(status) ?? 0) > 0]).toEqual([status, true])
  }
  expect(await replicaOf(server, GOOD, 'good-tenant')).toEqual(taken.good)
  expect(await replicaOf(server, BAD, 'bad-tenant')).toEqual(taken.bad)

  async function serveTheGoodOne(i: number): Promise<void> {
    const commits = await good.append(`${SECRET}-${i % 7}`, `${SECRET} ${i}`)
    const body = await encodePushRequest({ epoch: goodEpoch, commits }, good.log.hash)
    const answer = await server.post(body, {}, GOOD)
    expect(await answer.json()).toMatchObject({ accepted: commits.length, refusal: null })
    taken.good.push(...hashesOf(commits))
  }

  /** The bad one has something new to send, whole or not; it knows ids of the good one's, and events for its store. */
  async function learn(i: number): Promise<void> {
    const own = await bad.append(i % 1000 === 200 ? 'own' : `own-${i}`, `own ${i}`)
    if (i % 1000 === 0) await sendSound(own)
    const foreign = await stray.append('stray', `stray ${i}`)
    const [known] = (await pendingOf(good.log)).at(-1)!
    ids.push(eventIdOf(own[0]![0]!.eventId), eventIdOf(known!.eventId))
    for (const [epoch, commits] of [
      [badEpoch, own],
      [goodEpoch, own],
      [badEpoch, foreign],
    ] as const) {
      bodies.push(await encodePushRequest({ epoch, commits }, bad.log.hash))
    }
  }

  /** So that there is something in its log that what comes after could spoil. */
  async function sendSound(commits: Commits): Promise<void> {
    const body = await encodePushRequest({ epoch: badEpoch, commits }, bad.log.hash)
    expect(await (await server.post(body, {}, BAD)).json()).toMatchObject({ accepted: 1, refusal: null })
    taken.bad.push(...hashesOf(commits))
  }

  function hostileRequest(): Request {
    const method = random.pick([
      'GET',
      'GET',
      'POST',
      'POST',
      'POST',
      'PUT',
      'DELETE',
      'OPTIONS',
      'HEAD',
      'PURGE',
    ])
    const headers = new Headers({ 'content-type': random.pick(TYPES) })
    const token = random.chance(0.85) ? BAD : random.pick(TOKENS)
    if (token !== '') headers.set('authorization', `Bearer ${token}`)
    for (let n = random.below(3); n > 0; n--) headers.set(...random.pick(HEADERS))
    const body = method === 'POST' || method === 'PUT' ? { body: hostileBody() } : {}
    return new Request(`http://server${hostilePath()}`, { method, headers, ...body })
  }

  function hostilePath(): string {
    const known = random.pick(PATHS).replace('EPOCH', random.pick([badEpoch, goodEpoch, 'x']))
    const path = known.replace('ID', random.pick(ids)).replace('N', random.pick(NUMBERS))
    if (random.chance(0.8)) return path
    const at = 1 + random.below(path.length)
    return (
      path.slice(0, at) +
      random.pick(['%00', '../', '%2e%2e/', '/', '?', '#', '%', '%ff', 'é', '\\']) +
      path.slice(at)
    )
  }

  function hostileBody(): Bytes {
    if (random.chance(0.1)) return Uint8Array.from({ length: random.below(300) }, () => random.below(256))
    if (random.chance(0.02)) return new Uint8Array(limits.maxPushBytes + 1 + random.below(1000))
    if (random.chance(0.2)) return erasure()
    const body = random.pick(random.chance(0.5) ? bodies.slice(-3) : bodies)
    return random.chance(0.4) ? body : mangled(body, random, random.pick(bodies))
  }

  function erasure(): Bytes {
    const epoch = random.pick([badEpoch, badEpoch, goodEpoch, 7])
    const eventIds = Array.from({ length: random.below(4) }, () => random.pick([...ids, 'x', null]))
    const json = {
      epoch,
      eventIds,
      reason: random.pick([null, 'x', 'y'.repeat(2000)]),
      erasedAt: random.below(9),
    }
    const body = new TextEncoder().encode(JSON.stringify(json))
    return random.chance(0.5) ? body : mangled(body, random, body)
  }

  async function look(request: Request, answer: Response): Promise<void> {
    const isStream = answer.headers.get('content-type') === 'text/event-stream'
    if (isStream) return answer.body!.cancel()
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const told = Buffer.from(bytes).toString('latin1') + JSON.stringify([...answer.headers])
    expect(told).not.toContain(SECRET)
    expect(told).not.toContain('good-tenant')
    expect(told).not.toContain(goodEpoch)
    if (
      !request.url.startsWith('http://server/v1/log') ||
      request.method !== 'POST' ||
      !told.includes('"refusal"')
    )
      return
    const { accepted } = decodePushReceipt(JSON.parse(textOf(bytes)))
    const { commits } = decodePushRequest(new Uint8Array(await request.arrayBuffer()))
    const fresh = hashesOf(commits.slice(0, accepted)).filter(hash => !taken.bad.includes(hash))
    taken.bad.push(...fresh)
  }
})

const TYPES = [
  'application/octet-stream',
  'application/octet-stream',
  'application/json',
  'text/plain',
  'text/html',
]
const TOKENS = [
  '',
  'bad-tenant',
  'bad-tenant~r',
  'bad-tenant~a',
  'x',
  '~',
  'bad-tenant~ra.good-tenant~ra',
  'good-tenant',
]
const HEADERS: [string, string][] = [
  ['content-encoding', 'gzip'],
  ['content-length', '99999999999'],
  ['origin', 'https://evil.example'],
  ['range', 'bytes=0-'],
  ['if-none-match', '*'],
  ['x-forwarded-for', '127.0.0.1'],
  ['x-http-method-override', 'DELETE'],
  ['x-original-url', '/v1/log'],
  ['cookie', 'storeId=good-tenant'],
  ['accept-encoding', 'x'.repeat(5000)],
]
const PATHS = [
  '/v1/head',
  '/v1/log',
  '/v1/log',
  '/v1/log',
  '/v1/log?after=N',
  '/v1/log?after=N&maxBytes=N',
  '/v1/hints',
  '/v1/erasures',
  '/v1/erasures?after=N',
  '/v1/proof?eventId=ID',
  '/v1/logs/EPOCH/checkpoint',
  '/v1/logs/EPOCH/tile/0/000.p/N',
  '/v1/logs/EPOCH/tile/entries/00N',
  '/v1/logs/EPOCH/tile/N/000',
  '/v1/witness/keys',
  '/v1/witness/add-checkpoint',
  '/healthz',
  '/healthz/ready',
]
const NUMBERS = ['0', '1', '2', '7', '255', '256', '-1', '1e3', '9007199254740993', '', 'NaN', '0x1', '١']

/** A few changes of one kind or another, as bytes. */
function mangled(body: Bytes, random: Random, other: Bytes): Bytes {
  let bytes = [...body]
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = random.below(bytes.length + 1)
    switch (random.below(5)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << random.below(8)
        break
      case 1:
        bytes = bytes.slice(0, at)
        break
      case 2:
        bytes.splice(at, 0, ...Array.from({ length: 1 + random.below(8) }, () => random.below(256)))
        break
      case 3:
        bytes.splice(at, random.below(8))
        break
      case 4:
        bytes = [...bytes.slice(0, at), ...other.subarray(random.below(other.length))]
    }
  }
  return Uint8Array.from(bytes)
}

const hashesOf = (commits: Commits): string[] => commits.flat().map(({ hash }) => hexOf(hash))

/** What a new device gets: it holds every hash and link against what it takes in. In the server's order. */
async function replicaOf(server: TestServer, token: string, storeId: string): Promise<string[]> {
  const log: EventLog = await openLog({ storage: memoryStorage(), storeId })
  const hashes: string[] = []
  for (let after = 0; ; ) {
    const answer = await server.call(`/v1/log?after=${after}`, {}, token)
    const page = decodePullResponse(new Uint8Array(await answer.arrayBuffer()))
    if (page.commits.length === 0) break
    expect((await log.applyRemote(page)).rejected).toEqual([])
    hashes.push(...hashesOf(page.commits))
    after = page.next
  }
  expect(await log.verify()).toMatchObject({ ok: true })
  await log.close()
  return hashes
}
