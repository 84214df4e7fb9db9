import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encodePushRequest } from '../../src/protocol/sync-messages.ts'
import type { ServerLogEvent, SyncServerOptions } from '../../src/server/index.ts'
import { openTelemetry } from '../../src/server/telemetry.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import { authorize, device, forged, pendingOf, pushBody, say, serve } from './test-server.ts'

function logged(options: Partial<SyncServerOptions> = {}) {
  const events: ServerLogEvent[] = []
  const server = serve({ ...options, log: event => events.push(event) })
  return { ...server, events }
}

describe('the log', () => {
  test('has one event a request: what was asked, what came of it, and by whom', async () => {
    const { call, post, epoch, events } = logged({
      authorize: request => ({ storeId: 'board', read: true, append: true, subject: request.method }),
    })
    const one = await device()
    await say(one, 'a', 'one', 'two')
    const answer = await post(await pushBody(one, await epoch()))
    await call('/v1/log')
    await call('/v1/log?after=x')
    expect(events).toEqual([
      {
        event: 'request',
        requestId: expect.stringMatching(/^[\da-f-]{36}$/),
        method: 'GET',
        route: '/v1/head',
        status: 200,
        code: null,
        storeId: 'board',
        subject: 'GET',
        pushedEvents: 0,
        pulledEvents: 0,
        durationMs: expect.any(Number),
      },
      expect.objectContaining({
        requestId: answer.headers.get('x-request-id'),
        method: 'POST',
        route: '/v1/log',
        status: 200,
        subject: 'POST',
        pushedEvents: 2,
      }),
      expect.objectContaining({ route: '/v1/log', status: 200, pulledEvents: 2 }),
      expect.objectContaining({ route: '/v1/log', status: 400, code: 'malformed' }),
    ])
    expect(new Set(events.map(({ requestId }) => requestId)).size).toBe(4)
  })

  test('says why a commit was refused, and what nobody got to see', async () => {
    const { call, post, epoch, events } = logged()
    const one = await device()
    await say(one, 'a', 'one')
    const commits = [[forged(one, (await pendingOf(one))[0]![0]!, { streamVersion: 7 })]]
    await post(await encodePushRequest({ epoch: await epoch(), commits }, one.hash))
    await call('/v1/head', { headers: { authorization: '' } })
    await call('/v1/head', {}, 'board~a')
    await call('/elsewhere')
    expect(events.slice(1)).toMatchObject([
      { status: 409, code: 'stale', pushedEvents: 0 },
      { status: 401, code: 'unauthenticated', storeId: null, subject: null },
      { status: 403, code: 'forbidden', storeId: 'board' },
      { status: 404, code: 'not-found', route: null, storeId: null },
    ])
  })

  test('tells when a stream of hints ends, and why', async () => {
    const { call, server, events } = logged()
    const hints = (await call('/v1/hints')).body!.getReader()
    await hints.read()
    expect(events).toHaveLength(1)
    await hints.cancel()
    await (await call('/v1/hints')).body!.getReader().read()
    await server.close()
    expect(events).toMatchObject([
      { event: 'request', route: '/v1/hints' },
      { event: 'stream-ended', requestId: events[0]!.requestId, storeId: 'board', reason: 'closed' },
      { event: 'request', route: '/v1/hints' },
      { event: 'stream-ended', reason: 'closed' },
    ])
  })

  test('has no token, no path, no name and nothing that was said', async () => {
    const { call, post, epoch, events } = logged()
    const one = await device()
    await say(one, 'a-sensitive-stream', 'a-sensitive-text')
    const token = 'board~ra-sensitive'
    await post(await pushBody(one, await epoch()), { 'x-sensitive': 'sensitive' }, token)
    const [entry] = (await pendingOf(one))[0]!
    const reused = [[forged(one, entry!, { payload: '"sensitive"' })]]
    await post(await encodePushRequest({ epoch: await epoch(), commits: reused }, one.hash), {}, token)
    await post('sensitive', {}, token)
    await call('/v1/log?after=0&sensitive=sensitive', {}, token)
    await call('/v1/proof?eventId=sensitive', {}, token)
    await call('/v1/logs/sensitive/tile/sensitive', {}, token)
    await call('/sensitive/sensitive', { method: 'SENSITIVE' }, token)
    await call('/v1/head', { headers: { authorization: 'Bearer sensitive' } })
    await call('/v1/head', { headers: { authorization: 'Basic sensitive' } })
    expect(events.length).toBeGreaterThan(8)
    // The stores are those of the tokens: one of them is called so.
    const written = JSON.stringify(events.map(event => ({ ...event, storeId: null })))
    expect(written.toLowerCase()).not.toContain('sensitive')
    expect(written).not.toContain('~ra')
  })

  test('that fails takes no answer with it, and whoever runs the server is told', async () => {
    const errors: unknown[] = []
    const { call } = serve({
      log: () => {
        throw new Error('the disk of the log is full')
      },
      onError: error => errors.push(error),
    })
    expect((await call('/v1/head')).status).toBe(200)
    expect(errors).toHaveLength(1)
  })
})

/** An SDK whose spans and figures a test can read. */
function sdk() {
  const spans = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const figures = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: figures, exportIntervalMillis: 1e8 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  onTestFinished(async () => {
    await tracerProvider.shutdown()
    await meterProvider.shutdown()
  })
  const telemetry = openTelemetry({ tracerProvider, meterProvider })
  return {
    telemetry,
    tracerProvider,
    spans: () => spans.getFinishedSpans(),
    async figures() {
      await reader.forceFlush()
      const metrics = figures.getMetrics().at(-1)!.scopeMetrics[0]!.metrics
      return Object.fromEntries(
        metrics.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          dataPoints.map(({ value, attributes }) => [
            typeof value === 'number' ? value : (value as { count: number }).count,
            attributes,
          ]),
        ]),
      )
    },
  }
}

describe('telemetry', () => {
  test('makes a span of each request, named by its route', async () => {
    const { telemetry, spans } = sdk()
    const { call, post, epoch } = serve({ telemetry })
    const one = await device()
    await say(one, 'a', 'one', 'two')
    const answer = await post(await pushBody(one, await epoch()))
    await call('/elsewhere/secret', { method: 'SECRET' })
    expect(spans().map(({ name, kind }) => [name, kind])).toEqual([
      ['GET /v1/head', SpanKind.SERVER],
      ['POST /v1/log', SpanKind.SERVER],
      ['HTTP', SpanKind.SERVER],
    ])
    expect(spans()[1]!.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v1/log',
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'streamdingo.request.id': answer.headers.get('x-request-id'),
      'streamdingo.events.pushed': 2,
    })
    expect(spans()[2]!.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.response.status_code': 404,
      'streamdingo.code': 'not-found',
    })
    expect(JSON.stringify(spans().map(({ name, attributes }) => [name, attributes]))).not.toMatch(
      /board|secret/i,
    )
  })

  test('calls what the server did wrong an error, and not what a client did', async () => {
    const { telemetry, spans } = sdk()
    const { call } = serve({
      telemetry,
      authorize: request => {
        if (request.url.endsWith('/v1/head')) throw new Error('a secret of the inside')
        return authorize(request)
      },
    })
    await call('/v1/head')
    await call('/v1/log?after=x')
    expect(spans().map(({ status, attributes }) => [status.code, attributes['error.type']])).toEqual([
      [SpanStatusCode.ERROR, '500'],
      [SpanStatusCode.UNSET, undefined],
    ])
    expect(JSON.stringify(spans().map(({ status, events }) => [status, events]))).not.toContain('inside')
  })

  test('counts requests, events, refusals and streams, without a name of a store', async () => {
    const { telemetry, figures } = sdk()
    const { call, post, epoch } = serve({ telemetry })
    const one = await device()
    await say(one, 'a', 'one', 'two')
    await post(await pushBody(one, await epoch()))
    await call('/v1/log')
    await call('/v1/head', { headers: { authorization: '' } })
    const hints = (await call('/v1/hints')).body!
    const first = await figures()
    expect(first['streamdingo.server.events.pushed']).toEqual([[2, {}]])
    expect(first['streamdingo.server.events.pulled']).toEqual([[2, {}]])
    expect(first['streamdingo.server.refusals']).toEqual([[1, { 'streamdingo.code': 'unauthenticated' }]])
    expect(first['streamdingo.server.streams']).toEqual([[1, {}]])
    expect(first['http.server.request.duration']).toEqual([
      [1, { 'http.request.method': 'GET', 'http.route': '/v1/head', 'http.response.status_code': 200 }],
      [1, { 'http.request.method': 'POST', 'http.route': '/v1/log', 'http.response.status_code': 200 }],
      [1, { 'http.request.method': 'GET', 'http.route': '/v1/log', 'http.response.status_code': 200 }],
      [1, { 'http.request.method': 'GET', 'http.route': '/v1/head', 'http.response.status_code': 401 }],
      [1, { 'http.request.method': 'GET', 'http.route': '/v1/hints', 'http.response.status_code': 200 }],
    ])
    await hints.cancel()
    expect((await figures())['streamdingo.server.streams']).toEqual([[0, {}]])
  })

  test('goes on the trace of the client, and what the storage does is within it', async () => {
    const { telemetry, tracerProvider, spans } = sdk()
    context.setGlobalContextManager(contextByAsyncLocalStorage())
    propagation.setGlobalPropagator({
      inject: () => {},
      fields: () => ['traceparent'],
      extract: (parent, carrier, getter) => {
        const [, traceId = '', spanId = ''] = String(getter.get(carrier, 'traceparent')).split('-')
        return trace.setSpanContext(parent, { traceId, spanId, traceFlags: 1, isRemote: true })
      },
    })
    onTestFinished(() => {
      context.disable()
      propagation.disable()
    })
    const { call } = serve({
      telemetry,
      openStorage: () => {
        tracerProvider.getTracer('storage').startSpan('open').end()
        return memoryStorage()
      },
    })
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    await call('/v1/head', { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } })
    const [open, request] = spans()
    expect(request!.spanContext().traceId).toBe(traceId)
    expect(request!.parentSpanContext?.spanId).toBe('b7ad6b7169203331')
    expect(open!.parentSpanContext?.spanId).toBe(request!.spanContext().spanId)
  })

  test('without an SDK does nothing, and answers', async () => {
    const { call } = serve({ telemetry: openTelemetry() })
    expect((await call('/v1/head')).status).toBe(200)
  })

  test.each<[string, NonNullable<SyncServerOptions['telemetry']>['request']]>([
    ['before it asks for the answer', () => Promise.reject(new Error('no exporter'))],
    [
      'behind the answer',
      async (_request, answer) => {
        await answer()
        throw new Error('no exporter')
      },
    ],
    ['without asking for one', async () => {}],
    ['and asks twice', async (_request, answer) => void (await Promise.all([answer(), answer()]))],
  ])('that fails %s takes no answer with it, and none is given twice', async (_case, request) => {
    let opened = 0
    const { call } = serve({
      telemetry: {
        request,
        stream: () => {
          throw new Error('no exporter')
        },
      },
      openStorage: () => {
        opened++
        return memoryStorage()
      },
      limits: { maxIdleStores: 0 },
    })
    expect((await call('/v1/head')).status).toBe(200)
    expect(opened).toBe(1)
    const hints = await call('/v1/hints')
    expect(hints.status).toBe(200)
    await hints.body!.cancel()
  })
})

function contextByAsyncLocalStorage(): ContextManager {
  const store = new AsyncLocalStorage<ReturnType<ContextManager['active']>>()
  const manager: ContextManager = {
    active: () => store.getStore() ?? ROOT_CONTEXT,
    with: (active, work, self, ...args) => store.run(active, () => work.apply(self as never, args)),
    bind: (_active, target) => target,
    enable: () => manager,
    disable: () => manager,
  }
  return manager
}
