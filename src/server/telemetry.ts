// The door streamdingo/server/telemetry: spans and figures by the API of OpenTelemetry, for whichever SDK there is.

import {
  context,
  type MeterProvider,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type { RequestLog, ServerTelemetry } from './request-record.ts'

export type OpenTelemetryOptions = Readonly<{
  /** Default: the global ones, so register an SDK before this is called. Without one nothing is done. */
  tracerProvider?: TracerProvider
  meterProvider?: MeterProvider
}>

const NAME = 'streamdingo'

/** Seconds, as the conventions for `http.server.request.duration` advise. */
const DURATION_BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/**
 * A span for each request, which goes on the client's trace (`traceparent`) and is the parent of what the storage's own
 * instrumentation makes, and these figures:
 *
 * - `http.server.request.duration`, s, by method, route and status;
 * - `streamdingo.server.events.pushed` and `.pulled`;
 * - `streamdingo.server.refusals`, by code;
 * - `streamdingo.server.streams`, streams of hints that are open.
 *
 * Names of stores and subjects are in none of it: they are people's, and without number. The log has them, with the
 * request's id, which is the span's `streamdingo.request.id`.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): ServerTelemetry {
  const tracer = (options.tracerProvider ?? trace.getTracerProvider()).getTracer(NAME)
  const meter = (options.meterProvider ?? metrics.getMeterProvider()).getMeter(NAME)
  const durations = meter.createHistogram('http.server.request.duration', {
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BOUNDARIES },
  })
  const pushed = meter.createCounter('streamdingo.server.events.pushed', { unit: '{event}' })
  const pulled = meter.createCounter('streamdingo.server.events.pulled', { unit: '{event}' })
  const refusals = meter.createCounter('streamdingo.server.refusals', { unit: '{request}' })
  const streams = meter.createUpDownCounter('streamdingo.server.streams', { unit: '{stream}' })

  return {
    async request({ headers, url }, answer) {
      const carried = propagation.extract(context.active(), headers, HEADERS)
      const span = tracer.startSpan('HTTP', { kind: SpanKind.SERVER }, carried)
      try {
        const told = await context.with(trace.setSpan(carried, span), answer)
        describe(span, told, new URL(url).protocol)
        count(told)
      } finally {
        span.end()
      }
    },
    stream: change => streams.add(change),
  }

  function count({ code, pushedEvents, pulledEvents, durationMs, ...told }: RequestLog): void {
    durations.record(durationMs / 1000, attributesOf(told))
    if (pushedEvents > 0) pushed.add(pushedEvents)
    if (pulledEvents > 0) pulled.add(pulledEvents)
    if (code !== null) refusals.add(1, { 'streamdingo.code': code })
  }
}

function describe(span: Span, told: RequestLog, protocol: string): void {
  const { method, route, status, code, requestId, pushedEvents, pulledEvents } = told
  const name = method === 'OTHER' ? 'HTTP' : method
  span.updateName(route === null ? name : `${name} ${route}`)
  span.setAttributes({
    ...attributesOf(told),
    'url.scheme': protocol.replace(':', ''),
    'streamdingo.request.id': requestId,
    ...(code !== null && { 'streamdingo.code': code }),
    ...(pushedEvents > 0 && { 'streamdingo.events.pushed': pushedEvents }),
    ...(pulledEvents > 0 && { 'streamdingo.events.pulled': pulledEvents }),
  })
  // What a client did wrong is no error of the server's.
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
}

/** `url.path` is left out: a path may hold whatever a client writes. The route says as much. */
const attributesOf = ({ method, route, status }: Pick<RequestLog, 'method' | 'route' | 'status'>) => ({
  'http.request.method': method === 'OTHER' ? '_OTHER' : method,
  'http.response.status_code': status,
  ...(route !== null && { 'http.route': route }),
  ...(status >= 500 && { 'error.type': String(status) }),
})

const HEADERS = {
  get: (headers: Headers, name: string) => headers.get(name) ?? undefined,
  keys: (headers: Headers) => [...headers.keys()],
}
