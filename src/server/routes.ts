// The paths that there are: how docs/protocol.md writes them, and with which methods.

type Route = Readonly<{ name: string; path: RegExp; methods: readonly string[] }>

/** HEAD is none of the methods: it would open a stream that nobody reads. */
const ROUTES: readonly Route[] = [
  { name: '/v1/head', path: /^\/v1\/head$/, methods: ['GET'] },
  { name: '/v1/prefix', path: /^\/v1\/prefix$/, methods: ['GET'] },
  { name: '/v1/log', path: /^\/v1\/log$/, methods: ['GET', 'POST'] },
  { name: '/v1/hints', path: /^\/v1\/hints$/, methods: ['GET'] },
  { name: '/v1/erasures', path: /^\/v1\/erasures$/, methods: ['GET', 'POST'] },
  { name: '/v1/proof', path: /^\/v1\/proof$/, methods: ['GET'] },
  { name: '/v1/logs/:epoch/checkpoint', path: /^\/v1\/logs\/[^/]+\/checkpoint$/, methods: ['GET'] },
  { name: '/v1/logs/:epoch/tile', path: /^\/v1\/logs\/[^/]+\/tile\/.+$/, methods: ['GET'] },
  { name: '/v1/witness/keys', path: /^\/v1\/witness\/keys$/, methods: ['POST'] },
  { name: '/v1/witness/add-checkpoint', path: /^\/v1\/witness\/add-checkpoint$/, methods: ['POST'] },
  { name: '/versions', path: /^\/versions$/, methods: ['GET'] },
  { name: '/healthz', path: /^\/healthz$/, methods: ['GET', 'HEAD'] },
  { name: '/healthz/ready', path: /^\/healthz\/ready$/, methods: ['GET', 'HEAD'] },
]

/** Undefined for a path that is none. */
export const routeAt = (path: string): Route | undefined => ROUTES.find(route => route.path.test(path))
