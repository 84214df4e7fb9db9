import { describe, expect, test } from 'vitest'
import type { Entry } from '../../src/log/entry.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { encodePullResponse, type PullResponse } from '../../src/protocol/sync-messages.ts'
import type { Fetch, ServerAccess } from '../../src/sync/authorized-fetch.ts'
import { createTransport } from '../../src/sync/transport.ts'
import { createFakeClock } from './fake-clock.ts'

const hash = await createSha256()
const never = new AbortController().signal

const ENTRY: Entry = {
  kind: 0,
  streamName: 'a',
  streamVersion: 1,
  previous: new Uint8Array(32),
  hash: new Uint8Array(32),
  recordedAt: 0,
  eventId: new Uint8Array(16),
  salt: new Uint8Array(16),
  type: 'Said',
  schemaVersion: 1,
  payload: new TextEncoder().encode('"hello"'),
  metadata: new TextEncoder().encode('{}'),
}

function transportTo(fetch: Fetch, access: Partial<ServerAccess> = {}) {
  const clock = createFakeClock()
  const server = { url: 'https://example.org/sync/', token: () => 'good-token', fetch, ...access }
  return { clock, transport: createTransport({ ...server, clock, hash }) }
}

async function pull(fetch: Fetch, after = 0) {
  return transportTo(fetch).transport.pull(after, never)
}

async function push(response: Response, commits = 1) {
  const message = { epoch: 'e1', commits: Array.from({ length: commits }, () => [ENTRY]) }
  return transportTo(async () => response).transport.push(message, never)
}

const aPage = () => page()

async function page(facts: Partial<PullResponse> = {}): Promise<Response> {
  const message = {
    epoch: 'e1',
    after: 0,
    next: 1,
    head: 1,
    checkpoint: null,
    verifierKey: null,
    root: null,
    erasures: 0,
    maxPushBytes: null,
    features: [],
    commits: [[ENTRY]],
    ...facts,
  }
  return new Response(await encodePullResponse(message, hash))
}

const receipt = (facts: object = {}) => ({
  epoch: 'e1',
  accepted: 1,
  after: 0,
  head: 1,
  checkpoint: null,
  refusal: null,
  ...facts,
})

/** Sends the chunks one by one as the test asks for them; hangs after the last. */
function trickle() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let isCancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: it => {
      controller = it
    },
    cancel: () => {
      isCancelled = true
    },
  })
  return {
    response: new Response(body),
    send: (bytes: Uint8Array) => controller?.enqueue(bytes),
    end: () => controller?.close(),
    isCancelled: () => isCancelled,
  }
}

const settled = async () => {
  for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve))
}

describe('a request', () => {
  test('goes below the address with the token of the moment, and follows nobody elsewhere', async () => {
    const tokens = ['first', 'second']
    const seen: [string, RequestInit][] = []
    const { transport } = transportTo(
      async (url, init) => {
        seen.push([url, init])
        return page()
      },
      { token: async () => tokens.shift()! },
    )
    await transport.pull(0, never)
    await transport.pull(0, never)
    expect(seen.map(([url]) => new URL(url).pathname)).toEqual(['/sync/v1/log', '/sync/v1/log'])
    expect(seen.map(([, { headers }]) => new Headers(headers).get('authorization'))).toEqual([
      'Bearer first',
      'Bearer second',
    ])
    expect(seen[0]![1]).toMatchObject({ redirect: 'error', credentials: 'omit', cache: 'no-store' })
  })

  test('is not made without a token', async () => {
    let requests = 0
    const fetch = async () => {
      requests++
      return page()
    }
    expect(await transportTo(fetch, { token: () => null }).transport.pull(0, never)).toEqual({
      type: 'no-token',
    })
    expect(requests).toBe(0)
  })

  /** Answers to its tokens, 401 to any other. */
  function guarded(...good: string[]) {
    const seen: string[] = []
    const fetch: Fetch = async (_url, { headers }) => {
      const token = new Headers(headers).get('authorization')!.replace('Bearer ', '')
      seen.push(token)
      if (good.includes(token)) return page()
      return Response.json({ code: 'unauthenticated', message: 'Send a valid bearer token' }, { status: 401 })
    }
    return { fetch, seen }
  }

  test('is made once more with another token when the server refuses the first', async () => {
    const { fetch, seen } = guarded('fresh')
    const refusals: (string | null)[] = []
    const token = (refused: string | null) => {
      refusals.push(refused)
      return refused === null ? 'old' : 'fresh'
    }
    expect(await transportTo(fetch, { token }).transport.pull(0, never)).toMatchObject({ type: 'ok' })
    expect(seen).toEqual(['old', 'fresh'])
    expect(refusals).toEqual([null, 'old'])
  })

  test.each([
    ['gives the same again', 'old', ['old']],
    ['has none', null, ['old']],
    ['gives one that is refused, too', 'worse', ['old', 'worse']],
  ])('is refused where the source of tokens %s', async (_case, second, sent) => {
    const { fetch, seen } = guarded('fresh')
    const token = (refused: string | null) => (refused === null ? 'old' : second)
    expect(await transportTo(fetch, { token }).transport.pull(0, never)).toMatchObject({
      type: 'refused',
      status: 401,
      code: 'unauthenticated',
    })
    expect(seen).toEqual(sent)
  })

  test('that fails, or whose token cannot be had, is a value', async () => {
    const fails = () => {
      throw new TypeError('fetch failed')
    }
    const unreachable = { type: 'unreachable', message: 'fetch failed', timedOut: false }
    expect(await pull(fails)).toEqual(unreachable)
    expect(await transportTo(aPage, { token: fails }).transport.pull(0, never)).toEqual(unreachable)
  })

  const hang = () => new Promise<never>(() => {})
  test.each([
    ['the server', hang, () => 'good-token'],
    ['the token', aPage, hang],
  ])(
    'is given up when %s takes longer than 30 s, even if aborting does not help',
    async (_name, fetch, token) => {
      const { clock, transport } = transportTo(fetch, { token })
      const answer = transport.pull(0, never)
      await settled()
      clock.advance(30_000)
      expect(await answer).toMatchObject({ type: 'unreachable', timedOut: true })
      expect(clock.waiting()).toEqual([])
    },
  )

  test('ends when its owner aborts, which is no timeout', async () => {
    const owner = new AbortController()
    const { clock, transport } = transportTo(hang)
    const answer = transport.pull(0, owner.signal)
    owner.abort()
    expect(await answer).toMatchObject({ type: 'unreachable', timedOut: false })
    expect(clock.waiting()).toEqual([])
  })
})

describe('a body', () => {
  test('may take as long as it needs while it keeps coming', async () => {
    const bytes = new Uint8Array(await (await page()).arrayBuffer())
    const { response, send, end } = trickle()
    const { clock, transport } = transportTo(async () => response)
    const answer = transport.pull(0, never)
    for (const byte of bytes.subarray(0, 10)) {
      send(new Uint8Array([byte]))
      await settled()
      clock.advance(20_000)
    }
    send(bytes.subarray(10))
    end()
    expect(await answer).toMatchObject({ type: 'ok', value: { next: 1 } })
  })

  test('that stops in the middle is given up and cancelled', async () => {
    const { response, send, isCancelled } = trickle()
    const { clock, transport } = transportTo(async () => response)
    const answer = transport.pull(0, never)
    send(new Uint8Array(10))
    await settled()
    clock.advance(30_000)
    expect(await answer).toMatchObject({ type: 'unreachable', timedOut: true })
    expect(isCancelled()).toBe(true)
  })

  test('without an end is read no further than the bound', async () => {
    const { response, send, isCancelled } = trickle()
    const answer = pull(async () => response)
    const megabyte = new Uint8Array(1024 * 1024)
    for (let i = 0; i < 40; i++) send(megabyte)
    expect(await answer).toMatchObject({ type: 'rubbish', message: expect.stringContaining('longer than') })
    expect(isCancelled()).toBe(true)
  })

  test('of an error is not read past its much smaller bound', async () => {
    const answer = await pull(async () => new Response(new Uint8Array(100_000), { status: 500 }))
    expect(answer).toMatchObject({ type: 'rubbish' })
  })
})

describe('a page', () => {
  test('is given as it was sent', async () => {
    const answer = await pull(aPage)
    expect(answer).toMatchObject({ type: 'ok', value: { epoch: 'e1', after: 0, next: 1, head: 1 } })
  })

  test('that is empty is the end, also when the log has grown since it was read', async () => {
    const answer = await pull(() => page({ commits: [], next: 0, head: 7 }))
    expect(answer).toMatchObject({ type: 'ok', value: { next: 0, head: 0 } })
  })

  test.each([
    ['behind another place', { after: 3, next: 4 }],
    ['that goes back', { after: 0, next: 0 }],
    ['that moves on without commits', { commits: [], next: 5 }],
  ])('%s is rubbish', async (_name, facts) => {
    expect(await pull(() => page(facts))).toMatchObject({ type: 'rubbish' })
  })

  test.each([
    ['a web page', '<html></html>'],
    ['nothing', ''],
    ['an empty head', '\0\0\0\x02{}'],
  ])('that is %s is rubbish', async (_name, body) => {
    expect(await pull(async () => new Response(body))).toMatchObject({ type: 'rubbish' })
  })
})

describe('a receipt', () => {
  test('is given as it was sent, with a refusal too', async () => {
    expect(await push(Response.json(receipt()))).toEqual({ type: 'ok', value: receipt() })
    const refusal = { reason: 'stale', detail: 'version 1' }
    const refused = receipt({ accepted: 0, after: null, refusal })
    expect(await push(Response.json(refused, { status: 409 }))).toEqual({ type: 'ok', value: refused })
  })

  test.each([
    ['for more than was sent', receipt({ accepted: 2 })],
    ['for less, without a refusal', receipt({ accepted: 0 })],
    ['for all, with a refusal', receipt({ refusal: { reason: 'stale', detail: '' } })],
    ['with a reason nobody knows', receipt({ accepted: 0, refusal: { reason: 'mood', detail: '' } })],
    ['that is none', { ok: true }],
  ])('%s is rubbish', async (_name, body) => {
    expect(await push(Response.json(body))).toMatchObject({ type: 'rubbish' })
  })
})

describe('an error', () => {
  test('of the server comes with its code and facts', async () => {
    const body = { code: 'ahead-of-server', message: 'no', facts: { head: 3 } }
    expect(await pull(async () => Response.json(body, { status: 409 }))).toEqual({
      type: 'refused',
      status: 409,
      retryAfterMs: null,
      ...body,
    })
  })

  test('of a proxy in between is told by its status', async () => {
    const response = new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'retry-after': '7' } })
    expect(await pull(async () => response)).toMatchObject({
      type: 'refused',
      status: 502,
      code: 'http-502',
      retryAfterMs: 7_000,
    })
  })

  test('of another epoch is told as that', async () => {
    const body = { code: 'epoch-changed', message: 'another log', facts: { epoch: 'e2' } }
    expect(await push(Response.json(body, { status: 409 }))).toEqual({
      type: 'epoch-changed',
      expected: 'e1',
      actual: 'e2',
    })
  })
})
