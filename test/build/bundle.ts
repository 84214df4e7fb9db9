// Builds an application with the plugin, by whichever bundler, and says what it wrote beside the handlers.

import { mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { rspack } from '@rspack/core'
import { build as esbuild, transform } from 'esbuild'
import { rollup } from 'rollup'
import { build, createServer } from 'vite'
import webpack from 'webpack'
import { streamdingo as unplugin } from '../../src/build/index.ts'
import { type StreamDingoPluginOptions, streamdingo } from '../../src/build/vite.ts'
import type { Sources } from './edits.ts'

export type HandlerCode = Readonly<{
  hasher: number
  base: string
  handlers: Readonly<Record<string, string>>
}>

export async function inFolder<T>(sources: Sources, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'streamdingo-build-')))
  try {
    await write(folder, sources)
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

export async function write(folder: string, sources: Sources): Promise<void> {
  for (const [name, content] of Object.entries(sources)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
}

/** What stands in built code, by the first definition in it. */
export function handlerCodeIn(code: string): HandlerCode | null {
  const found = /handlerCode: (\{[\s\S]*?\}\s*\})/.exec(code)?.[1]
  return found === undefined ? null : (new Function(`return ${found}`)() as HandlerCode)
}

export type Builder = (folder: string, entry?: string, options?: StreamDingoPluginOptions) => Promise<string>

/** A build by itself: nothing is kept for the next one. */
const ALONE: StreamDingoPluginOptions = { report: false }

export const byVite: Builder = async (folder, entry = 'app.ts', options = ALONE) => {
  const built = await build({
    root: folder,
    logLevel: 'silent',
    plugins: [streamdingo(options)],
    build: { write: false, minify: false, lib: { entry: join(folder, entry), formats: ['es'] } },
  })
  const [first] = Array.isArray(built) ? built : [built]
  if (!first || !('output' in first)) throw new Error('nothing was built')
  return first.output.map(one => (one.type === 'chunk' ? one.code : '')).join('\n')
}

export const byViteDev: Builder = (folder, entry = 'app.ts') => withDevServer(folder, get => get(entry))

/** @param work is given what the server says of a file, and how to change one while it runs */
export async function withDevServer<T>(
  folder: string,
  work: (get: (file: string) => Promise<string>, change: (sources: Sources) => Promise<void>) => Promise<T>,
): Promise<T> {
  const server = await createServer({
    root: folder,
    logLevel: 'silent',
    configFile: false,
    // Not by polling: the test says itself what changed.
    server: { middlewareMode: true, ws: false, watch: { ignored: '**' } },
    optimizeDeps: { noDiscovery: true },
    plugins: [streamdingo(ALONE)],
  })
  const change = async (sources: Sources): Promise<void> => {
    await write(folder, sources)
    // As its watcher does.
    for (const file of Object.keys(sources)) server.watcher.emit('change', join(folder, file))
  }
  try {
    return await work(async file => (await server.transformRequest(`/${file}`))?.code ?? '', change)
  } finally {
    await server.close()
  }
}

export const byEsbuild: Builder = async (folder, entry = 'app.ts', options = ALONE) => {
  const built = await esbuild({
    entryPoints: [join(folder, entry)],
    bundle: true,
    write: false,
    format: 'esm',
    logLevel: 'silent',
    plugins: [unplugin.esbuild(options)],
  })
  return built.outputFiles[0]!.text
}

export const byRollup: Builder = async (folder, entry = 'app.ts', options = ALONE) => {
  const bundle = await rollup({
    input: join(folder, entry),
    plugins: [unplugin.rollup(options), fromTypeScript],
  })
  const { output } = await bundle.generate({ format: 'es' })
  await bundle.close()
  return output.map(one => (one.type === 'chunk' ? one.code : '')).join('\n')
}

/** Rollup reads JavaScript alone, and finds no packages. */
const fromTypeScript = {
  name: 'from-typescript',
  async resolveId(specifier: string, importer: string | undefined) {
    if (!importer) return null
    const base = specifier.startsWith('.')
      ? join(dirname(importer), specifier)
      : packageFile(specifier, importer)
    for (const end of ['', '.ts', '.js', '/index.js']) {
      const isFile = await stat(base + end).then(
        found => found.isFile(),
        () => false,
      )
      if (isFile) return base + end
    }
    return null
  },
  async transform(code: string, id: string) {
    if (id.endsWith('.json')) return { code: `export default ${code}`, map: null }
    return id.endsWith('.ts') ? { code: (await transform(code, { loader: 'ts' })).code, map: null } : null
  },
}

const packageFile = (specifier: string, importer: string): string =>
  createRequire(importer).resolve(specifier)

export const byWebpack: Builder = async (folder, entry = 'app.ts', options = ALONE) => {
  const rules = [{ test: /\.ts$/, loader: join(import.meta.dirname, 'from-typescript.cjs') }]
  const plugins = [unplugin.webpack(options)]
  return compiled(folder, done =>
    webpack(
      { ...packed(folder, entry), experiments: { outputModule: true }, module: { rules }, plugins },
      done,
    ),
  )
}

export const byRspack: Builder = async (folder, entry = 'app.ts', options = ALONE) => {
  const loader = {
    loader: 'builtin:swc-loader',
    options: { jsc: { parser: { syntax: 'typescript' }, target: 'esnext' } },
  }
  const rules = [{ test: /\.ts$/, use: loader }]
  const plugins = [unplugin.rspack(options)]
  return compiled(folder, done => rspack({ ...packed(folder, entry), module: { rules }, plugins }, done))
}

const packed = (folder: string, entry: string) => ({
  mode: 'production' as const,
  context: folder,
  entry: join(folder, entry),
  output: { path: join(folder, 'packed'), filename: 'app.js', library: { type: 'module' as const } },
  optimization: { minimize: false },
  resolve: { extensions: ['.ts', '.js', '.json'] },
})

type Done = (
  error: Error | null,
  stats: { hasErrors: () => boolean; toString: (options: object) => string } | undefined,
) => void

async function compiled(folder: string, run: (done: Done) => unknown): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    run((error, stats) => {
      if (error) reject(error)
      else if (stats?.hasErrors()) reject(new Error(stats.toString({ all: false, errors: true })))
      else resolve()
    })
  })
  return readFile(join(folder, 'packed', 'app.js'), 'utf8')
}
