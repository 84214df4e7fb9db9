// The sync server as a Web-standard `fetch` handler: a few routes over the same log engine that runs in a worker.

import { type Context, Hono, type Next } from 'hono'
import { textOf } from '../log/bytes.ts'
import { decodeEraseRequest } from '../protocol/erasure-messages.ts'
import { decodePushRequest } from '../protocol/sync-messages.ts'
import { parseJson } from '../protocol/untrusted-json.ts'
import type { Access } from './access.ts'
import { corsFor } from './cors.ts'
import { rotateEpoch } from './epoch.ts'
import { letIn, mayNot } from './gate.ts'
import { createHealth } from './health.ts'
import { type HintStreamOptions, hintStream } from './hint-stream.ts'
import { failureResponse, HttpFailure, httpFailureFrom } from './http-failure.ts'
import { LiveAccess } from './live-access.ts'
import {
  answerHead,
  answerPrefix,
  answerPull,
  answerPush,
  type ExchangeParts,
  pageRequestOf,
  wholeNumber,
} from './log-exchange.ts'
import { Observers } from './observers.ts'
import { readBody } from './request-body.ts'
import { beginRecord, type RequestRecord } from './request-record.ts'
import { routeAt } from './routes.ts'
import { answerErase, answerErasures } from './served-erasures.ts'
import { answerCheckpoint, answerProof, answerTile } from './served-log.ts'
import { DEFAULT_LIMITS, type ErrorContext, type SyncServerOptions } from './server-options.ts'
import { witnessOf } from './signing.ts'
import { type ServedStore, StoreRegistry } from './store-registry.ts'
import { answerAddCheckpoint, answerRegister, type WitnessParts } from './witness.ts'

/** What the caller of `fetch` knows of a request and the request does not tell. */
export type Peer = Readonly<{
  /** Where it comes from, for `rates.address`. */
  address?: string
}>

export type SyncServer = Readonly<{
  /** Answers a request; never rejects. */
  fetch: (request: Request, peer?: Peer) => Promise<Response>
  /**
   * To be called once when the database of a store was restored from a backup, before replicas reach it: each of them then
   * sends again what the backup had not. Without it a server that signs is taken for one that denies what it signed.
   * Other servers on the database notice by themselves. Gives the new epoch.
   */
  rotateEpoch: (storeId: string) => Promise<string>
  /** Ends live streams and closes every store. Requests that come later are answered with 503. */
  close: () => Promise<void>
}>

/** As much as a record of an erasure with the most ids and the longest reason has. */
const MAX_ERASURE_BYTES = 512 * 1024

/** More than any checkpoint with its proof has. */
const MAX_NOTE_BYTES = 64 * 1024

type Env = { Bindings: { record: RequestRecord; peer: Peer }; Variables: { access: Access } }

/**
 * The protocol is written down in docs/protocol.md, and how to run it in docs/server.md.
 *
 * @throws `TypeError` for what is no origin in `cors.origins`
 */
export function createSyncServer(options: SyncServerOptions): SyncServer {
  const { authorize, rates = {} } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const stores = new StoreRegistry({
    openStorage: options.openStorage,
    maxIdle: limits.maxIdleStores,
    signing: options.signing,
    onError: (error, storeId) => report(error, { storeId, request: null }),
  })
  const observers = new Observers(options, error => report(error, { storeId: null, request: null }))
  const health = createHealth(options.checkStorage ?? (() => {}), error =>
    report(error, { storeId: null, request: 'GET /healthz/ready' }),
  )

  const witness = options.signing ? witnessOf(options.signing) : Promise.resolve(null)

  const app = new Hono<Env>()
  app.use(noteRoute)
  app.get('/healthz', () => health.live())
  app.get('/healthz/ready', () => health.ready())
  if (options.cors) app.use(corsFor(options.cors.origins))
  app.use('/v1/*', checkAccess, checkMethod)
  app.get('/v1/head', context =>
    withStore(context, async ({ store, epoch }) => answerHead(store, epoch, limits, await witness)),
  )
  app.get('/v1/log', context => {
    const page = pageRequestOf(context.req.query(), limits)
    return withStore(context, parts => answerPull(page, parts))
  })
  app.get('/v1/prefix', context => {
    const size = wholeNumber(context.req.query(), 'size', Number.MAX_SAFE_INTEGER)
    return withStore(context, ({ store, epoch }) => answerPrefix(store, epoch, size))
  })
  app.post('/v1/log', async context => {
    const push = decodePushRequest(await readBody(context.req.raw, limits.maxPushBytes))
    return withStore(context, parts => answerPush(push, context.get('access'), parts))
  })
  app.get('/v1/erasures', context => {
    const after = wholeNumber(context.req.query(), 'after', 0)
    return withStore(context, ({ store, epoch }) => answerErasures(store, epoch, after))
  })
  app.post('/v1/erasures', async context => {
    if (!context.get('access').erase) throw mayNot('erase')
    const body = await readBody(context.req.raw, MAX_ERASURE_BYTES, 'application/json')
    const request = decodeEraseRequest(parseJson(body, 'the body'))
    return withStore(context, ({ store, epoch }) => answerErase(store, epoch, request))
  })
  app.get('/v1/hints', openHints)
  app.get('/v1/proof', context => {
    const { eventId = '' } = context.req.query()
    return withStore(context, ({ store }) => answerProof(store, eventId))
  })
  app.get('/v1/logs/:epoch/*', context => {
    const name = context.req.path.replace(/^\/v1\/logs\/[^/]+\//, '')
    return withStore(context, ({ store, epoch }) => {
      if (context.req.param('epoch') !== epoch) throw notFound()
      return name === 'checkpoint' ? answerCheckpoint(store) : answerTile(store, name)
    })
  })
  app.post('/v1/witness/keys', context => asWitness(context, answerRegister))
  app.post('/v1/witness/add-checkpoint', context => asWitness(context, answerAddCheckpoint))
  app.notFound(context => failed(notFound(), context.req.raw, context.env.record))
  app.onError((error, context) => failed(error, context.req.raw, context.env.record))

  return {
    async fetch(request, peer = {}) {
      const record = beginRecord(request)
      return observers.request(request, record, () => respond(request, record, peer))
    },
    rotateEpoch: storeId => stores.use(storeId, ({ log }) => rotateEpoch(log)),
    close() {
      health.closing()
      return stores.close()
    },
  }

  async function respond(request: Request, record: RequestRecord, peer: Peer): Promise<Response> {
    const response = await answerOf(request, record, peer)
    // What a replica keeps is its log's business, and bytes of strangers are never to be taken for a page.
    const { headers } = response
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
    headers.set('x-content-type-options', 'nosniff')
    headers.set('x-request-id', record.requestId)
    return response
  }

  async function answerOf(request: Request, record: RequestRecord, peer: Peer): Promise<Response> {
    try {
      return await app.fetch(request, { record, peer })
    } catch (error) {
      // What was thrown and is no Error, such as a text, comes through here.
      return failed(error, request, record)
    }
  }

  async function checkAccess(context: Context<Env>, next: Next): Promise<void> {
    const { record, peer } = context.env
    const access = await letIn(context.req.raw, { authorize, rates, address: peer.address, record })
    context.set('access', access)
    await next()
  }

  function withStore(
    context: Context<Env>,
    answer: (parts: ExchangeParts) => Response | Promise<Response>,
  ): Promise<Response> {
    return stores.use(context.get('access').storeId, async store =>
      answer({ store, epoch: await refresh(store), record: context.env.record }),
    )
  }

  async function asWitness(
    context: Context<Env>,
    answer: (body: string, parts: WitnessParts) => Promise<Response>,
  ): Promise<Response> {
    const cosigner = await witness
    if (!cosigner) throw new HttpFailure(404, 'not-a-witness', 'This server signs nothing')
    const body = textOfNote(await readBody(context.req.raw, MAX_NOTE_BYTES, 'text/plain'))
    const { storeId } = context.get('access')
    return withStore(context, ({ store: { log } }) =>
      answer(body, {
        storeId,
        storage: log.storage,
        hash: log.hash,
        cosigner,
        maxDevices: limits.maxDevices,
        onFork: ({ origin }) => {
          const error = new Error(`The log ${origin} has gone two ways: see witness/fork/ in the side table`)
          report(error, { storeId, request: `${context.req.method} ${context.req.path}` })
        },
      }),
    )
  }

  async function openHints(context: Context<Env>): Promise<Response> {
    const access = context.get('access')
    const { storeId } = access
    const { store, release } = await stores.hold(storeId)
    try {
      const epoch = await refresh(store)
      if (store.liveClients.size >= limits.maxLiveClients) {
        throw new HttpFailure(429, 'too-many-clients', 'No room for another live client')
      }
      const onError = (error: unknown) => report(error, { storeId, request: 'GET /v1/hints' })
      const live = new LiveAccess({
        request: context.req.raw,
        access,
        authorize,
        recheckMs: limits.recheckMs,
        onError,
      })
      const onEnd = watchStream(context.env.record, release)
      // Without the second header a proxy such as nginx keeps hints back until it has a buffer full of them.
      const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }
      return new Response(hintStream({ store, epoch, access: live, onEnd }), { headers })
    } catch (error) {
      release()
      throw error
    }
  }

  function watchStream(record: RequestRecord, release: () => void): HintStreamOptions['onEnd'] {
    observers.streamBegan()
    return reason => {
      release()
      observers.streamEnded(record, reason)
    }
  }

  function failed(error: unknown, { method, url }: Request, record: RequestRecord): Response {
    const failure = httpFailureFrom(error)
    const isForeseen = error === failure
    if (failure.status >= 500 && !isForeseen) {
      report(error, { storeId: record.storeId, request: `${method} ${new URL(url).pathname}` })
    }
    record.code = failure.code
    return failureResponse(failure)
  }

  function report(error: unknown, context: ErrorContext): void {
    try {
      options.onError?.(error, context)
    } catch {
      // A hook that fails must not take the answer with it.
    }
  }
}

/** Other servers may write to the same database: no answer may be behind what one of them has acknowledged. */
async function refresh({ log, epoch }: ServedStore): Promise<string> {
  await Promise.all([log.catchUp(), log.erasures.refresh()])
  return epoch
}

async function noteRoute(context: Context<Env>, next: Next): Promise<void> {
  context.env.record.route = routeAt(context.req.path)?.name ?? null
  await next()
}

async function checkMethod({ req }: Context, next: Next): Promise<void> {
  const route = routeAt(req.path)
  if (!route) throw notFound()
  if (!route.methods.includes(req.method)) {
    throw new HttpFailure(405, 'method', `There is no ${req.method} here`, { allow: route.methods })
  }
  await next()
}

function textOfNote(bytes: Uint8Array): string {
  try {
    return textOf(bytes)
  } catch {
    throw new HttpFailure(400, 'malformed', 'The body is not UTF-8', { fault: 'proof' })
  }
}

function notFound(): HttpFailure {
  return new HttpFailure(404, 'not-found', 'There is nothing here')
}
