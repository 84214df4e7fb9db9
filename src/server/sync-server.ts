// The sync server as a Web-standard `fetch` handler: four routes over the same log engine that runs in a worker.

import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { createSha256 } from '../log/sha256.ts'
import {
  decodePushRequest,
  encodePullResponse,
  PROTOCOL_VERSION,
  type PushReceipt,
  type ServerHead,
} from '../protocol/sync-messages.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { Access, Authorize } from './access.ts'
import { hintStream } from './hint-stream.ts'
import { failureResponse, HttpFailure, httpFailureFrom } from './http-failure.ts'
import { readBody } from './request-body.ts'
import { type ServedStore, StoreRegistry } from './store-registry.ts'

export type SyncServerLimits = Readonly<{
  /** Most bytes of one push. Default 16 MiB: room for the largest commit there can be. */
  maxPushBytes?: number
  /** Most bytes of one page, but for a single commit that is larger. Default 8 MiB. */
  maxPullBytes?: number
  /** Most hint streams that are open at once in one store. Default 1,000. */
  maxLiveClients?: number
  /** Stores that stay open while nobody uses them. Default 100. */
  maxIdleStores?: number
}>

export type SyncServerOptions = Readonly<{
  /** Called once for each store on first use; the server opens and closes what it gets. */
  openStorage: (storeId: string) => LogStorage | Promise<LogStorage>
  authorize: Authorize
  /** Origins whose pages may call; none but the server's own where it is left out. */
  cors?: Readonly<{ origins: readonly string[] }>
  limits?: SyncServerLimits
  /** Told of everything that was not a client's fault. */
  onError?: (error: unknown) => void
}>

export type SyncServer = Readonly<{
  /** Answers a request; never throws. */
  fetch: (request: Request) => Promise<Response>
  /** Ends live streams and closes every store. */
  close: () => Promise<void>
}>

const DEFAULT_LIMITS = {
  maxPushBytes: 16 * 1024 * 1024,
  maxPullBytes: 8 * 1024 * 1024,
  maxLiveClients: 1000,
  maxIdleStores: 100,
} as const satisfies Required<SyncServerLimits>

export function createSyncServer(options: SyncServerOptions): SyncServer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const onError = options.onError ?? (() => {})
  const hash = createSha256()
  const closed = new AbortController()
  const live = new Map<string, number>()
  const stores = new StoreRegistry({
    openStorage: options.openStorage,
    maxIdle: limits.maxIdleStores,
    onError,
  })

  const app = new Hono<{ Variables: { access: Access } }>()
  if (options.cors)
    app.use(cors({ origin: [...options.cors.origins], allowHeaders: ['authorization', 'content-type'] }))
  app.use('/v1/*', async (context, next) => {
    const access = await options.authorize(context.req.raw)
    if (!access) throw new HttpFailure(401, 'unauthenticated', 'Send a valid bearer token')
    const needed = context.req.method === 'POST' ? 'append' : 'read'
    if (!access[needed]) throw new HttpFailure(403, 'forbidden', `This token may not ${needed}`)
    context.set('access', access)
    await next()
  })

  app.get('/v1/head', context =>
    stores.use(context.get('access').storeId, async ({ log, epoch }) => {
      const { maxPushBytes, maxPullBytes } = limits
      const head: ServerHead = {
        protocol: PROTOCOL_VERSION,
        epoch,
        position: log.head(),
        maxPushBytes,
        maxPullBytes,
      }
      return Response.json(head)
    }),
  )

  app.get('/v1/log', context =>
    stores.use(context.get('access').storeId, async ({ log, epoch }) => {
      const after = wholeNumber(context.req.query('after'), 'after') ?? 0
      const asked = wholeNumber(context.req.query('maxBytes'), 'maxBytes') ?? limits.maxPullBytes
      if (after > log.head()) {
        const facts = { after, head: log.head(), epoch }
        throw new HttpFailure(409, 'ahead-of-server', 'The server does not reach that far', facts)
      }
      const { commits, next } = await log.readCommits(after, Math.min(asked, limits.maxPullBytes))
      const body = await encodePullResponse({ epoch, after, next, head: log.head(), commits }, await hash)
      return new Response(body, {
        headers: { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' },
      })
    }),
  )

  app.post('/v1/log', async context => {
    const request = decodePushRequest(await readBody(context.req.raw, limits.maxPushBytes))
    return stores.use(context.get('access').storeId, store => push(store, request))
  })

  app.get('/v1/hints', async context => {
    const { storeId } = context.get('access')
    const open = live.get(storeId) ?? 0
    if (open >= limits.maxLiveClients)
      throw new HttpFailure(503, 'too-many-clients', 'No room for another live client')
    live.set(storeId, open + 1)
    const leave = (): void => void live.set(storeId, live.get(storeId)! - 1)
    const held = await stores.hold(storeId).catch(error => {
      leave()
      throw error
    })
    const stream = hintStream(held.store, closed.signal, () => {
      leave()
      held.release()
    })
    return new Response(stream, {
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    })
  })

  for (const path of ['/v1/head', '/v1/log', '/v1/hints']) {
    app.all(path, () => {
      throw new HttpFailure(405, 'method', 'There is no such method here')
    })
  }
  app.notFound(() => failureResponse(new HttpFailure(404, 'not-found', 'There is nothing here')))
  app.onError(error => {
    const failure = httpFailureFrom(error)
    if (failure.status >= 500) onError(error)
    return failureResponse(failure)
  })

  return {
    fetch: async request => app.fetch(request),
    close: async () => {
      closed.abort()
      await stores.close()
    },
  }
}

/** The answer comes after the durable commit. */
async function push(
  { log, epoch }: ServedStore,
  request: ReturnType<typeof decodePushRequest>,
): Promise<Response> {
  if (request.epoch !== epoch) {
    throw new HttpFailure(409, 'epoch-changed', 'The server has another log than the client thinks', {
      epoch,
    })
  }
  const receipt: PushReceipt = { epoch, ...(await log.admit(request.commits)) }
  return Response.json(receipt, { status: statusOf(receipt) })
}

function statusOf({ refusal }: PushReceipt): 200 | 409 | 422 {
  if (!refusal) return 200
  return refusal.reason === 'invalid' ? 422 : 409
}

function wholeNumber(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (/^\d+$/.test(value) && Number.isSafeInteger(number)) return number
  throw new HttpFailure(400, 'malformed', `${name} must be a whole number`, { name })
}
