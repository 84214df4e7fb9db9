// Keeps the page's files, so that the board opens without a connection. Data never pass here: /sync is left alone.

/** Files of this build whose names carry a hash of their content. Written in by the build. */
declare const __ASSETS__: readonly string[]

const CACHE = 'streamdingo-demo'
/** All boards are one page: which one it shows stands in the address, for the script to read. */
const PAGE = './'

// `self` is typed as a window here.
const worker = self as unknown as ServiceWorkerGlobalScope

worker.addEventListener('install', event => event.waitUntil(keepAll()))
worker.addEventListener('activate', event => event.waitUntil(takeOver()))
worker.addEventListener('fetch', event => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== location.origin || pathname.startsWith('/sync')) return
  event.respondWith(pathname.startsWith('/assets/') ? cacheFirst(request) : networkFirst(request))
})

/** The page was loaded before this worker was there: what it is made of is fetched once more. */
async function keepAll(): Promise<void> {
  const cache = await caches.open(CACHE)
  await cache.addAll([PAGE, ...__ASSETS__])
}

/** Only when no page of an older build is open any more: what those needed may go. */
async function takeOver(): Promise<void> {
  const cache = await caches.open(CACHE)
  const needed = new Set(__ASSETS__.map(asset => new URL(asset, location.href).href))
  for (const request of await cache.keys()) {
    const isOfAnOlderBuild = new URL(request.url).pathname.startsWith('/assets/') && !needed.has(request.url)
    if (isOfAnOlderBuild) await cache.delete(request)
  }
  await worker.clients.claim()
}

async function cacheFirst(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? keep(request, await fetch(request))
}

async function networkFirst(request: Request): Promise<Response> {
  const key = request.mode === 'navigate' ? PAGE : request
  try {
    return await keep(key, await fetch(request))
  } catch (error) {
    const kept = await caches.match(key)
    if (kept) return kept
    throw error
  }
}

async function keep(key: RequestInfo, response: Response): Promise<Response> {
  if (response.ok) await (await caches.open(CACHE)).put(key, response.clone())
  return response
}
