import { afterEach, expect, test } from 'vitest'
import { listenForHints } from '../../src/sync/hints.ts'
import { createFakeClock } from './fake-clock.ts'

const HINT = 'event: head\ndata: {"position":3,"epoch":"e1","erasures":0}\n\n'
const listening: AbortController[] = []
afterEach(() => {
  for (const controller of listening.splice(0)) controller.abort()
})

/** A server whose streams the test writes to; `answer` replaces the stream by another response. */
function listen(answer?: () => Response) {
  const clock = createFakeClock()
  const told: unknown[] = []
  const streams: ReadableStreamDefaultController<Uint8Array>[] = []
  let requests = 0
  const controller = new AbortController()
  listening.push(controller)
  const ended = listenForHints({
    url: 'http://server',
    token: () => 'good-token',
    fetch: async () => {
      requests++
      return answer?.() ?? eventStream(it => streams.push(it))
    },
    clock,
    random: () => 0.5,
    signal: controller.signal,
    onOpened: () => told.push('opened'),
    onClosed: () => told.push('closed'),
    onHint: hint => told.push(hint),
    onRefused: () => told.push('refused'),
  })
  return {
    clock,
    told,
    ended,
    requests: () => requests,
    abort: () => controller.abort(),
    async send(text: string) {
      await settled()
      streams.at(-1)!.enqueue(new TextEncoder().encode(text))
      await settled()
    },
    async hangUp() {
      await settled()
      streams.at(-1)!.close()
      await settled()
    },
    async pass(ms: number) {
      await settled()
      clock.advance(ms)
      await settled()
    },
  }
}

function eventStream(onStart: (controller: ReadableStreamDefaultController<Uint8Array>) => void): Response {
  const body = new ReadableStream<Uint8Array>({ start: onStart })
  return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } })
}

const settled = async () => {
  for (let i = 0; i < 4; i++) await new Promise(resolve => setImmediate(resolve))
}

test('tells of hints, however they are cut into pieces, and passes comments and other events by', async () => {
  const server = listen()
  await server.send(':\n\nevent: other\ndata: 1\n\n')
  await server.send(HINT.slice(0, 20))
  expect(server.told).toEqual(['opened'])
  await server.send(HINT.slice(20))
  expect(server.told).toEqual(['opened', { position: 3, epoch: 'e1', erasures: 0 }])
})

test('opens the stream again when it ends', async () => {
  const server = listen()
  await server.hangUp()
  expect(server.told).toEqual(['opened', 'closed'])
  await server.pass(250)
  await server.send(HINT)
  expect(server.told).toEqual(['opened', 'closed', 'opened', { position: 3, epoch: 'e1', erasures: 0 }])
})

test('tells when the server ends the stream since the token does not hold any more', async () => {
  const server = listen()
  await server.send('event: end\ndata: {"reason":"unauthenticated"}\n\n')
  await server.hangUp()
  expect(server.told).toEqual(['opened', 'refused', 'closed'])
})

test('takes a connection for half open after 45 s without a byte, but not while the heart beats', async () => {
  const server = listen()
  for (let i = 0; i < 4; i++) {
    await server.pass(40_000)
    await server.send(':\n\n')
  }
  expect(server.requests()).toBe(1)
  await server.pass(45_000)
  expect(server.told).toEqual(['opened', 'closed'])
  await server.pass(250)
  expect(server.requests()).toBe(2)
})

test('gives up on a server that does not answer, and asks again', async () => {
  const server = listen(() => new Promise<Response>(() => {}) as unknown as Response)
  await server.pass(45_000)
  await server.pass(250)
  expect(server.requests()).toBe(2)
  expect(server.told).toEqual([])
})

test('waits longer each time the stream ends soon, and begins anew after one that lasted', async () => {
  const server = listen()
  for (const wait of [250, 500, 1_000]) {
    await server.hangUp()
    const before = server.requests()
    await server.pass(wait - 1)
    expect(server.requests()).toBe(before)
    await server.pass(1)
    expect(server.requests()).toBe(before + 1)
  }
  await server.pass(10_000)
  await server.hangUp()
  expect(server.clock.waiting()).toEqual([250])
})

test.each([
  ['a refusal', () => new Response('no', { status: 401 })],
  ['a web page', () => new Response('<html></html>', { headers: { 'content-type': 'text/html' } })],
])('%s is no stream: it asks again after a while', async (_name, answer) => {
  const server = listen(answer)
  await server.pass(250)
  expect(server.requests()).toBe(2)
  expect(server.told).toEqual([])
})

test('leaves the server alone as long as it asks', async () => {
  const server = listen(() => new Response('', { status: 503, headers: { 'retry-after': '20' } }))
  await settled()
  expect(server.clock.waiting()).toEqual([20_250])
})

test.each([
  ['a hint that is none', 'event: head\ndata: {"position":-1}\n\n'],
  ['an event without an end', `data: ${'x'.repeat(5_000)}`],
])('%s ends the stream, which is opened again', async (_name, text) => {
  const server = listen()
  await server.send(text)
  expect(server.told).toEqual(['opened', 'closed'])
  await server.pass(250)
  expect(server.requests()).toBe(2)
})

test('ends with its signal, at once and for good, without another word', async () => {
  const server = listen()
  await server.send(HINT)
  server.abort()
  await server.ended
  expect(server.told).toEqual(['opened', { position: 3, epoch: 'e1', erasures: 0 }])
  expect(server.clock.waiting()).toEqual([])

  const waiting = listen(() => new Response('', { status: 500 }))
  await settled()
  waiting.abort()
  await waiting.ended
  expect(waiting.clock.waiting()).toEqual([])
})
