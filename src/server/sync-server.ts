// The sync server as a Web-standard `fetch` handler: four routes over the same log engine that runs in a worker.

import { type Context, Hono, type Next } from 'hono'
import { cors } from 'hono/cors'
import { textOf } from '../log/bytes.ts'
import { decodeEraseRequest } from '../protocol/erasure-messages.ts'
import { decodePushRequest } from '../protocol/sync-messages.ts'
import { parseJson } from '../protocol/untrusted-json.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { Access, Authorize } from './access.ts'
import { rotateEpoch } from './epoch.ts'
import { hintStream } from './hint-stream.ts'
import { failureResponse, HttpFailure, httpFailureFrom } from './http-failure.ts'
import {
  answerHead,
  answerPrefix,
  answerPull,
  answerPush,
  pageRequestOf,
  wholeNumber,
} from './log-exchange.ts'
import { readBody } from './request-body.ts'
import { answerErase, answerErasures } from './served-erasures.ts'
import { answerCheckpoint, answerProof, answerTile } from './served-log.ts'
import { type ServerSigning, witnessOf } from './signing.ts'
import { type ServedStore, StoreRegistry } from './store-registry.ts'
import { answerAddCheckpoint, answerRegister, type WitnessParts } from './witness.ts'

export type SyncServerLimits = Readonly<{
  /** Most bytes of one push. Default 16 MiB. */
  maxPushBytes?: number
  /** Most bytes of one page, about, but for a single commit that is larger. Default 8 MiB. */
  maxPullBytes?: number
  /** Most hint streams that are open at once in one store. Default 1,000. */
  maxLiveClients?: number
  /** Stores that stay open while nobody uses them. Default 100. */
  maxIdleStores?: number
  /** Most devices that one store is a witness for. Default 10,000. */
  maxDevices?: number
}>

/** What the server was at; null for what is not known, or was for no request. */
export type ErrorContext = Readonly<{
  storeId: string | null
  /** Method and path. */
  request: string | null
}>

export type SyncServerOptions = Readonly<{
  /** Called once for each store on first use; the server opens and closes what it gets. */
  openStorage: (storeId: string) => LogStorage | Promise<LogStorage>
  authorize: Authorize
  /** Origins whose pages may call; none but the server's own where it is left out. */
  cors?: Readonly<{ origins: readonly string[] }>
  limits?: SyncServerLimits
  /** In whose name the server signs its logs and, as a witness, those of devices. Left out: it signs nothing. */
  signing?: ServerSigning
  /** Told of everything that was not a client's fault. */
  onError?: (error: unknown, context: ErrorContext) => void
}>

export type SyncServer = Readonly<{
  /** Answers a request; never rejects. */
  fetch: (request: Request) => Promise<Response>
  /**
   * To be called once when the database of a store was restored from a backup, before replicas reach it: each of them then
   * sends again what the backup had not. Without it a server that signs is taken for one that denies what it signed.
   * Other servers on the database notice by themselves. Gives the new epoch.
   */
  rotateEpoch: (storeId: string) => Promise<string>
  /** Ends live streams and closes every store. Requests that come later are answered with 503. */
  close: () => Promise<void>
}>

const DEFAULT_LIMITS = {
  maxPushBytes: 16 * 1024 * 1024,
  maxPullBytes: 8 * 1024 * 1024,
  maxLiveClients: 1000,
  maxIdleStores: 100,
  maxDevices: 10_000,
} as const satisfies Required<SyncServerLimits>

/** Methods by path. HEAD is none of them: it would open a stream that nobody reads. */
const METHODS: readonly (readonly [path: RegExp, methods: readonly string[]])[] = [
  [/^\/v1\/log$/, ['GET', 'POST']],
  [/^\/v1\/(head|prefix|hints|proof)$/, ['GET']],
  [/^\/v1\/erasures$/, ['GET', 'POST']],
  [/^\/v1\/logs\/[^/]+\/(checkpoint|tile\/.+)$/, ['GET']],
  [/^\/v1\/witness\/(keys|add-checkpoint)$/, ['POST']],
]

/** As much as a record of an erasure with the most ids and the longest reason has. */
const MAX_ERASURE_BYTES = 512 * 1024

/** More than any checkpoint with its proof has. */
const MAX_NOTE_BYTES = 64 * 1024

type Env = { Variables: { access: Access } }

/** The protocol is written down in docs/protocol.md. */
export function createSyncServer(options: SyncServerOptions): SyncServer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const stores = new StoreRegistry({
    openStorage: options.openStorage,
    maxIdle: limits.maxIdleStores,
    signing: options.signing,
    onError: (error, storeId) => report(error, { storeId, request: null }),
  })

  const witness = options.signing ? witnessOf(options.signing) : Promise.resolve(null)

  const app = new Hono<Env>()
  app.use(setHeaders)
  if (options.cors) app.use(corsFor(options.cors.origins))
  app.use('/v1/*', checkAccess(options.authorize), checkMethod)
  app.get('/v1/head', context =>
    withStore(context, async (store, epoch) => answerHead(store, epoch, limits, await witness)),
  )
  app.get('/v1/log', context => {
    const page = pageRequestOf(context.req.query(), limits)
    return withStore(context, (store, epoch) => answerPull(store, epoch, page))
  })
  app.get('/v1/prefix', context => {
    const size = wholeNumber(context.req.query(), 'size', Number.MAX_SAFE_INTEGER)
    return withStore(context, (store, epoch) => answerPrefix(store, epoch, size))
  })
  app.post('/v1/log', async context => {
    const push = decodePushRequest(await readBody(context.req.raw, limits.maxPushBytes))
    return withStore(context, (store, epoch) => answerPush(store, epoch, push))
  })
  app.get('/v1/erasures', context => {
    const after = wholeNumber(context.req.query(), 'after', 0)
    return withStore(context, (store, epoch) => answerErasures(store, epoch, after))
  })
  app.post('/v1/erasures', async context => {
    if (!context.get('access').erase) throw mayNot('erase')
    const body = await readBody(context.req.raw, MAX_ERASURE_BYTES, 'application/json')
    const request = decodeEraseRequest(parseJson(body, 'the body'))
    return withStore(context, (store, epoch) => answerErase(store, epoch, request))
  })
  app.get('/v1/hints', openHints)
  app.get('/v1/proof', context => {
    const { eventId = '' } = context.req.query()
    return withStore(context, store => answerProof(store, eventId))
  })
  app.get('/v1/logs/:epoch/*', context => {
    const name = context.req.path.replace(/^\/v1\/logs\/[^/]+\//, '')
    return withStore(context, (store, epoch) => {
      if (context.req.param('epoch') !== epoch) throw notFound()
      return name === 'checkpoint' ? answerCheckpoint(store) : answerTile(store, name)
    })
  })
  app.post('/v1/witness/keys', context => asWitness(context, answerRegister))
  app.post('/v1/witness/add-checkpoint', context => asWitness(context, answerAddCheckpoint))
  app.notFound(() => failureResponse(notFound()))
  app.onError((error, context) => failed(error, context.req.raw, context.get('access')?.storeId))

  return {
    async fetch(request) {
      try {
        return await app.fetch(request)
      } catch (error) {
        // What was thrown and is no Error, such as a text, comes through here.
        return failed(error, request)
      }
    },
    rotateEpoch: storeId => stores.use(storeId, ({ log }) => rotateEpoch(log)),
    close: () => stores.close(),
  }

  function withStore(
    context: Context<Env>,
    answer: (store: ServedStore, epoch: string) => Response | Promise<Response>,
  ): Promise<Response> {
    return stores.use(context.get('access').storeId, async store => answer(store, await refresh(store)))
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
    const { store, release } = await stores.hold(context.get('access').storeId)
    try {
      const epoch = await refresh(store)
      if (store.liveClients >= limits.maxLiveClients) {
        throw new HttpFailure(429, 'too-many-clients', 'No room for another live client')
      }
      // Without the second header a proxy such as nginx keeps hints back until it has a buffer full of them.
      const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' }
      return new Response(hintStream({ store, epoch, onEnd: release }), { headers })
    } catch (error) {
      release()
      throw error
    }
  }

  function failed(error: unknown, { method, url }: Request, storeId?: string): Response {
    const failure = httpFailureFrom(error)
    const isForeseen = error === failure
    if (failure.status >= 500 && !isForeseen) {
      report(error, { storeId: storeId ?? null, request: `${method} ${new URL(url).pathname}` })
    }
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

const mayNot = (right: string): HttpFailure =>
  new HttpFailure(403, 'forbidden', `This token may not ${right}`)

async function setHeaders(context: Context, next: Next): Promise<void> {
  await next()
  const { headers } = context.res
  // What a replica keeps is its log's business, and bytes of strangers are never to be taken for a page.
  if (!headers.has('cache-control')) context.header('cache-control', 'no-store')
  context.header('x-content-type-options', 'nosniff')
}

function corsFor(origins: readonly string[]) {
  return cors({
    origin: [...origins],
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['authorization', 'content-type'],
    exposeHeaders: ['retry-after'],
    maxAge: 600,
  })
}

function checkAccess(authorize: Authorize) {
  return async (context: Context<Env>, next: Next): Promise<void> => {
    const access = await authorize(context.req.raw)
    if (!access) throw new HttpFailure(401, 'unauthenticated', 'Send a valid bearer token')
    const needed = context.req.method === 'POST' ? 'append' : 'read'
    if (!access[needed]) throw mayNot(needed)
    context.set('access', access)
    await next()
  }
}

async function checkMethod({ req }: Context, next: Next): Promise<void> {
  const allow = METHODS.find(([path]) => path.test(req.path))?.[1]
  if (!allow) throw notFound()
  if (!allow.includes(req.method)) {
    throw new HttpFailure(405, 'method', `There is no ${req.method} here`, { allow })
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
