// The handler as an edge runtime has it: bundled for no platform, and run where there are the globals of the Web and nothing
// else.

import { createContext, runInContext } from 'node:vm'
import { build, type Metafile } from 'esbuild'
import { expect, test } from 'vitest'

/** As https://min-common-api.proposal.wintertc.org names them, of what Node has of them. */
const WEB = [
  'AbortController',
  'AbortSignal',
  'Blob',
  'ByteLengthQueuingStrategy',
  'CompressionStream',
  'CountQueuingStrategy',
  'DOMException',
  'DecompressionStream',
  'Event',
  'EventTarget',
  'FormData',
  'Headers',
  'ReadableStream',
  'ReadableStreamDefaultReader',
  'Request',
  'Response',
  'TextDecoder',
  'TextDecoderStream',
  'TextEncoder',
  'TextEncoderStream',
  'TransformStream',
  'URL',
  'URLSearchParams',
  'WritableStream',
  'atob',
  'btoa',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'performance',
  'queueMicrotask',
  'setInterval',
  'setTimeout',
  'structuredClone',
] as const

const ENTRY = `
  import { bearerToken, createSyncServer } from './src/server/index.ts'
  import { memoryStorage } from './src/storage/memory/index.ts'
  import { openLog } from './src/engine/open-log.ts'
  import { createEventStore } from './src/engine/event-store.ts'
  import { createSyncLoop } from './src/sync/sync-loop.ts'

  const storage = memoryStorage()
  const server = createSyncServer({
    openStorage: () => storage,
    authorize: request => bearerToken(request) === 'token' && { storeId: 'board', read: true, append: true },
  })

  globalThis.syncTwo = async () => {
    const devices = await Promise.all([0, 1].map(async () => {
      const log = await openLog({ storage: memoryStorage(), storeId: 'board' })
      const fetch = (url, init) => server.fetch(new Request(url, init))
      const loop = createSyncLoop({ log, url: 'https://edge.example', token: () => 'token', fetch })
      loop.start()
      return { log, loop }
    }))
    await createEventStore(devices[0].log).appendToStream('a', [{ type: 'Said', data: 'from the edge' }])
    while (devices[1].log.streamVersion('a') === 0) await new Promise(resolve => setTimeout(resolve, 10))
    const read = []
    for await (const events of devices[1].log.readStream('a')) read.push(...events.map(({ data }) => data))
    for (const { loop } of devices) await loop.stop()
    await server.close()
    return JSON.stringify(read)
  }
`

test('streamdingo/server imports nothing of Node, and serves two devices with the globals of the Web alone', async () => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: ENTRY, resolveDir: process.cwd(), loader: 'ts' },
    bundle: true,
    write: false,
    metafile: true,
    // Of Node's own modules none can be resolved here: one that were imported would fail the build.
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['worker', 'import', 'default'],
    format: 'iife',
    target: 'es2022',
  })
  expect(importsOf(metafile).filter(path => path.startsWith('node:'))).toEqual([])
  const globals = globalThis as unknown as Record<string, unknown>
  const realm = createContext({
    ...Object.fromEntries(WEB.map(name => [name, globals[name]])),
    // The streams and digests of the outer realm take its bytes alone.
    Uint8Array,
    ArrayBuffer,
  })
  runInContext('globalThis.self = globalThis', realm)
  expect(runInContext('typeof process + typeof require + typeof Buffer', realm)).toBe(
    'undefinedundefinedundefined',
  )
  runInContext(outputFiles[0]!.text, realm)
  expect(await runInContext('syncTwo()', realm)).toBe('["from the edge"]')
})

const importsOf = ({ outputs }: Metafile): string[] =>
  Object.values(outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
