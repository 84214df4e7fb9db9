import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { decodePullResponse } from '../../src/protocol/sync-messages.ts'
import { createTokenBuckets, type SyncServerOptions } from '../../src/server/index.ts'
import { type ListenOptions, listen } from '../../src/server/node.ts'
import { device, pushBody, say, serve } from './test-server.ts'

/** As they were before any test listened. */
const GLOBALS = [globalThis.Request, globalThis.Response]

async function start(options: ListenOptions = {}, serverOptions: Partial<SyncServerOptions> = {}) {
  const { server, epoch } = serve(serverOptions)
  const listening = await listen(server, options)
  let isOpen = true
  const close = async () => {
    if (isOpen) await listening.close()
    isOpen = false
  }
  onTestFinished(close)
  const call = (path: string, init: RequestInit = {}) =>
    fetch(listening.url + path, {
      ...init,
      headers: { authorization: 'Bearer board~ra', ...(init.headers as Record<string, string>) },
    })
  return { url: listening.url, epoch, call, close }
}

async function folder(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'streamdingo-static-'))
  onTestFinished(() => rm(root, { recursive: true }))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}

/** The path as it is written: `fetch` would resolve its dots. */
function rawStatus(url: string, path: string): Promise<number> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path }, response => {
      response.resume()
      resolve(response.statusCode!)
    })
    request.once('error', reject)
    request.end()
  })
}

const octets = { 'content-type': 'application/octet-stream' }

describe('a sync server on a socket', () => {
  test('listens on this machine only, and takes a push that it gives out again', async () => {
    const { url, epoch, call } = await start()
    expect(new URL(url).hostname).toBe('127.0.0.1')
    const one = await device()
    await say(one, 'a', 'one')
    const pushed = await call('/v1/log', {
      method: 'POST',
      headers: octets,
      body: await pushBody(one, await epoch()),
    })
    expect(await pushed.json()).toMatchObject({ accepted: 1, head: 1 })
    const page = decodePullResponse(new Uint8Array(await (await call('/v1/log')).arrayBuffer()))
    expect(page).toMatchObject({ next: 1 })
  })

  test('is reached below a base path, and nowhere else', async () => {
    const { epoch, call } = await start({ basePath: '/sync' })
    const one = await device()
    await say(one, 'a', 'one')
    const body = await pushBody(one, await epoch())
    expect((await call('/sync/v1/log', { method: 'POST', headers: octets, body })).status).toBe(200)
    expect((await call('/sync/v1/head')).status).toBe(200)
    expect((await call('/sync/v1/elsewhere')).status).toBe(404)
    expect((await call('/v1/head')).status).toBe(404)
  })

  test('counts by the address of the socket, or by the one that the proxy names where it is told of a proxy', async () => {
    const rates = () => ({ address: createTokenBuckets({ perSecond: 1, burst: 1, now: () => 0 }) })
    const from = async (call: (path: string, init: RequestInit) => Promise<Response>, address: string) =>
      (await call('/v1/head', { headers: { 'x-real-ip': address } })).status
    const bare = await start({}, { rates: rates() })
    expect([await from(bare.call, 'a'), await from(bare.call, 'b')]).toEqual([200, 429])
    const { call } = await start({ addressHeader: 'x-real-ip' }, { rates: rates() })
    const found: number[] = []
    // What stands before the last one, the client wrote itself.
    for (const address of ['a', 'a', 'b', 'x, a', 'a, c']) found.push(await from(call, address))
    expect(found).toEqual([200, 429, 200, 429, 200])
  })

  test('leaves Request and Response of the process alone', async () => {
    const { call } = await start()
    await call('/v1/head')
    expect([globalThis.Request, globalThis.Response]).toEqual(GLOBALS)
  })

  test('refuses a body that is too large, and goes on', async () => {
    const { call } = await start({}, { limits: { maxPushBytes: 100_000 } })
    const body = new Uint8Array(1_000_000)
    expect((await call('/v1/log', { method: 'POST', headers: octets, body })).status).toBe(413)
    expect((await call('/v1/head')).status).toBe(200)
  })

  test('lives on when a client hangs up in mid-push', async () => {
    const errors: unknown[] = []
    const { url, call } = await start({}, { onError: error => errors.push(error) })
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port) })
    const head =
      'POST /v1/log HTTP/1.1\r\nhost: x\r\nauthorization: Bearer board~ra\r\n' +
      'content-type: application/octet-stream\r\ncontent-length: 1000\r\n\r\n'
    await new Promise<void>(resolve => socket.write(`${head}half`, () => resolve()))
    socket.destroy()
    expect((await call('/v1/head')).status).toBe(200)
    expect(errors).toEqual([])
  })

  test('says what went wrong when the port is taken', async () => {
    const { url } = await start()
    const { server } = serve()
    await expect(listen(server, { port: Number(new URL(url).port) })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })
})

describe('hints over a socket', () => {
  test('come as they happen', async () => {
    const { epoch, call } = await start()
    const response = await call('/v1/hints')
    const hints = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await hints.read()).value).toContain('"position":0')
    const one = await device()
    await say(one, 'a', 'one')
    await call('/v1/log', { method: 'POST', headers: octets, body: await pushBody(one, await epoch()) })
    expect((await hints.read()).value).toContain('"position":1')
    await hints.cancel()
  })

  test('give up their room when the client hangs up', async () => {
    const { call } = await start({}, { limits: { maxLiveClients: 1 } })
    const hangUp = new AbortController()
    const first = await call('/v1/hints', { signal: hangUp.signal })
    expect(first.status).toBe(200)
    expect((await call('/v1/hints')).status).toBe(429)
    hangUp.abort()
    await vi.waitFor(async () => {
      const again = await call('/v1/hints')
      await again.body!.cancel()
      expect(again.status).toBe(200)
    })
  })

  test('end at once when the server closes, though the client would stay', async () => {
    const { call, close } = await start()
    const response = await call('/v1/hints')
    const hints = response.body!.getReader()
    await hints.read()
    await close()
    const end = await hints.read().catch(() => ({ done: true }))
    expect(end.done).toBe(true)
    await expect(call('/v1/head')).rejects.toThrow()
  })
})

describe('files beside the API', () => {
  test('are served with headers that fit how they are named', async () => {
    const staticRoot = await folder({
      'index.html': '<p>Hello</p>',
      'assets/index-Ab3_xYz9.js': 'let a',
      'store-document.js': 'let b',
    })
    const { call } = await start({ basePath: '/sync', staticRoot })
    const page = await call('/')
    expect(await page.text()).toBe('<p>Hello</p>')
    expect(page.headers.get('content-type')).toContain('text/html')
    expect(page.headers.get('cache-control')).toBe('no-cache')
    const script = await call('/assets/index-Ab3_xYz9.js')
    expect(script.headers.get('content-type')).toContain('javascript')
    expect(script.headers.get('cache-control')).toContain('immutable')
    expect(script.headers.get('x-content-type-options')).toBe('nosniff')
    // Eight letters behind a hyphen make no hash.
    expect((await call('/store-document.js')).headers.get('cache-control')).toBe('no-cache')
    const missing = await call('/assets/index-Bc4_yZa0.js')
    expect(missing.status).toBe(404)
    expect(missing.headers.get('cache-control')).toBe('no-cache')
    expect((await call('/sync/v1/head')).status).toBe(200)
  })

  test('are those of the folder, however the path is written', async () => {
    const root = await folder({ 'site/index.html': 'page', 'secret.txt': 'secret' })
    const { url } = await start({ staticRoot: join(root, 'site') })
    expect(await rawStatus(url, '/index.html')).toBe(200)
    const paths = [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/%2e%2e%2fsecret.txt',
      '/..\\secret.txt',
      '/..%5csecret.txt',
      '//../secret.txt',
      '/%252e%252e/secret.txt',
      '/index.html/../../secret.txt',
      '/index.html%00',
    ]
    for (const path of paths) expect([400, 404]).toContain(await rawStatus(url, path))
  })
})
