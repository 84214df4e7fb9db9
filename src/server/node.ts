// The door streamdingo/server/node: serves a sync server, and static files beside it, over Node's http.

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type HttpBindings, serve } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { type Context, Hono, type Next } from 'hono'
import type { SyncServer } from './sync-server.ts'

export { openSigningKey } from './signing-key-file.ts'

export type ListenOptions = Readonly<{
  /** 0 (default) takes a free one. */
  port?: number
  /** Default 127.0.0.1: reachable from this machine only. */
  hostname?: string
  /** Path under which the sync API is served, such as `/sync`. Default: none. */
  basePath?: string
  /**
   * A folder to serve beside the API, all of it. Files in its `assets/` are taken to carry a hash of their content
   * in their name, as Vite names them, and are cached for a year; the others are asked for anew each time.
   */
  staticRoot?: string
  /**
   * Header in which a proxy in front names the client, such as `x-real-ip`: its last value is taken for the address that
   * requests are counted by. Only where every request comes through that proxy: anybody can send a header. Default: none,
   * the address of the socket.
   */
  addressHeader?: string
}>

export type Listening = Readonly<{
  url: string
  /** Ends live streams at once, then closes the server's stores and the socket. */
  close: () => Promise<void>
}>

/** @throws the socket's error, such as EADDRINUSE. */
export async function listen(server: SyncServer, options: ListenOptions = {}): Promise<Listening> {
  const { port = 0, hostname = '127.0.0.1' } = options
  const http = await start(routes(server, options).fetch, port, hostname)
  return {
    url: urlOf(hostname, http.address() as AddressInfo),
    close: async () => {
      const closed = new Promise<void>(resolve => http.close(() => resolve()))
      await server.close()
      // Connections are kept alive for requests that will not be answered any more.
      http.closeAllConnections()
      await closed
    },
  }
}

function routes(server: SyncServer, { basePath = '', staticRoot, addressHeader }: ListenOptions) {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.on('ALL', [`${basePath}/v1/*`, `${basePath}/healthz`, `${basePath}/healthz/*`], ({ req, env }) => {
    const named = addressHeader && req.header(addressHeader)?.split(',').at(-1)?.trim()
    const address = named || env.incoming.socket.remoteAddress
    return server.fetch(withoutBase(req.raw, basePath), address ? { address } : {})
  })
  if (staticRoot) app.use(setFileHeaders, serveStatic({ root: staticRoot }))
  return app
}

function withoutBase(request: Request, basePath: string): Request {
  if (basePath === '') return request
  const url = new URL(request.url)
  url.pathname = url.pathname.slice(basePath.length)
  return new Request(url, request)
}

async function setFileHeaders(context: Context, next: Next): Promise<void> {
  await next()
  // That a file is missing may be over in a moment, as while a new version is being put in place.
  const isKept = context.res.ok && context.req.path.startsWith('/assets/')
  context.header('cache-control', isKept ? 'public, max-age=31536000, immutable' : 'no-cache')
  context.header('x-content-type-options', 'nosniff')
}

function start(fetch: ReturnType<typeof routes>['fetch'], port: number, hostname: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const options = { fetch, port, hostname, overrideGlobalObjects: false }
    // Plain http/1.1 is what `serve` makes where it is told of nothing else.
    const http = serve(options, () => resolve(http)) as Server
    http.once('error', reject)
  })
}

function urlOf(hostname: string, { port }: AddressInfo): string {
  return `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`
}
