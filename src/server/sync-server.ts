// The sync server as a Web-standard `fetch` handler: a few routes over the same log engine that runs in a worker.

import { type Context, Hono, type Next } from 'hono'
import { textOf } from '../log/bytes.ts'
import { decodeEraseRequest } from '../protocol/erasure-messages.ts'
import {
  FEATURES,
  SERVED_VERSIONS,
  type ServerVersions,
  UNSUPPORTED_PROTOCOL,
} from '../protocol/negotiation.ts'
import { decodePushRequest } from '../protocol/sync-messages.ts'
import { parseJson } from '../protocol/untrusted-json.ts'
import { type Access, readTest } from './access.ts'
import { corsFor } from './cors.ts'
import { rotateEpoch } from './epoch.ts'
import { Exchange, type Sent } from './exchange.ts'
import { letIn, mayNot } from './gate.ts'
import { createHealth } from './health.ts'
import { type HintStream, hintStream, type OnEnd } from './hint-stream.ts'
import { failureResponse, HttpFailure, httpFailureFrom } from './http-failure.ts'
import { liveAccess } from './live-access.ts'
import { erasuresIn, type Granted, prefixIn, pullIn, pushOf, refusalOf, responseTo } from './log-exchange.ts'
import { Observers } from './observers.ts'
import { readBody } from './request-body.ts'
import { beginRecord, type RequestRecord } from './request-record.ts'
import { routeAt } from './routes.ts'
import { answerCheckpoint, answerProof, answerTile } from './served-log.ts'
import type { Question } from './server-io.ts'
import { DEFAULT_LIMITS, type ErrorContext, type SyncServerOptions } from './server-options.ts'
import { witnessOf } from './signing.ts'
import { type HeldStore, type ServedStore, StoreRegistry } from './store-registry.ts'
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
    limits,
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
  app.get('/versions', () => Response.json(versionsOf(limits)))
  app.use('/v1/*', checkAccess, checkMethod)
  app.get('/v1/head', context => answer(context, { type: 'head' }))
  app.get('/v1/log', context =>
    answer(context, pullIn(context.req.query(), context.req.queries('streams') ?? [], context.get('access'))),
  )
  app.get('/v1/prefix', context => answer(context, prefixIn(context.req.query())))
  app.post('/v1/log', async context => {
    const push = decodePushRequest(await readBody(context.req.raw, limits.maxPushBytes))
    return answer(context, pushOf(push, context.get('access')), { commits: push.commits })
  })
  app.get('/v1/erasures', context => answer(context, erasuresIn(context.req.query())))
  app.post('/v1/erasures', async context => {
    if (!context.get('access').erase) throw mayNot('erase')
    const body = await readBody(context.req.raw, MAX_ERASURE_BYTES, 'application/json')
    const { epoch, ...erasure } = decodeEraseRequest(parseJson(body, 'the body'))
    return answer(context, { type: 'erase', epoch }, { erasure })
  })
  app.get('/v1/hints', openHints)
  app.get('/v1/proof', context => {
    const { eventId = '' } = context.req.query()
    const isOpen = readTest(context.get('access'))
    return withStore(context, store => answerProof(store, eventId, isOpen))
  })
  app.get('/v1/logs/:epoch/*', context => {
    const name = context.req.path.replace(/^\/v1\/logs\/[^/]+\//, '')
    return withStore(context, store => {
      if (context.req.param('epoch') !== store.state.epoch) throw notFound()
      return name === 'checkpoint' ? answerCheckpoint(store) : answerTile(store, name, context.get('access'))
    })
  })
  app.post('/v1/witness/keys', context => asWitness(context, answerRegister))
  app.post('/v1/witness/add-checkpoint', context => asWitness(context, answerAddCheckpoint))
  app.notFound(({ req, env }) => failed(nothingAt(req.path), req.raw, env.record))
  app.onError((error, context) => failed(error, context.req.raw, context.env.record))

  return {
    async fetch(request, peer = {}) {
      const record = beginRecord(request)
      return observers.request(request, record, () => respond(request, record, peer))
    },
    rotateEpoch: storeId =>
      stores.use(storeId, async ({ log, leave }) => {
        const epoch = await rotateEpoch(log)
        // Live clients hear of it at once: their streams end with the log that was open.
        leave()
        return epoch
      }),
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

  /**
   * Asks a store, and asks once more of the log that there is now where the database was found to hold another. The store
   * stays open until `then` is done, or the stream that was begun.
   *
   * @throws {@link HttpFailure} for what is refused
   */
  async function ask(
    storeId: string,
    begin: (store: ServedStore) => Exchange,
    then: (answer: Granted, held: HeldStore) => Response | Promise<Response>,
  ): Promise<Response> {
    for (;;) {
      const held = await stores.hold(storeId)
      let isLive = false
      try {
        const answer = await begin(held.store).ask()
        if (answer.type === 'again') continue
        if (answer.type === 'refused') throw refusalOf(answer)
        isLive = answer.type === 'hints'
        return await then(answer, held)
      } finally {
        if (!isLive) held.release()
      }
    }
  }

  async function answer(context: Context<Env>, question: Question, sent: Sent = {}): Promise<Response> {
    const { storeId } = context.get('access')
    const parts = { sent, limits, witness: await witness, record: context.env.record }
    let exchange: Exchange
    return ask(
      storeId,
      store => (exchange = new Exchange(store, question, sent)),
      (answer, { store }) => responseTo(answer, { ...parts, store, found: exchange.found }),
    )
  }

  /** For one read or one write of its own: of the log that the database holds now. */
  function withStore(
    context: Context<Env>,
    answer: (store: ServedStore) => Response | Promise<Response>,
  ): Promise<Response> {
    const { storeId } = context.get('access')
    return ask(
      storeId,
      store => new Exchange(store, { type: 'other' }),
      (_, { store }) => answer(store),
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
    return withStore(context, ({ log }) =>
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
    const { storeId, expiresAt = null } = context.get('access')
    const onError = (error: unknown) => report(error, { storeId, request: 'GET /v1/hints' })
    const access = liveAccess({ request: context.req.raw, access: context.get('access'), authorize, onError })
    const question = { type: 'hints', storeId, expiresAt } as const
    let stream: HintStream
    const begin = (store: ServedStore) => {
      stream = hintStream({ store, question, access })
      return stream.exchange
    }
    return ask(storeId, begin, (_, { release }) => {
      const body = stream.open(watchStream(context.env.record, release))
      // Without the second header a proxy such as nginx keeps hints back until it has a buffer full of them.
      const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }
      return new Response(body, { headers })
    })
  }

  function watchStream(record: RequestRecord, release: () => void): OnEnd {
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

const versionsOf = ({ maxPushBytes, maxPullBytes }: ServerVersions['limits']): ServerVersions => ({
  versions: SERVED_VERSIONS,
  features: FEATURES,
  limits: { maxPushBytes, maxPullBytes },
})

/** Who asks in a version that is not served is told which are. */
function nothingAt(path: string): HttpFailure {
  const version = /^\/v(\d+)\//.exec(path)?.[1]
  if (version === undefined || SERVED_VERSIONS.includes(Number(version))) return notFound()
  const message = `Version ${version} of the protocol is not spoken here`
  return new HttpFailure(404, UNSUPPORTED_PROTOCOL, message, { versions: SERVED_VERSIONS })
}

function notFound(): HttpFailure {
  return new HttpFailure(404, 'not-found', 'There is nothing here')
}
